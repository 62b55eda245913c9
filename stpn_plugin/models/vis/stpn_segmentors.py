"""mmtrack's video instance segmentors, with prompts for their backbone."""

from __future__ import annotations

from mmtrack.models.vis import Mask2Former, MaskTrackRCNN
from mmtrack.registry import MODELS

from ..prompting import VideoPrompting
from .min_vis import MinVIS


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
    videos, with mmtrack's ``EntireVideoBatchSampler``.

    Source: Cheng et al., "Mask2Former for Video Instance Segmentation",
    arXiv 2112.10764.
    """

    frames_at_once = True


@MODELS.register_module()
class STPNMinVIS(VideoPrompting, MinVIS):
    """MinVIS with a prompted backbone: STPN's second task.

    Source: "Spatio-temporal Prompting Network for Robust Video Feature
    Extraction", ICCV 2023, which takes MinVIS for its base; its code for this
    task was not released.
    """

    task_state = ('tracks',)
