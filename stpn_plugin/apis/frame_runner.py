"""A video model that runs on frames in memory."""

from __future__ import annotations

import copy
import threading
from contextlib import contextmanager
from typing import Any, Iterator, Sequence

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate

from ..models.prompting import PastSupport, SupportMemory, VideoPrompting
from ..models.prompting.batches import Batch
from .video_io import Frame
from .video_result import VideoResult


class FrameRunner:
    """Takes frames through the test pipeline, the data preprocessor and the model.

    It knows of no video: whoever runs one keeps its memory. One call at a time, from
    any thread.

    Args:
        model: The model, in eval mode.
        classes: Class names, which results tell.
        transforms: Pipeline of the test dataset, for lists of frames or for single
            ones. Build it in the scope of the config.
        device: Where the model is.
        amp_dtype: Type to compute with, None for that of the weights.

    Attributes:
        model: The model.
        classes: The class names.
    """

    def __init__(
        self,
        model: Any,  # SingleFrameDetector or VideoPrompting
        classes: tuple[str, ...],
        transforms: Sequence[dict[str, Any]],
        device: torch.device,
        amp_dtype: torch.dtype | None = None,
    ) -> None:
        self.model = model
        self.classes = classes
        self._pipeline, self._to_float32 = _frame_pipeline(transforms)
        self._device = device
        self._amp_dtype = amp_dtype
        self._lock = threading.Lock()

    def start_video(self, policy: PastSupport | None = None) -> SupportMemory | None:
        """Memory of a new video; None if the model needs none.

        Args:
            policy: Which frames support it. Defaults to the model's own.
        """
        if not isinstance(self.model, VideoPrompting):
            return None
        return self.model.start_video(policy)

    def pack(
        self, frames: list[Frame], frame_ids: list[int], length: int | None = None
    ) -> dict[str, Any]:
        """Run a frame, and perhaps support frames, through the test pipeline.

        Args:
            frames: The frame, and its support frames.
            frame_ids: Their positions in the video.
            length: Number of frames in the video, if known.

        Returns:
            ``inputs`` and ``data_samples``, as the config's dataset gives them.
        """
        dtype = np.float32 if self._to_float32 else np.uint8
        shapes = [frame.image.shape[:2] for frame in frames]
        data = dict(
            img=[frame.image.astype(dtype, copy=False) for frame in frames],
            img_path=[frame.path for frame in frames],
            img_shape=shapes,
            ori_shape=shapes,
            img_id=frame_ids,
            frame_id=frame_ids,
            is_video_data=[True] * len(frames),
        )
        if length is not None:
            data['video_length'] = [length] * len(frames)
        return self._pipeline(data)

    def prepare(
        self, packed: dict[str, Any], memory: SupportMemory | None
    ) -> tuple[Batch, SupportMemory | None]:
        """Preprocess a frame, and let its video go on by it.

        Args:
            packed: What :meth:`pack` gave.
            memory: What the video remembers of the frames before; not changed.

        Returns:
            The frame, and what the video remembers then.
        """
        with self._inference():
            batch = self.model.data_preprocessor(pseudo_collate([packed]), False)
            if isinstance(self.model, VideoPrompting) and memory is not None:
                sample = batch['data_samples'][0]
                memory = self.model.advance(memory, batch['inputs'], sample)
        return batch, memory

    def predict(
        self, batches: list[Batch], memories: list[SupportMemory | None]
    ) -> list[VideoResult]:
        """Results of frames of any videos, on the CPU.

        Args:
            batches: The frames, from :meth:`prepare`.
            memories: What the video of each remembered with it.
        """
        with self._inference():
            results = self.model.predict_frames(batches, memories)
        return [VideoResult.of(result.cpu(), self.classes) for result in results]

    @contextmanager
    def _inference(self) -> Iterator[None]:
        autocast = torch.autocast(
            self._device.type,
            dtype=self._amp_dtype,
            enabled=self._amp_dtype is not None,
        )
        # The backbone is given prompts for the length of a call: one at a time.
        with self._lock, torch.no_grad(), autocast:
            yield


def _frame_pipeline(transforms: Sequence[dict[str, Any]]) -> tuple[Compose, bool]:
    """The test pipeline for lists of frames that are in memory.

    Args:
        transforms: The pipeline of a test dataset, for lists of frames or for
            single ones.

    Returns:
        The pipeline without loading, for lists of frames, and whether frames
        are to be loaded as float32.
    """
    transforms = copy.deepcopy(list(transforms))
    if name_of(transforms[0]) == 'TransformBroadcaster':
        each, rest = transforms[0]['transforms'], transforms[1:]
    else:
        each, rest = transforms[:-1], transforms[-1:]
    for transform in rest:
        if name_of(transform) == 'PackTrackInputs':
            transform['pack_single_img'] = False
    names = ('LoadImageFromFile', 'LoadFrameFromVideo')
    loaders = [t for t in each if name_of(t) in names]
    to_float32 = any(t.get('to_float32', False) for t in loaders)
    # There are no annotations to load either.
    each = [t for t in each if not name_of(t).startswith('Load')]
    broadcast = dict(
        type='TransformBroadcaster', share_random_params=True, transforms=each
    )
    return Compose([broadcast, *rest]), to_float32


def name_of(part: dict[str, Any]) -> str:
    """Name of a config's part, without the scope."""
    return str(part.get('type')).split('.')[-1]
