"""Hooks of the runner."""

from .class_check_hook import ClassCheckHook, with_class_check
from .fit_weights_hook import FitWeightsHook
from .run_summary_hook import RunSummaryHook
from .video_visualization_hook import VideoVisualizationHook

__all__ = [
    'ClassCheckHook',
    'FitWeightsHook',
    'RunSummaryHook',
    'VideoVisualizationHook',
    'with_class_check',
]
