"""Inference on videos."""

from .pretrained import TINY_MODEL, find_model
from .result_window import ResultWindow, check_windows
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
from .video_detector import VideoDetector
from .video_io import LiveVideo, VideoError, VideoFile, open_video
from .video_result import VideoResult
from .video_stream import VideoStream

__all__ = [
    'CocoWriter',
    'CsvWriter',
    'DetectionDrawer',
    'FrameWriter',
    'LiveVideo',
    'MotWriter',
    'ResultWindow',
    'ResultWriter',
    'TINY_MODEL',
    'VideoDetector',
    'VideoError',
    'VideoFile',
    'VideoResult',
    'VideoStream',
    'VideoWriter',
    'check_windows',
    'find_model',
    'found_objects',
    'open_video',
    'select_detections',
]
