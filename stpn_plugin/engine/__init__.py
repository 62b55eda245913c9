"""The runner and its hooks."""

from .hooks import ClassCheckHook, FitWeightsHook, VideoVisualizationHook
from .video_runner import VideoRunner, build_runner

__all__ = [
    'ClassCheckHook',
    'FitWeightsHook',
    'VideoRunner',
    'VideoVisualizationHook',
    'build_runner',
]
