"""Hook that compiles parts of a model."""

from __future__ import annotations

from typing import Any, Sequence

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmtrack.registry import HOOKS
from torch import nn


@HOOKS.register_module()
class CompileHook(Hook):
    """Compile the backbone and the prompt predictor, with ``torch.compile``.

    Just these: they are most of the work and make one graph each. mmengine's own
    ``compile`` takes a whole step, with assigners, samplers and NMS, whose shapes
    change from image to image.

    Weights, their names and what ``prompted`` does stay as they are. torch makes a
    graph for the first size of images, and at the second one for all sizes;
    ``dynamic=True`` makes that one at once. Support frames, which have no gradient,
    have graphs of their own, and so do training and testing.

    Args:
        modules: Dotted names of the parts. Defaults to the backbone of the model or its
            detector, and ``prompt_predictor`` if there is one.
        **options: Those of ``torch.compile``, such as ``dynamic`` and ``backend``.

    Example:
        >>> custom_hooks = [dict(type='CompileHook', dynamic=True)]
    """

    priority = 'VERY_LOW'  # copies of the model, such as averaged weights, are made

    def __init__(self, modules: Sequence[str] | None = None, **options: Any) -> None:
        self.modules = modules
        self.options = options

    def before_train(self, runner: Runner) -> None:
        """Compile before training."""
        self._compile(runner)

    def before_val(self, runner: Runner) -> None:
        """Compile before validation, unless training has."""
        self._compile(runner)

    def before_test(self, runner: Runner) -> None:
        """Compile before testing."""
        self._compile(runner)

    def _compile(self, runner: Runner) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not hasattr(torch, 'compile'):
            raise ValueError(
                f'CompileHook needs torch >= 2.0, this is {torch.__version__}: take it '
                'out of custom_hooks'
            )
        for name in self.modules or _parts(model):
            part = _part(model, name)
            # Their `forward`, not their call: hooks, through which prompts enter, are
            # run each time.
            if 'forward' not in vars(part):
                part.forward = torch.compile(part.forward, **self.options)


def _parts(model: nn.Module) -> list[str]:
    """Names of the backbone and, if there is one, the prompt predictor."""
    names = ['detector.backbone' if hasattr(model, 'detector') else 'backbone']
    if hasattr(model, 'prompt_predictor'):
        names.append('prompt_predictor')
    return names


def _part(model: nn.Module, name: str) -> nn.Module:
    try:
        return model.get_submodule(name)
    except AttributeError as error:
        raise ValueError(
            f'CompileHook: {type(model).__name__} has no module {name!r}; set modules '
            'of the hook'
        ) from error
