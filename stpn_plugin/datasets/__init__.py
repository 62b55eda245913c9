from . import transforms
from .checks import AnnotationError, check_annotations, find_faults

__all__ = ['AnnotationError', 'check_annotations', 'find_faults', 'transforms']
