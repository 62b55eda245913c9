from .frames import PadFramesToLargest, TrackRandomCrop
from .support import DrawReferenceFrames, PackPromptedInputs

__all__ = [
    'DrawReferenceFrames',
    'PackPromptedInputs',
    'PadFramesToLargest',
    'TrackRandomCrop',
]
