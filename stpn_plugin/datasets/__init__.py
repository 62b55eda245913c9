from . import transforms
from .checks import AnnotationError, check_annotations, find_faults
from .collate import collate_frames
from .video_datasets import STPNImagenetVIDDataset, STPNVideoDataset, SupportSampling

__all__ = [
    'AnnotationError',
    'STPNImagenetVIDDataset',
    'STPNVideoDataset',
    'SupportSampling',
    'check_annotations',
    'collate_frames',
    'find_faults',
    'transforms',
]
