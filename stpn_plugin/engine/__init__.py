"""The runner and its hooks."""

from .hooks import (
    ClassCheckHook,
    FitWeightsHook,
    RunSummaryHook,
    VideoVisualizationHook,
)
from .video_runner import VideoRunner, build_runner

__all__ = [
    'ClassCheckHook',
    'FitWeightsHook',
    'RunSummaryHook',
    'VideoRunner',
    'VideoVisualizationHook',
    'build_runner',
]
