"""What a video remembers between its frames."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any, Callable, Hashable, Sequence

import torch
from torch import Tensor

from ..prompts.base import Features
from .support_policies import SupportPolicy


class SupportMemory:
    """Support features and prompts of one video or stream.

    A window of support frames, oldest out first, and the prompts made from
    it. The features of a frame are computed once while it is in the window,
    also if it stands there several times, as at the ends of a video.

    A memory belongs to one video: it is made at the video's first frame and
    dropped after its last. It holds no parameters and is not part of any
    ``state_dict``. Memory is bounded: at most ``policy.size`` frames of
    ``C * h * w`` numbers, for Swin-T at 1000 x 600 and fp32 1.9 MB each.

    Args:
        policy: Which frames support the video. The window is as large as it says, else
            as large as the first lot of frames.
        video_id: Identifies the video.

    Attributes:
        num_frames: Number of frames that the video has gone on by.
        frame_id: The last of them, -1 before the first.
        prompts: Prompts for the current frame, None before the first.
        task_state: What the video's task remembers, such as a tracker, by the name of
            the model's attribute. Copies of a memory share it: a task goes through a
            video frame by frame.
    """

    def __init__(self, policy: SupportPolicy, video_id: Any = None) -> None:
        self.policy = policy
        self.video_id = video_id
        self.num_frames = 0
        self.frame_id = -1
        self.prompts: Features | None = None
        self.task_state: dict[str, Any] = {}
        self._window: deque[Hashable] = deque(maxlen=policy.size)
        self._feats: dict[Hashable, Features] = {}

    def __len__(self) -> int:
        return len(self._window)

    def copy(self) -> SupportMemory:
        """A memory that goes its own way; tensors are shared, as none changes."""
        other = copy.copy(self)
        other._window = self._window.copy()
        other._feats = dict(self._feats)
        return other

    def add(
        self,
        frame_ids: Sequence[Hashable],
        extract: Callable[[list[int]], Features],
    ) -> None:
        """Put frames into the window.

        Args:
            frame_ids: Identifies the frames; equal ones are the same frame.
            extract: Called with positions in ``frame_ids``, gives the
                features of those frames, in that order in the first
                dimension.
        """
        if self._window.maxlen is None:
            self._window = deque(maxlen=len(frame_ids))
        first = {frame_id: i for i, frame_id in reversed(list(enumerate(frame_ids)))}
        new = sorted(i for frame_id, i in first.items() if frame_id not in self._feats)
        if new:
            feats = extract(new)
            for row, i in enumerate(new):
                self._feats[frame_ids[i]] = _row(feats, row)
        self._window.extend(frame_ids)
        self._feats = {frame_id: self._feats[frame_id] for frame_id in self._window}

    @property
    def features(self) -> Features:
        """Features of the window: (1, T, ...), or a mapping to such tensors."""
        return _stack([self._feats[frame_id] for frame_id in self._window])


def _row(feats: Features, row: int) -> Features:
    if isinstance(feats, Tensor):
        return feats[row]
    return {key: value[row] for key, value in feats.items()}


def _stack(frames: list[Features]) -> Features:
    if isinstance(frames[0], Tensor):
        return torch.stack(frames).unsqueeze(0)
    return {key: _stack([frame[key] for frame in frames]) for key in frames[0]}
