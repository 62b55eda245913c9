"""The runner that trains and tests."""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmtrack.utils import register_all_modules
from torch import nn

from ..evaluation import VideoEvaluator, as_list
from .console import quiet_console, tell_of_full_log
from .hooks import (
    FitWeightsHook,
    FollowLauncherHook,
    NonFiniteLossHook,
    ResumableCheckpointHook,
    RunSummaryHook,
    with_class_check,
)


@RUNNERS.register_module()
class VideoRunner(Runner):
    """mmengine's runner for videos.

    It has :class:`VideoEvaluator` in the place of ``Evaluator``, and a console without
    what only the log file needs.
    """

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build a logger whose console leaves out what only its file needs.

        Args:
            args: As for mmengine's runner.
            kwargs: As for mmengine's runner.

        Returns:
            The logger.
        """
        logger = super().build_logger(*args, **kwargs)
        quiet_console(logger)
        tell_of_full_log(logger)
        return logger

    def train(self) -> nn.Module:
        """Train, and leave the process's handling of signals as it was.

        Returns:
            The model.
        """
        try:
            return super().train()
        finally:
            for hook in self.hooks:
                if isinstance(hook, ResumableCheckpointHook):
                    hook.signals.release()

    def build_evaluator(self, evaluator: dict | list | Evaluator) -> Evaluator:
        """Build an evaluator.

        Args:
            evaluator: As for mmengine's runner. A dict with a ``type`` of its own and
                ``metrics`` stays what it is.

        Returns:
            The evaluator.
        """
        if isinstance(evaluator, Evaluator) or (
            isinstance(evaluator, dict) and {'type', 'metrics'} <= evaluator.keys()
        ):
            return super().build_evaluator(evaluator)
        return VideoEvaluator(as_list(evaluator))


def build_runner(cfg: Config) -> Runner:
    """Build the runner that a config asks for.

    Args:
        cfg: A complete config.

    Returns:
        The runner, with its distributed environment set up.
    """
    register_all_modules(init_default_scope=False)
    cfg.custom_hooks = with_class_check(cfg.get('custom_hooks'))
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    if checkpoint.get('type') == 'CheckpointHook':  # a config of another package
        checkpoint['type'] = 'mmtrack.ResumableCheckpointHook'
    if 'runner_type' in cfg:
        runner = RUNNERS.build(cfg)
    else:
        runner = VideoRunner.from_cfg(cfg)
    for kind in (FitWeightsHook, NonFiniteLossHook, FollowLauncherHook):
        if not any(isinstance(hook, kind) for hook in runner.hooks):
            runner.register_hook(kind())  # a config of another package
    runner.register_hook(RunSummaryHook())
    return runner
