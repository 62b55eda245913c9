"""Video instance segmentation of mmtrack around a prompted backbone."""

from .min_vis import MinVIS, MinVISHead
from .stpn_segmentors import STPNMask2Former, STPNMaskTrackRCNN, STPNMinVIS

__all__ = [
    'MinVIS',
    'MinVISHead',
    'STPNMask2Former',
    'STPNMaskTrackRCNN',
    'STPNMinVIS',
]
