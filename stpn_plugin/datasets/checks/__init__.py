"""Faults of data sets, told before they do harm, and mended.

=================== ==================================================================
:mod:`.faults`      what a fault is, and how several are told
:mod:`.annotations` faults of an annotation file that data sets refuse; cheap, so that
                    they look for them whenever they load one
:mod:`.oddities`    what they cope with and nobody means, such as a box twice
:mod:`.masks`       faults of a segmentation
:mod:`.images`      faults of the image files
:mod:`.cleaning`    a copy of an annotation file without its faults
=================== ==================================================================
"""

from .annotations import check_annotations, find_faults
from .cleaning import Cleaned, clean
from .faults import AnnotationError, Fault, FaultKind
from .images import find_image_faults
from .oddities import find_oddities

__all__ = [
    'AnnotationError',
    'Cleaned',
    'Fault',
    'FaultKind',
    'check_annotations',
    'clean',
    'find_faults',
    'find_image_faults',
    'find_oddities',
]
