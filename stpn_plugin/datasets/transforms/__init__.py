from .frames import PadFramesToLargest, TrackRandomCrop
from .loading import LoadFrameFromVideo
from .support import DrawReferenceFrames, PackPromptedInputs

__all__ = [
    'DrawReferenceFrames',
    'LoadFrameFromVideo',
    'PackPromptedInputs',
    'PadFramesToLargest',
    'TrackRandomCrop',
]
