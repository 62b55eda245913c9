"""Inference on videos."""

from .video_detector import VideoDetector, VideoStream
from .video_io import LiveVideo, VideoError, VideoFile, open_video

__all__ = [
    'LiveVideo',
    'VideoDetector',
    'VideoError',
    'VideoFile',
    'VideoStream',
    'open_video',
]
