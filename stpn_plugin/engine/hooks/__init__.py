"""Hooks of the runner."""

from .class_check_hook import ClassCheckHook, with_class_check
from .fit_weights_hook import FitWeightsHook
from .video_visualization_hook import VideoVisualizationHook

__all__ = [
    'ClassCheckHook',
    'FitWeightsHook',
    'VideoVisualizationHook',
    'with_class_check',
]
