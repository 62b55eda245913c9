"""The runner and its hooks."""

from .checkpoints import check_resumable, checkpoint_dir, find_checkpoint
from .console import quiet_console
from .cpu_amp import CPUAmpOptimWrapper
from .hooks import (
    ClassCheckHook,
    CompileHook,
    FitWeightsHook,
    FollowLauncherHook,
    NonFiniteLossError,
    NonFiniteLossHook,
    ResumableCheckpointHook,
    RunSummaryHook,
    VideoVisualizationHook,
)
from .video_runner import VideoRunner, build_runner

__all__ = [
    'CPUAmpOptimWrapper',
    'ClassCheckHook',
    'CompileHook',
    'FitWeightsHook',
    'FollowLauncherHook',
    'NonFiniteLossError',
    'NonFiniteLossHook',
    'ResumableCheckpointHook',
    'RunSummaryHook',
    'VideoRunner',
    'VideoVisualizationHook',
    'build_runner',
    'check_resumable',
    'checkpoint_dir',
    'find_checkpoint',
    'quiet_console',
]
