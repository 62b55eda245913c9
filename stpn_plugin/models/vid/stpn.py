"""STPN: a video object detector around any promptable image detector."""

from __future__ import annotations

from mmtrack.registry import MODELS

from ..prompting import VideoPrompting
from .single_frame import SingleFrameDetector


@MODELS.register_module()
class STPN(VideoPrompting, SingleFrameDetector):
    """Spatio-Temporal Prompting Network.

    An image detector that is run on every frame of a video, with a prompted
    backbone. See :class:`VideoPrompting` for what prompting does, and
    :class:`SingleFrameDetector` for the rest.

    Source: "Spatio-temporal Prompting Network for Robust Video Feature
    Extraction", ICCV 2023.

    Args:
        *args: Those of :class:`SingleFrameDetector`.
        prompt_predictor: Config of the :class:`PromptSource`. Its parameters are named
            ``prompt_predictor.*``.
        **kwargs: Those of :class:`VideoPrompting`, such as ``support``, and of
            :class:`SingleFrameDetector`: ``detector`` is the config of any mmdet
            detector whose backbone takes prompts. Its parameters are named
            ``detector.*``.

    Raises:
        TypeError: The detector's backbone does not take prompts.
    """

    frames_at_once = True
