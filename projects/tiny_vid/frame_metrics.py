"""mmtrack's metrics of tracks on some frames of each video.

Tracks are those of the whole videos; what is left of them and of the ground truth on
sharp or on deteriorated frames is scored as if there were no others. So a change of
identity between two sharp frames counts, whatever lies between them.
"""

from __future__ import annotations

import json
import os.path as osp
from typing import Any, Sequence

from mmengine.evaluator import BaseMetric
from mmtrack.evaluation import MOTChallengeMetrics, YouTubeVISMetric
from mmtrack.registry import METRICS

from projects.tiny_vid.generate import MARKER

FRAMES = ('all', 'sharp', 'deteriorated')


class OnFrames(BaseMetric):
    """To be put in front of a metric of mmtrack that goes through videos.

    Args:
        frames: Which frames count, one of ``FRAMES``; also the prefix of the metrics.
        data_root: Folder of the data set.
        **kwargs: Those of the metric.
    """

    def __init__(self, frames: str, data_root: str, **kwargs: Any) -> None:
        if frames not in FRAMES:
            raise ValueError(f'frames must be one of {FRAMES}, got {frames!r}')
        super().__init__(prefix=frames, **kwargs)
        self.frames = frames
        with open(osp.join(data_root, MARKER)) as file:
            kinds = json.load(file)['deterioration']
        self._kinds = {
            osp.basename(video): of_video for video, of_video in kinds.items()
        }

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Process the frames that count, renumbered within their video."""
        for sample in data_samples:
            picks = self._picks(sample['img_path'])
            if sample['frame_id'] in picks:
                sample = dict(
                    self.adapt(sample),
                    frame_id=picks.index(sample['frame_id']),
                    video_length=len(picks),
                )
                super().process(data_batch, [sample])

    def adapt(self, sample: dict) -> dict:
        """What else the metric wants changed in a sample."""
        return sample

    def _picks(self, img_path: str) -> list[int]:
        """Frames of an image's video that count, of which there are some."""
        folder = osp.dirname(img_path)
        if osp.basename(folder) == 'img1':
            folder = osp.dirname(folder)
        kinds = self._kinds[osp.basename(folder)]
        return [
            frame
            for frame, kind in enumerate(kinds)
            if self.frames == 'all' or (kind is None) == (self.frames == 'sharp')
        ]


@METRICS.register_module()
class TinyMOTMetrics(OnFrames, MOTChallengeMetrics):
    """HOTA, CLEAR and identity, of tracks of any class.

    The MOT challenge scores pedestrians, its class 1, alone.
    """

    def adapt(self, sample: dict) -> dict:
        """Give all objects class 1."""
        instances = [dict(i, category_id=1) for i in sample['instances']]
        return dict(sample, instances=instances)


@METRICS.register_module()
class TinyVISMetric(OnFrames, YouTubeVISMetric):
    """AP of masks through time, by class."""
