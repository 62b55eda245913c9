"""What the command line tools share: arguments, evaluators, hooks, the runner."""

from ..builders import load_config
from .class_check_hook import ClassCheckHook
from .evaluators import EVALUATOR_OF, select_evaluators
from .hooks import VideoVisualizationHook
from .launch import (
    add_common_arguments,
    build_runner,
    prepare_test_cfg,
    prepare_train_cfg,
)
from .video_runner import VideoRunner
from .weights_hook import FitWeightsHook

__all__ = [
    'ClassCheckHook',
    'EVALUATOR_OF',
    'FitWeightsHook',
    'VideoRunner',
    'VideoVisualizationHook',
    'add_common_arguments',
    'build_runner',
    'load_config',
    'prepare_test_cfg',
    'prepare_train_cfg',
    'select_evaluators',
]
