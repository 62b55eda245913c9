"""Inference on videos."""

from .result_writers import (
    CocoWriter,
    CsvWriter,
    DetectionDrawer,
    FrameWriter,
    MotWriter,
    ResultWriter,
    VideoWriter,
    found_objects,
    select_detections,
)
from .video_detector import VideoDetector, VideoStream
from .video_io import LiveVideo, VideoError, VideoFile, open_video
from .video_result import VideoResult

__all__ = [
    'CocoWriter',
    'CsvWriter',
    'DetectionDrawer',
    'FrameWriter',
    'LiveVideo',
    'MotWriter',
    'ResultWriter',
    'VideoDetector',
    'VideoError',
    'VideoFile',
    'VideoResult',
    'VideoStream',
    'VideoWriter',
    'found_objects',
    'open_video',
    'select_detections',
]
