"""Hooks of the runner."""

from .class_check_hook import ClassCheckHook, with_class_check
from .compile_hook import CompileHook
from .fit_weights_hook import FitWeightsHook
from .follow_launcher_hook import FollowLauncherHook
from .non_finite_loss_hook import NonFiniteLossError, NonFiniteLossHook
from .resumable_checkpoint_hook import ResumableCheckpointHook
from .run_summary_hook import RunSummaryHook
from .video_visualization_hook import VideoVisualizationHook

__all__ = [
    'ClassCheckHook',
    'CompileHook',
    'FitWeightsHook',
    'FollowLauncherHook',
    'NonFiniteLossError',
    'NonFiniteLossHook',
    'ResumableCheckpointHook',
    'RunSummaryHook',
    'VideoVisualizationHook',
    'with_class_check',
]
