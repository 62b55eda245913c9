"""Prompting of any video model of mmtrack, whatever its task."""

from .prompted import prompted
from .support_memory import SupportMemory
from .support_policies import GivenSupport, PastSupport, SupportFrames, SupportPolicy
from .video_prompting import VideoPrompting

__all__ = [
    'GivenSupport',
    'PastSupport',
    'SupportFrames',
    'SupportMemory',
    'SupportPolicy',
    'VideoPrompting',
    'prompted',
]
