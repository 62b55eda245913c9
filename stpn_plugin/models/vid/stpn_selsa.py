"""STPN with SELSA's RoI head."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Sequence, Tuple

import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from mmtrack.registry import MODELS
from mmtrack.structures import TrackDataSample
from mmtrack.utils import SampleList, convert_data_sample_type
from torch import Tensor

from ..backbones.promptable import Prompts
from ..prompting import GivenSupport, SupportFrames, SupportMemory, prompted
from ..prompting.prompted import concatenate
from ..prompts.base import PromptSource
from .stpn import STPN

Levels = Tuple[Tensor, ...]


class SelsaMemory(SupportMemory):
    """Remembers SELSA's reference features and proposals too."""

    ref_x: Levels = ()
    ref_proposals: Sequence[InstanceData] = ()


@MODELS.register_module()
class STPNSelsa(STPN):
    """STPN whose RoI head aggregates proposals of reference frames (SELSA).

    Of the T support frames of a sample, prompt frames make prompts, and
    SELSA's reference frames lend their proposals to the RoI head. Learned prompts
    need no frames: then all are references, prompted as the key frame is.

    Source: ``SELSAVideoPrompt``, released with "Spatio-temporal Prompting
    Network for Robust Video Feature Extraction", ICCV 2023; Wu et al.,
    "Sequence Level Semantics Aggregation for Video Object Detection", ICCV
    2019.

    Args:
        *args: Those of :class:`STPN`. The detector's RoI head is mmtrack's
            ``SelsaRoIHead``, with any RoI extractor that fits it, such as
            ``TemporalRoIAlign``.
        extra_frames: With ``True``, prompt frames and reference frames are different
            ones, and the references are prompted too: in training the first half of the
            support frames make prompts and the second half are references, in testing
            those at odd and at even positions. With ``False`` all support frames are
            both, and as references they are not prompted. Learned prompts ignore it.
        **kwargs: Those of :class:`STPN`.

    Raises:
        TypeError: The detector has no RoI head, the prompts are made of other than
            the last backbone stage, or the support policy is not
            :class:`GivenSupport`.
    """

    memory_type = SelsaMemory

    def __init__(self, *args: Any, extra_frames: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not getattr(self.detector, 'with_roi_head', False):
            raise TypeError(
                f'{type(self.detector).__name__} has no RoI head; STPNSelsa needs a '
                'two-stage detector with SelsaRoIHead'
            )
        predictor = type(self.prompt_predictor)
        if (
            predictor.needs_support
            and predictor.support_features is not PromptSource.support_features
        ):
            raise TypeError(
                f'{predictor.__name__} makes prompts from other features of support '
                'frames than their last backbone stage, which STPNSelsa has at hand'
            )
        if not isinstance(self.support_policy, GivenSupport):
            raise TypeError(
                'STPNSelsa takes its references from the data set; leave '
                'support at GivenSupport'
            )
        self.extra_frames = extra_frames

    @property
    def needs_support(self) -> bool:
        """True: there are references, whatever makes the prompts."""
        return True

    def loss(
        self, inputs: dict[str, Tensor], data_samples: SampleList, **kwargs: Any
    ) -> dict[str, Tensor]:
        """RPN and RoI losses of one key frame.

        Args:
            inputs: ``img`` (1, 1, 3, H, W) and ``ref_img`` (1, T, 3, H, W).
            data_samples: The sample, with ``gt_instances``.
            **kwargs: Not used.

        Returns:
            Losses.

        Raises:
            ValueError: There are several samples, or too few support frames.
        """
        if len(data_samples) != 1:
            raise ValueError(
                f'SELSA trains on one sample a GPU, got {len(data_samples)}: set '
                'batch_size=1 in the train dataloader'
            )
        imgs = self.support_frames(inputs)[0]
        ref_samples = _reference_samples(data_samples[0], len(imgs))
        if not self.prompt_predictor.needs_support:
            prompts = self.prompt_predictor()
            ref_x = self._extract(imgs, prompts)
        elif self.extra_frames:
            self._check_number(len(imgs))
            half = len(imgs) // 2
            prompts = self.prompt_predictor(self.support_features(imgs[None, :half]))
            ref_x = self._extract(imgs[half:], prompts)
            ref_samples = ref_samples[half:]
        else:
            stages = self.detector.backbone(imgs)
            # The authors let this gradient through.
            prompts = self.prompt_predictor(stages[-1][None])
            ref_x = self.detector.neck(stages)
        x = self._extract(self.key_frames(inputs), prompts)

        rpn_head = self.detector.rpn_head
        rpn_samples = deepcopy(data_samples)
        rpn_samples[0].gt_instances.labels.zero_()  # the RPN knows one class
        proposal_cfg = self.detector.train_cfg.get(
            'rpn_proposal', self.detector.test_cfg.rpn
        )
        losses, proposals = rpn_head.loss_and_predict(
            x, rpn_samples, proposal_cfg=proposal_cfg
        )
        ref_proposals = rpn_head.predict(ref_x, ref_samples, rescale=False)
        roi_losses = self.detector.roi_head.loss(
            x, ref_x, proposals, ref_proposals, data_samples
        )
        return {**losses, **roi_losses}

    def predict_with(
        self,
        memories: Sequence[Any],  # of SelsaMemory
        inputs: dict[str, Tensor],
        data_samples: SampleList,
        *args: Any,
        rescale: bool = True,
        **kwargs: Any,
    ) -> SampleList:
        """Detect on frames of one size, each with its video's memory.

        A frame joins its references as the last of them.
        """
        if self.prompt_predictor.needs_support:
            prompts = concatenate([memory.prompts for memory in memories])
        else:
            prompts = self.prompt_predictor()
        x = self._extract(self.key_frames(inputs), prompts)
        proposals = self.detector.rpn_head.predict(x, data_samples, rescale=False)
        results = []
        for i, memory in enumerate(memories):
            key_x = tuple(level[i : i + 1] for level in x)
            ref_x = tuple(torch.cat(levels) for levels in zip(memory.ref_x, key_x))
            (instances,) = self.detector.roi_head.predict(
                key_x,
                ref_x,
                [proposals[i]],
                [*memory.ref_proposals, proposals[i]],
                [data_samples[i]],
                rescale=rescale,
            )
            results.append(self.make_result(data_samples[i], instances))
        return results

    def update(
        self,
        memory: Any,  # SelsaMemory
        support: SupportFrames,
        data_sample: TrackDataSample,
    ) -> None:
        """Make prompts and reference features of a video, once.

        Raises:
            ValueError: Support frames come with a later frame than frame 0,
                or are too few.
        """
        if memory.ref_x:
            raise ValueError(
                'STPNSelsa takes all support frames with frame 0; set ref_img_sampler '
                'to test_with_adaptive_stride in the test dataset'
            )
        frame_ids, imgs = support
        ref_samples = _reference_samples(data_sample, len(imgs))
        if not self.prompt_predictor.needs_support:
            memory.ref_x = self._extract(imgs, self.prompt_predictor())
        elif self.extra_frames:
            self._check_number(len(imgs))
            picks = self.prompt_frames(len(imgs))
            chosen = SupportFrames(frame_ids[picks], imgs[picks])
            super().update(memory, chosen, data_sample)
            memory.ref_x = self._extract(imgs[::2], memory.prompts)
            ref_samples = ref_samples[::2]
        else:
            stages = self.detector.backbone(imgs)
            memory.prompts = self.prompt_predictor(stages[-1][None])
            memory.ref_x = self.detector.neck(stages)
        memory.ref_proposals = self.detector.rpn_head.predict(
            memory.ref_x, ref_samples, rescale=False
        )

    def prompt_frames(self, count: int) -> slice:
        """Which of ``count`` support frames of a test video make prompts."""
        if not self.prompt_predictor.needs_support:
            return slice(0)
        return slice(1, count, 2) if self.extra_frames else slice(count)

    def _extract(self, imgs: Tensor, prompts: Prompts) -> Levels:
        """Levels of the neck for frames (N, 3, H, W).

        Args:
            imgs: The frames.
            prompts: What the prompt source returned, of one video or of N.
        """
        if isinstance(prompts, Tensor) and prompts.dim() == 3 and len(prompts) == 1:
            prompts = prompts[0]
        with prompted(self.detector.backbone, prompts):
            return self.detector.extract_feat(imgs)

    @staticmethod
    def _check_number(count: int) -> None:
        if count < 2:
            raise ValueError(
                f'extra_frames=True needs two support frames or more, got {count}: one '
                'to make prompts, one as reference; raise num_ref_imgs or set '
                'extra_frames=False'
            )


def _reference_samples(data_sample: TrackDataSample, count: int) -> list[DetDataSample]:
    """One sample for each support frame, with its meta information."""
    _, metas = convert_data_sample_type(data_sample, num_ref_imgs=count)
    return [DetDataSample(metainfo=meta) for meta in metas]
