from .frames import FillSupportFrames, PadFramesToLargest, TrackRandomCrop

__all__ = ['FillSupportFrames', 'PadFramesToLargest', 'TrackRandomCrop']
