"""STPN: a video object detector around any promptable image detector."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import torch
from mmtrack.registry import MODELS, TASK_UTILS
from mmtrack.structures import TrackDataSample
from mmtrack.utils import ConfigType, OptConfigType, OptMultiConfig, SampleList
from torch import Tensor

from ..prompts.base import Features
from .prompting import check_promptable, join_prompts, prompted
from .references import SupportFrames
from .single_frame import SingleFrameDetector
from .support_memory import SupportMemory


@MODELS.register_module()
class STPN(SingleFrameDetector):
    """Spatio-Temporal Prompting Network.

    Support frames of the same video make prompts, and the prompts make the
    backbone extract better features of the key frame. What follows the
    backbone is the image detector's own::

        ref_img (B, T, 3, H, W) -- backbone, no grad -- prompt predictor
                                                              |
                                                     prompts (B, P, C1)
                                                              |
        img (B, 1, 3, H, W) -------------------- backbone(img, prompts)
                                                              |
                                            neck and heads of the detector

    Source: "Spatio-temporal Prompting Network for Robust Video Feature
    Extraction", ICCV 2023.

    Args:
        detector (dict): Config of any mmdet detector whose backbone takes
            prompts. Its parameters are named ``detector.*``.
        prompt_predictor (dict): Config of the :class:`PromptSource`. Its
            parameters are named ``prompt_predictor.*``.
        frozen_modules (str | list[str], optional): Names of parts that are
            not trained and stay in eval mode, such as ``detector``.
        train_cfg (dict, optional): Kept for mmtrack's interface; the
            detector's own settings lie in ``detector.train_cfg``.
        test_cfg (dict, optional): ``references``, the config of the policy
            that tells which frames support a video under test. By default
            those that the data set hands over (:class:`GivenReferences`).
        data_preprocessor (dict, optional): Config of
            ``TrackDataPreprocessor``.
        init_cfg (dict | list[dict], optional): Initialization config.

    Attributes:
        memory (SupportMemory, optional): What is remembered of the video
            under test. The only state of the detector.

    Raises:
        TypeError: The detector's backbone does not take prompts.
    """

    memory_type = SupportMemory

    def __init__(
        self,
        detector: ConfigType,
        prompt_predictor: ConfigType,
        frozen_modules: Optional[Union[List[str], Tuple[str, ...], str]] = None,
        train_cfg: OptConfigType = None,
        test_cfg: OptConfigType = None,
        data_preprocessor: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(
            detector,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        check_promptable(self.detector.backbone)
        self.prompt_predictor = MODELS.build(prompt_predictor)
        references = (test_cfg or {}).get('references', dict(type='GivenReferences'))
        self.references = TASK_UTILS.build(references)
        self.memory: Optional[SupportMemory] = None
        self.freeze_module(frozen_modules or ())

    def loss(
        self, inputs: Dict[str, Tensor], data_samples: SampleList
    ) -> Dict[str, Tensor]:
        """Losses of the image detector on the prompted key frames.

        Args:
            inputs: ``img`` (B, 1, 3, H, W), the key frames, and ``ref_img``
                (B, T, 3, H', W'), their support frames, if the prompts are
                made from such.
            data_samples: The B samples, with ``gt_instances`` of the key
                frames.

        Returns:
            The image detector's losses.

        Raises:
            ValueError: There are no support frames, or several key frames in
                a sample.
        """
        if self.prompt_predictor.needs_support:
            feats = self.support_features(self.support_frames(inputs))
            prompts = self.prompt_predictor(feats)
        else:
            prompts = self.prompt_predictor()
        with prompted(self.detector.backbone, prompts):
            return super().loss(inputs, data_samples)

    def predict(
        self,
        inputs: Dict[str, Tensor],
        data_samples: SampleList,
        rescale: bool = True,
    ) -> SampleList:
        """Detect on one frame of a video; frames come in order.

        Args:
            inputs: ``img`` (1, 1, 3, H, W), the frame, and perhaps
                ``ref_img`` (1, T, 3, H', W'), support frames that come with
                it.
            data_samples: The sample, with ``frame_id``, ``video_id`` and
                ``video_length`` in its meta information.
            rescale: Whether boxes are given in the original image.

        Returns:
            The sample with ``pred_det_instances``: ``bboxes`` (N, 4),
            ``scores`` (N,) and ``labels`` (N,).

        Raises:
            ValueError: Frame 0 has no support frames, or there are several
                frames.
            RuntimeError: A later frame arrives without its video's frame 0.
        """
        if self.prompt_predictor.needs_support:
            memory = self.remember(inputs, data_samples)
            return self.predict_with([memory], inputs, data_samples, rescale)
        with prompted(self.detector.backbone, self.prompt_predictor()):
            return super().predict(inputs, data_samples, rescale)

    def predict_with(
        self,
        memories: Sequence[SupportMemory],
        inputs: Dict[str, Tensor],
        data_samples: SampleList,
        rescale: bool = True,
    ) -> SampleList:
        """Detect on frames of any videos, each with its video's memory.

        :attr:`memory` is neither read nor changed.

        Args:
            memories: The B memories, with prompts.
            inputs: ``img`` (B, 1, 3, H, W).
            data_samples: The B samples.
            rescale: As for :meth:`predict`.

        Returns:
            As of :meth:`predict`.
        """
        prompts = join_prompts([memory.prompts for memory in memories])
        with prompted(self.detector.backbone, prompts):
            return super().predict(inputs, data_samples, rescale)

    def remember(
        self, inputs: Dict[str, Tensor], data_samples: SampleList
    ) -> SupportMemory:
        """Bring the memory up to the current frame.

        Args:
            inputs: As for :meth:`predict`.
            data_samples: As for :meth:`predict`.

        Returns:
            The memory of the frame's video, with prompts.
        """
        if len(data_samples) != 1:
            raise ValueError(
                f'got {len(data_samples)} frames; a video is tested frame by frame: '
                'set batch_size=1 in the val and test dataloaders'
            )
        meta = data_samples[0].metainfo
        memory = self._memory_of(meta)
        support = self.references.select(meta, inputs)
        if support is not None:
            self.update(memory, support, data_samples[0])
        if meta['frame_id'] + 1 == meta.get('video_length'):
            self.memory = None
        return memory

    def update(
        self,
        memory: SupportMemory,
        support: SupportFrames,
        data_sample: TrackDataSample,
    ) -> None:
        """Let support frames join a memory, and refresh its prompts."""
        memory.add(
            support.frame_ids,
            lambda picks: self.prompt_predictor.support_features(
                self.detector.backbone, support.imgs[picks]
            ),
        )
        memory.prompts = self.prompt_predictor(memory.features)

    def _memory_of(self, meta: Dict[str, Any]) -> SupportMemory:
        frame_id, video_id = meta['frame_id'], meta.get('video_id')
        if frame_id == 0:
            self.memory = self.memory_type(video_id, self.references.size)
        if self.memory is None or self.memory.video_id != video_id:
            raise RuntimeError(
                f'frame {frame_id} of video {video_id} arrived before frame 0 of that '
                'video. The frames of a video must be tested in order, starting with '
                'frame 0: use the VideoSampler and batch_size=1, as the configs do'
            )
        return self.memory

    def support_features(self, ref_img: Tensor) -> Features:
        """What the prompt source needs of support frames, without gradient.

        Args:
            ref_img: (B, T, 3, H, W).

        Returns:
            For predictors on the last stage (B, T, C, H / 32, W / 32).
        """
        with torch.no_grad():
            feats = self.prompt_predictor.support_features(
                self.detector.backbone, ref_img.flatten(0, 1)
            )
        shape = ref_img.shape[:2]
        if isinstance(feats, Tensor):
            return feats.unflatten(0, shape)
        return {key: value.unflatten(0, shape) for key, value in feats.items()}

    @staticmethod
    def support_frames(inputs: Dict[str, Tensor]) -> Tensor:
        """Support frames (B, T, 3, H, W) of training samples.

        Raises:
            ValueError: There are none, or their shape is another.
        """
        if 'ref_img' not in inputs:
            raise ValueError(
                'a training sample has no support frames (inputs["ref_img"]); set '
                'ref_img_sampler with num_ref_imgs >= 1 in the training dataset'
            )
        ref_img = inputs['ref_img']
        if ref_img.dim() != 5:
            raise ValueError(
                f'ref_img must have shape (B, T, 3, H, W), got {tuple(ref_img.shape)}'
            )
        return ref_img
