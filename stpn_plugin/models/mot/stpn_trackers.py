"""mmtrack's trackers, with prompts for the backbone of their detector."""

from __future__ import annotations

from mmtrack.models.mot import ByteTrack, DeepSORT, QDTrack, StrongSORT
from mmtrack.registry import MODELS

from ..prompting import VideoPrompting


@MODELS.register_module()
class STPNByteTrack(VideoPrompting, ByteTrack):
    """ByteTrack around a prompted detector.

    Its parameters are those of :class:`STPN`: a checkpoint of a video object
    detector is one of this tracker.

    Source: Zhang et al., "ByteTrack: Multi-Object Tracking by Associating
    Every Detection Box", ECCV 2022.
    """

    task_state = ('tracker',)


@MODELS.register_module()
class STPNDeepSORT(VideoPrompting, DeepSORT):
    """DeepSORT around a prompted detector, and SORT if there is no ``reid``.

    It is for testing; train its detector as :class:`STPN`, whose checkpoints
    lack the ``reid`` model alone.

    Source: Wojke et al., "Simple Online and Realtime Tracking with a Deep
    Association Metric", ICIP 2017.
    """

    task_state = ('tracker',)


@MODELS.register_module()
class STPNStrongSORT(VideoPrompting, StrongSORT):
    """StrongSORT around a prompted detector; for testing, as DeepSORT.

    Source: Du et al., "StrongSORT: Make DeepSORT Great Again", TMM 2023.
    """

    task_state = ('tracker',)


@MODELS.register_module()
class STPNQDTrack(VideoPrompting, QDTrack):
    """QDTrack around a prompted detector.

    In training the support frames come apart from QDTrack's reference frame
    (``support_img``, see ``PackPromptedInputs``). Key and reference frame get
    the same prompts.

    Source: Pang et al., "Quasi-Dense Similarity Learning for Multiple Object
    Tracking", CVPR 2021.
    """

    task_state = ('tracker',)
