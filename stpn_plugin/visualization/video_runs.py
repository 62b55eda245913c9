"""Running a detector over videos of a test dataset, to look inside."""

from __future__ import annotations

import os.path as osp
from typing import Iterator, NamedTuple, Sequence

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, pseudo_collate
from mmtrack.models.vid import BaseVideoDetector
from mmtrack.structures import TrackDataSample

from ..builders import build_model, load_weights, packed_sample
from ..utils import ProgressBar
from .frames import load_rgb


class RunFrame(NamedTuple):
    """A frame and what a detector made of it.

    Attributes:
        inputs: What the pipeline packed: ``img`` (1, 3, H, W) and perhaps ``ref_img``
            (T, 3, H', W').
        result: The detector's result.
    """

    inputs: dict
    result: TrackDataSample


def build_detector(
    cfg: Config, checkpoint: str, device: str = 'cpu'
) -> BaseVideoDetector:
    """Build a detector with trained weights, ready to test.

    Args:
        cfg: The config.
        checkpoint: Path or URL of the checkpoint.
        device: Where to run. Defaults to 'cpu'.

    Returns:
        The detector in evaluation mode.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the checkpoint does not fit.
    """
    model = build_model(cfg)
    load_weights(model, checkpoint)
    return model.to(device).eval()


class Video(NamedTuple):
    """A video of a test dataset.

    Attributes:
        name: Folder of its frames.
        indices: Indices of its frames in the dataset, in order.
        img_paths: Files of its frames.
        gts: Ground truth of its frames in the original images: ``bboxes`` (n, 4) and
            ``labels`` (n, ).
    """

    name: str
    indices: list[int]
    img_paths: list[str]
    gts: list[dict]


def find_video(dataset: BaseDataset, name: str | None = None) -> Video:
    """Find a video in a test dataset.

    Args:
        dataset: A video dataset.
        name: Folder of its frames, or the last part of it. Defaults to the first video
            of the dataset.

    Returns:
        The video.

    Raises:
        ValueError: If there is no such video, or several.
    """
    found: dict[str, list[tuple[int, dict]]] = {}
    names: list[str] = []
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        folder = osp.dirname(info['img_path'])
        if not names or names[-1] != folder:
            names.append(folder)
        if name is None:
            name = folder
        if f'/{folder}'.endswith(f'/{name.strip("/")}'):
            found.setdefault(folder, []).append((index, info))
    if len(found) != 1:
        raise ValueError(
            f'{len(found)} videos match {name!r}; the dataset has {len(set(names))}, '
            f'such as {", ".join(osp.basename(n) for n in names[:3])}'
        )
    ((folder, frames),) = found.items()
    frames.sort(key=lambda frame: frame[1]['frame_id'])
    return Video(
        folder,
        [index for index, _ in frames],
        [info['img_path'] for _, info in frames],
        [_ground_truth(info['instances']) for _, info in frames],
    )


def _ground_truth(instances: Sequence[dict]) -> dict:
    counted = [instance for instance in instances if not instance['ignore_flag']]
    return dict(
        bboxes=np.array([i['bbox'] for i in counted], np.float32).reshape(-1, 4),
        labels=np.array([i['bbox_label'] for i in counted], np.int64),
    )


def run_video(
    model: BaseVideoDetector,
    dataset: BaseDataset,
    video: Video,
    num_frames: int | None = None,
    description: str = 'frames',
) -> Iterator[RunFrame]:
    """Run a detector over the frames of a video, in order, with a progress bar.

    Args:
        model: The detector.
        dataset: The dataset of the video.
        video: The video.
        num_frames: Stop after so many frames. Defaults to all.
        description: What the progress bar says. Defaults to 'frames'.

    Yields:
        Every frame.
    """
    for index in ProgressBar(
        video.indices[:num_frames], desc=description, unit='frame'
    ):
        data = packed_sample(dataset, index)
        with torch.no_grad():
            (result,) = model.test_step(pseudo_collate([data]))
        yield RunFrame(data['inputs'], result)


def network_image(img: torch.Tensor) -> np.ndarray:
    """An image that the pipeline packed, (3, H, W) BGR, as RGB (H, W, 3) uint8."""
    image = img.permute(1, 2, 0).clamp(0, 255).byte().numpy()
    return np.ascontiguousarray(image[..., ::-1])


def least_sharp(img_paths: Sequence[str], number: int) -> list[int]:
    """Pick the frames of a video that look most deteriorated.

    The measure is the variance of the Laplacian of the grey image, which blur,
    defocus and strong compression lower. It compares frames of one scene only.

    Args:
        img_paths: Files of the frames.
        number: How many frames to pick.

    Returns:
        Indices of the least sharp frames, rising.
    """
    sharpness = [
        cv2.Laplacian(cv2.cvtColor(load_rgb(p), cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()
        for p in img_paths
    ]
    return sorted(np.argsort(sharpness, kind='stable')[:number].tolist())


def check_frames(video: Video, frames: Sequence[int]) -> None:
    """Raise a ValueError unless a video has these frames, counted from 0."""
    wrong = [frame for frame in frames if not 0 <= frame < len(video.indices)]
    if wrong or not frames:
        raise ValueError(
            f'frames {wrong or "(none)"} are not in video {video.name}, which has the '
            f'frames 0 to {len(video.indices) - 1}'
        )
