from .frames import PadFramesToLargest, TrackRandomCrop

__all__ = ['PadFramesToLargest', 'TrackRandomCrop']
