"""What the command line tools share: arguments, evaluators, hooks, the runner."""

from .class_check_hook import ClassCheckHook
from .evaluators import EVALUATOR_OF, select_evaluators
from .hooks import VideoVisualizationHook
from .launch import (
    add_common_arguments,
    build_runner,
    check_checkpoint,
    load_config,
    prepare_test_cfg,
    prepare_train_cfg,
)

__all__ = [
    'ClassCheckHook',
    'EVALUATOR_OF',
    'VideoVisualizationHook',
    'add_common_arguments',
    'build_runner',
    'check_checkpoint',
    'load_config',
    'prepare_test_cfg',
    'prepare_train_cfg',
    'select_evaluators',
]
