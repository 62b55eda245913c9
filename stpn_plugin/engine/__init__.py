"""The runner and its hooks."""

from .cpu_amp import CPUAmpOptimWrapper
from .hooks import (
    ClassCheckHook,
    FitWeightsHook,
    RunSummaryHook,
    VideoVisualizationHook,
)
from .video_runner import VideoRunner, build_runner

__all__ = [
    'CPUAmpOptimWrapper',
    'ClassCheckHook',
    'FitWeightsHook',
    'RunSummaryHook',
    'VideoRunner',
    'VideoVisualizationHook',
    'build_runner',
]
