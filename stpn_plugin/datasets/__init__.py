from . import transforms
from .checks import AnnotationError, check_annotations, find_faults
from .collate import collate_frames

__all__ = [
    'AnnotationError',
    'check_annotations',
    'collate_frames',
    'find_faults',
    'transforms',
]
