"""STPN: a video object detector around any promptable image detector."""

from __future__ import annotations

from typing import Dict, List, Optional, Tuple, Union

import torch
from mmtrack.registry import MODELS
from mmtrack.structures import TrackDataSample
from mmtrack.utils import ConfigType, OptConfigType, OptMultiConfig, SampleList
from torch import Tensor

from .prompting import check_promptable, prompted
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

    In testing, the support frames come with frame 0 of a video
    (``test_with_adaptive_stride``); its prompts serve the whole video.

    Source: "Spatio-temporal Prompting Network for Robust Video Feature
    Extraction", ICCV 2023.

    Args:
        detector (dict): Config of any mmdet detector whose backbone takes
            prompts. Its parameters are named ``detector.*``.
        prompt_predictor (dict): Config of the module that turns support
            features (B, T, C, h, w) into prompts (B, P, C1). Its parameters
            are named ``prompt_predictor.*``.
        frozen_modules (str | list[str], optional): Names of children that are
            not trained.
        train_cfg (dict, optional): Kept for mmtrack's interface; the
            detector's own settings lie in ``detector.train_cfg``.
        test_cfg (dict, optional): Likewise.
        data_preprocessor (dict, optional): Config of
            ``TrackDataPreprocessor``.
        init_cfg (dict | list[dict], optional): Initialization config.

    Raises:
        TypeError: The detector's backbone does not take prompts.
    """

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
        self.memory = SupportMemory()
        if frozen_modules is not None:
            self.freeze_module(frozen_modules)

    def loss(
        self, inputs: Dict[str, Tensor], data_samples: SampleList
    ) -> Dict[str, Tensor]:
        """Losses of the image detector on the prompted key frames.

        Args:
            inputs: ``img`` (B, 1, 3, H, W), the key frames, and ``ref_img``
                (B, T, 3, H', W'), their support frames.
            data_samples: The B samples, with ``gt_instances`` of the key
                frames.

        Returns:
            The image detector's losses.

        Raises:
            ValueError: There are no support frames, or several key frames in
                a sample.
        """
        if 'ref_img' not in inputs:
            raise ValueError(
                'a training sample has no support frames (inputs["ref_img"]); set '
                'ref_img_sampler with num_ref_imgs >= 1 in the training dataset'
            )
        prompts = self.predict_prompts(self.support_features(inputs['ref_img']))
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
            inputs: ``img`` (1, 1, 3, H, W), the frame, and at frame 0 of a
                video ``ref_img`` (1, T, 3, H', W'), its support frames.
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
        if len(data_samples) != 1:
            raise ValueError(
                f'got {len(data_samples)} frames; a video is tested frame by frame: set '
                'batch_size=1 in the val and test dataloaders'
            )
        prompts = self._remember(inputs.get('ref_img'), data_samples[0])
        with prompted(self.detector.backbone, prompts):
            return super().predict(inputs, data_samples, rescale)

    def support_features(self, ref_img: Tensor) -> Tensor:
        """Features of support frames: last backbone stage, no prompts, no grad.

        Args:
            ref_img: (B, T, 3, H, W).

        Returns:
            Tensor of shape (B, T, C, H / 32, W / 32).
        """
        if ref_img.dim() != 5:
            raise ValueError(
                f'ref_img must have shape (B, T, 3, H, W), got {tuple(ref_img.shape)}'
            )
        with torch.no_grad():
            feats = self.detector.backbone(ref_img.flatten(0, 1))[-1]
        return feats.unflatten(0, ref_img.shape[:2])

    def predict_prompts(self, support_feats: Tensor) -> Tensor:
        """Prompts (B, P, C1) from support features (B, T, C, h, w)."""
        return self.prompt_predictor(support_feats)

    def _remember(
        self, ref_img: Optional[Tensor], data_sample: TrackDataSample
    ) -> Tensor:
        """Prompts of the video that a frame belongs to."""
        meta = data_sample.metainfo
        frame_id, video_id = meta['frame_id'], meta.get('video_id')
        if frame_id == 0:
            if ref_img is None:
                raise ValueError(
                    f'frame 0 of video {video_id} came without support frames '
                    '(inputs["ref_img"]); set ref_img_sampler to '
                    'test_with_adaptive_stride in the test dataset'
                )
            prompts = self.predict_prompts(self.support_features(ref_img))
            self.memory.start(video_id, prompts)
        prompts = self.memory.recall(video_id, frame_id)
        if frame_id + 1 == meta.get('video_length'):
            self.memory.clear()
        return prompts
