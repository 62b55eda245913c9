"""The mix-in that prompts the backbone of a video model."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from copy import deepcopy
from numbers import Integral
from typing import Any, Iterator, Sequence

import torch
from mmengine.model import BaseModel
from mmtrack.registry import MODELS, TASK_UTILS
from mmtrack.structures import TrackDataSample
from mmtrack.utils import ConfigType, OptConfigType, SampleList
from torch import Tensor, nn

from ..backbones.promptable import Promptable, require_promptable
from ..freezing import FreezingMixin
from ..prompts.base import Features, PromptSource
from .batches import (
    Batch,
    predict_by_size,
    preprocess_each,
    split_inputs,
)
from .prompted import concatenate, prompted
from .support_memory import SupportMemory
from .support_policies import SupportFrames, SupportPolicy


class VideoPrompting(FreezingMixin, BaseModel):
    """Put in front of a video model of mmtrack, it prompts the model's backbone.

    Support frames of the same video make prompts, and the prompts make the
    backbone extract better features of the key frames. What follows the
    backbone is the model's own, and so are its ``loss`` and ``predict``::

        support frames (B, T, 3, H, W) -- backbone, no grad -- prompt predictor
                                                                     |
                                                            prompts (B, P, C1)
                                                                     |
        img (B, 1, 3, H, W) --------------------------- backbone(img, prompts)
                                                                     |
                                                      the rest of the model

    The backbone is ``detector.backbone``, or ``backbone`` where a model has
    no detector. Parameters keep their names, so checkpoints of the stock
    model load; new ones are named ``prompt_predictor.*``.

    Source: "Spatio-temporal Prompting Network for Robust Video Feature
    Extraction", ICCV 2023.

    Args:
        *args: Those of the video model.
        prompt_predictor: Config of the :class:`PromptSource`. Its dimensions follow
            from the backbone where they are left out.
        support: Config of the :class:`SupportPolicy`, which tells what frames support a
            video under test. By default those that the data set hands over
            (:class:`GivenSupport`).
        support_chunk_size: Most support frames that pass the backbone at a time; bounds
            the memory that they take. Defaults to 14.
        frozen_modules: Names of parts that are not trained and stay in eval mode, such
            as ``detector.backbone``.
        **kwargs: Those of the video model.

    Attributes:
        memory: What is remembered of the video under test. The only state of the model.

    Raises:
        TypeError: The backbone does not take prompts, or not of this kind.
        ValueError: The dimensions of the prompts do not fit the backbone, or
            ``support_chunk_size`` is less than 1.

    Examples:
        >>> from mmtrack.models import QDTrack
        >>> from mmtrack.registry import MODELS
        >>> @MODELS.register_module()
        ... class PromptedQDTrack(VideoPrompting, QDTrack):
        ...     pass
    """

    memory_type = SupportMemory

    frames_at_once = False
    """Whether the video model's ``predict`` takes several frames."""

    task_state: tuple[str, ...] = ()
    """Attributes in which the video model keeps what it knows of a video."""

    def __init__(
        self,
        *args: Any,
        prompt_predictor: ConfigType,
        support: OptConfigType = None,
        support_chunk_size: int = 14,
        frozen_modules: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if support_chunk_size < 1:
            raise ValueError(
                f'support_chunk_size must be >= 1, got {support_chunk_size}'
            )
        self.prompt_predictor = _build_source(prompt_predictor, self.prompted_backbone)
        self.support_policy: SupportPolicy = TASK_UTILS.build(
            support or _former_support(kwargs) or dict(type='GivenSupport')
        )
        self.support_chunk_size = support_chunk_size
        self.memory: SupportMemory | None = None
        self.freeze_module(frozen_modules or ())

    @property
    def prompted_backbone(self) -> nn.Module:
        """The backbone that is given prompts."""
        detector = getattr(self, 'detector', None)
        return self.backbone if detector is None else detector.backbone

    @property
    def needs_support(self) -> bool:
        """Whether the model looks at support frames under test."""
        return self.prompt_predictor.needs_support

    def train(self, mode: bool = True) -> VideoPrompting:
        """Set the mode. Training ends a video under test, finished or not."""
        if mode or self.training:
            self.memory = None
        return super().train(mode)

    # ------------------------------------------------------------ training

    def loss(
        self, inputs: dict[str, Tensor], data_samples: SampleList, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Losses of the video model on prompted key frames.

        Args:
            inputs: Those of the video model: ``img`` (B, 1, 3, H, W), the key
                frames, and so on; and the support frames, see
                :meth:`support_frames`, if the prompts are made from such.
            data_samples: The B samples, with ``gt_instances`` of the key
                frames.
            **kwargs: Those of the video model.

        Returns:
            The video model's losses.

        Raises:
            ValueError: There are no support frames.
        """
        if self.prompt_predictor.needs_support:
            feats = self.support_features(self.support_frames(inputs))
            prompts = self.prompt_predictor(feats)
        else:
            prompts = self.prompt_predictor()
        with prompted(self.prompted_backbone, prompts):
            return super().loss(inputs, data_samples, **kwargs)

    def support_features(self, imgs: Tensor) -> Features:
        """What the prompt source needs of support frames, without gradient.

        Args:
            imgs: (B, T, 3, H, W).

        Returns:
            For predictors on the last stage (B, T, C, H / 32, W / 32).
        """
        with torch.no_grad():
            feats = concatenate(
                [
                    self.prompt_predictor.support_features(
                        self.prompted_backbone, chunk
                    )
                    for chunk in imgs.flatten(0, 1).split(self.support_chunk_size)
                ]
            )
        shape = imgs.shape[:2]
        if isinstance(feats, Tensor):
            return feats.unflatten(0, shape)
        return {key: value.unflatten(0, shape) for key, value in feats.items()}

    @staticmethod
    def support_frames(inputs: dict[str, Tensor]) -> Tensor:
        """Support frames (B, T, 3, H, W) of training samples.

        They are ``support_img``, where a sample has them apart from the
        reference frames of its task, else ``ref_img``.

        Raises:
            ValueError: There are none, or their shape is another.
        """
        key = 'support_img' if 'support_img' in inputs else 'ref_img'
        if key not in inputs:
            raise ValueError(
                'a training sample has no support frames (inputs["ref_img"]); set '
                'ref_img_sampler with num_ref_imgs >= 1 in the training dataset'
            )
        imgs = inputs[key]
        if imgs.dim() != 5:
            raise ValueError(
                f'{key} must have shape (B, T, 3, H, W), got {tuple(imgs.shape)}'
            )
        return imgs

    # ------------------------------------------------------------- testing

    def val_step(self, data: Batch) -> SampleList:
        """As :meth:`test_step`."""
        return self.test_step(data)

    def test_step(self, data: Batch) -> SampleList:
        """Predict for frames as the data loader gives them.

        Each is preprocessed by itself, so that its result does not depend on
        the frames that it shares a batch with.

        Args:
            data: ``inputs`` and ``data_samples`` of B frames, in the order of
                their videos.

        Returns:
            Their B results.
        """
        frames = preprocess_each(self.data_preprocessor, data)
        memories = [self.follow(f['inputs'], f['data_samples'][0]) for f in frames]
        return self.predict_frames(frames, memories)

    def predict(
        self,
        inputs: dict[str, Tensor],
        data_samples: SampleList,
        *args: Any,
        **kwargs: Any,
    ) -> SampleList:
        """Predict for frames of one size, in the order of their videos.

        Args:
            inputs: ``img`` (B, 1, 3, H, W), the frames, and perhaps
                ``ref_img`` (B, T, 3, H', W'), support frames that come with
                them.
            data_samples: The B samples, with ``frame_id``, ``video_id`` and
                ``video_length`` in their meta information.
            *args: Those of the video model, such as ``rescale``.
            **kwargs: Likewise.

        Returns:
            The video model's results.

        Raises:
            ValueError: The first frame of a video has no support frames, or
                a frame has no usable ``frame_id``.
            RuntimeError: A frame arrives out of order.
        """
        frames: list[Batch] = [
            dict(inputs=one, data_samples=[sample])
            for one, sample in zip(split_inputs(inputs), data_samples)
        ]
        memories = [self.follow(f['inputs'], f['data_samples'][0]) for f in frames]
        return self.predict_frames(frames, memories, *args, **kwargs)

    def predict_frames(
        self,
        frames: Sequence[Batch],
        memories: Sequence[SupportMemory | None],
        *args: Any,
        **kwargs: Any,
    ) -> SampleList:
        """Predict for frames of any videos, each with its video's memory.

        :attr:`memory` is neither read nor changed.

        Args:
            frames: Preprocessed batches of one frame. Those of one size run in
                one forward pass, where the video model can do so.
            memories: Memory of each frame, see :meth:`advance`.
            *args: Those of the video model's ``predict``.
            **kwargs: Likewise.

        Returns:
            A result for each frame.
        """

        def predict(
            picks: list[int], inputs: dict[str, Tensor], samples: SampleList
        ) -> SampleList:
            chosen = [memories[i] for i in picks]
            return self.predict_with(chosen, inputs, samples, *args, **kwargs)

        if self.frames_at_once:
            return predict_by_size(predict, frames)
        results: SampleList = []
        for i, frame in enumerate(frames):
            inputs = dict(img=frame['inputs']['img'])
            results += predict([i], inputs, frame['data_samples'])
        return results

    def predict_with(
        self,
        memories: Sequence[Any],  # of SupportMemory, or None without support
        inputs: dict[str, Tensor],
        data_samples: SampleList,
        *args: Any,
        **kwargs: Any,
    ) -> SampleList:
        """Run the video model's ``predict`` on prompted frames of one size."""
        if self.prompt_predictor.needs_support:
            prompts = concatenate([memory.prompts for memory in memories])
        else:
            prompts = self.prompt_predictor()
        with prompted(self.prompted_backbone, prompts), self._as_left(memories[0]):
            return super().predict(inputs, data_samples, *args, **kwargs)

    @contextmanager
    def _as_left(self, memory: SupportMemory | None) -> Iterator[None]:
        """Let the video model know of a frame's video what it knew last."""
        if memory is None or not self.task_state:
            yield
            return
        others = {name: getattr(self, name) for name in self.task_state}
        for name, value in memory.task_state.items():
            setattr(self, name, value)
        try:
            yield
        finally:
            for name, value in others.items():
                memory.task_state[name] = getattr(self, name)
                setattr(self, name, value)

    # ---------------------------------------------------- a video's life

    def start_video(
        self, policy: SupportPolicy | None = None, video_id: Any = None
    ) -> SupportMemory | None:
        """Memory of a video that starts; None if there is nothing to remember.

        Args:
            policy: Which frames support it. Defaults to
                :attr:`support_policy`.
            video_id: Identifies the video.
        """
        if not (self.needs_support or self.task_state):
            return None
        memory = self.memory_type(policy or self.support_policy, video_id)
        memory.task_state = {n: deepcopy(getattr(self, n)) for n in self.task_state}
        return memory

    def advance(
        self,
        memory: SupportMemory | None,
        inputs: dict[str, Tensor],
        data_sample: TrackDataSample,
    ) -> SupportMemory | None:
        """Go on by a frame: all that happens between two frames of a video.

        Args:
            memory: The video's memory so far. It is left as it is, so earlier
                frames of a batch keep their prompts, and a failure changes
                nothing.
            inputs: The frame, ``img`` (1, 1, 3, H, W), and perhaps
                ``ref_img`` (1, T, 3, H', W').
            data_sample: Its sample.

        Returns:
            The memory with the prompts for this frame.
        """
        if memory is None:
            return None
        memory = memory.copy()
        meta = data_sample.metainfo
        support = None
        if self.needs_support:
            support = memory.policy.select(memory.num_frames, meta, inputs)
        memory.num_frames += 1
        memory.frame_id = meta['frame_id']
        if support is not None:
            self.update(memory, support, data_sample)
        return memory

    def update(
        self,
        memory: SupportMemory,
        support: SupportFrames,
        data_sample: TrackDataSample,
    ) -> None:
        """Let support frames join a memory, and refresh its prompts."""

        def extract(picks: list[int]) -> Features:
            feats = self.support_features(support.imgs[picks].unsqueeze(0))
            if isinstance(feats, Tensor):
                return feats[0]
            return {key: value[0] for key, value in feats.items()}

        memory.add(support.frame_ids, extract)
        memory.prompts = self.prompt_predictor(memory.features)

    def follow(
        self, inputs: dict[str, Tensor], data_sample: TrackDataSample
    ) -> SupportMemory | None:
        """:meth:`advance` the video under test, which :attr:`memory` remembers.

        A video starts with frame 0 and ends with its last frame, or when the
        model goes back to training.

        Args:
            inputs: As of :meth:`advance`.
            data_sample: The frame's sample, with ``frame_id`` and
                ``video_id``.

        Raises:
            ValueError: ``frame_id`` is no whole number from 0.
            RuntimeError: The frame does not follow those before it.
        """
        if not (self.needs_support or self.task_state):
            return None
        meta = data_sample.metainfo
        frame_id, video_id = _frame_id(meta), meta.get('video_id')
        memory = self.memory
        if frame_id == 0:
            memory = self.start_video(video_id=video_id)
        elif memory is None or memory.video_id != video_id:
            raise RuntimeError(
                f'frame {frame_id} of video {video_id} arrived before frame 0 of that '
                'video. The frames of a video must be tested in order, starting with '
                'frame 0: use the VideoSampler, as the configs do'
            )
        elif frame_id <= memory.frame_id:
            raise RuntimeError(
                f'frame {frame_id} of video {video_id} arrived after frame '
                f'{memory.frame_id}. The frames of a video must be tested in order: '
                'use the VideoSampler, as the configs do'
            )
        memory = self.advance(memory, inputs, data_sample)
        is_last = frame_id + 1 == meta.get('video_length')
        self.memory = None if is_last else memory
        return memory

    def prompt_frames(self, count: int) -> slice:
        """Which of ``count`` support frames of a test video make prompts."""
        return slice(count)


def _build_source(cfg: ConfigType, backbone: Promptable) -> PromptSource:
    """Build a prompt source whose dimensions are those of a backbone."""
    require_promptable(backbone)
    source = MODELS.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type']
    dims = source.dims_from(backbone) if source is not None else {}
    built = MODELS.build({**dims, **cfg})
    built.check_backbone(backbone)
    return built


def _frame_id(meta: dict[str, Any]) -> int:
    frame_id = meta.get('frame_id')
    if not isinstance(frame_id, Integral) or frame_id < 0:
        raise ValueError(
            f'frame_id is {frame_id!r} ({meta.get("img_path", "unknown image")}); the '
            'frames of a video are numbered 0, 1, 2, ...: correct "frame_id" of the '
            'images in the annotation file'
        )
    return int(frame_id)


def _former_support(kwargs: dict[str, Any]) -> OptConfigType:
    """The policy where version 1.0 had it."""
    former = (kwargs.get('test_cfg') or {}).get('references')
    if former is not None:
        warnings.warn(
            'test_cfg.references of the model is now called "support" and stands '
            'beside "prompt_predictor"',
            DeprecationWarning,
            stacklevel=3,
        )
    return former
