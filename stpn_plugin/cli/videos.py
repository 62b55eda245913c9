"""Options of the commands that run a detector over a video of a test dataset."""

from __future__ import annotations

from dataclasses import dataclass

from mmengine.dataset import BaseDataset
from mmengine.device import get_device
from mmtrack.models.vid import BaseVideoDetector

from ..builders import build_dataset
from ..visualization import Video, build_detector, check_frames, find_video, least_sharp
from .command import argument, option
from .configs import ConfigOptions
from .values import device, positive


@dataclass
class VideoOptions(ConfigOptions):
    """A detector, and the frames to look at."""

    checkpoint: str = argument('checkpoint file or URL')
    video: str | None = option(
        "folder of a video's frames, or the last part of it; default: the first video "
        'of the test dataset'
    )
    frames: list[int] | None = option(
        'frames to show, counted from 0; default: the least sharp ones',
        metavar='FRAME',
    )
    number: int = option(
        'how many by default, default: %(default)s', default=4, type=positive
    )
    device: str = option(
        'where to run, default: %(default)s', default=get_device(), type=device
    )

    def open(self) -> tuple[BaseVideoDetector, BaseDataset, Video, list[int]]:
        """Build the detector and the test dataset; find the video and the frames."""
        cfg = self.read_config()
        model = build_detector(cfg, self.checkpoint, self.device)
        dataset = build_dataset(cfg)
        video = find_video(dataset, self.video)
        frames = self.frames or least_sharp(video.img_paths, self.number)
        check_frames(video, frames)
        return model, dataset, video, frames
