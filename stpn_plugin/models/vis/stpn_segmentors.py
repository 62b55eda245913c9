"""mmtrack's video instance segmentors, with prompts for their backbone."""

from __future__ import annotations

from typing import Any, Sequence

import torch
from mmtrack.models.vis import Mask2Former, MaskTrackRCNN
from mmtrack.registry import MODELS
from mmtrack.utils import SampleList

from ..prompting import VideoPrompting
from ..prompting.batches import Batch
from ..prompting.support_policies import PastSupport
from .min_vis import MinVIS, is_whole_video


@MODELS.register_module()
class STPNMaskTrackRCNN(VideoPrompting, MaskTrackRCNN):
    """MaskTrack R-CNN around a prompted detector.

    In training the support frames come apart from its reference frame
    (``support_img``, see ``PackPromptedInputs``). Key and reference frame get
    the same prompts.

    Source: Yang et al., "Video Instance Segmentation", ICCV 2019.
    """

    task_state = ('tracker',)


@MODELS.register_module()
class STPNMask2Former(VideoPrompting, Mask2Former):
    """Mask2Former for videos with a prompted backbone.

    All frames of a clip get the prompts of its video. It is tested on whole
    videos, with mmtrack's ``EntireVideoBatchSampler``; parts of a video are refused.

    Source: Cheng et al., "Mask2Former for Video Instance Segmentation",
    arXiv 2112.10764.
    """

    frames_at_once = True

    def predict_frames(
        self, frames: Sequence[Batch], *args: Any, **kwargs: Any
    ) -> SampleList:
        """Segment a whole video.

        Raises:
            ValueError: The frames are not those of one whole video.
        """
        metas = [frame['data_samples'][0].metainfo for frame in frames]
        if not is_whole_video(metas):
            ids = [meta.get('frame_id') for meta in metas]
            raise ValueError(
                'STPNMask2Former segments whole videos in one go, and got the frames '
                f'{ids} of a video of {metas[0].get("video_length")}: use '
                'batch_sampler=dict(type="EntireVideoBatchSampler") in testing'
            )
        return super().predict_frames(frames, *args, **kwargs)


@MODELS.register_module()
class STPNMinVIS(VideoPrompting, MinVIS):
    """MinVIS with a prompted backbone: STPN's second task.

    Where past frames support the current one, tracks know of past frames alone, too.

    Source: "Spatio-temporal Prompting Network for Robust Video Feature
    Extraction", ICCV 2023, which takes MinVIS for its base; its code for this
    task was not released.
    """

    task_state = ('tracks',)

    def predict_frames(
        self,
        frames: Sequence[Batch],
        memories: Sequence[Any],
        *args: Any,
        **kwargs: Any,
    ) -> SampleList:
        """Segment a whole video at once, other frames one after the other."""
        samples = [frame['data_samples'][0] for frame in frames]
        whole = is_whole_video([sample.metainfo for sample in samples])
        online = isinstance(getattr(memories[0], 'policy', None), PastSupport)
        if online or not (self.whole_videos and whole):
            return super().predict_frames(frames, memories, *args, **kwargs)
        img = torch.cat([frame['inputs']['img'] for frame in frames])
        return self.predict_with(memories, dict(img=img), samples, *args, **kwargs)
