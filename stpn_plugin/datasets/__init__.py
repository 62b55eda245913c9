from . import transforms
from .checks import AnnotationError, check_annotations, find_faults
from .collate import collate_frames
from .image_files import ImageError
from .samples import SampleError, SkipBadSamples
from .video_datasets import STPNImagenetVIDDataset, STPNVideoDataset, SupportSampling
from .video_frames import (
    VIDEO_SUFFIXES,
    VideoFrame,
    VideoFrameReader,
    VideoFrames,
    as_video_frame,
)

__all__ = [
    'AnnotationError',
    'ImageError',
    'STPNImagenetVIDDataset',
    'STPNVideoDataset',
    'SampleError',
    'SkipBadSamples',
    'SupportSampling',
    'VIDEO_SUFFIXES',
    'VideoFrame',
    'VideoFrameReader',
    'VideoFrames',
    'as_video_frame',
    'check_annotations',
    'collate_frames',
    'find_faults',
    'transforms',
]
