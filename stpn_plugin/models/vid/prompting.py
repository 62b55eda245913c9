"""Giving prompts to the backbone of an unchanged image detector."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Sequence, Tuple

import torch
from torch import Tensor, nn

from ..prompts.base import Features


def check_promptable(backbone: nn.Module) -> None:
    """Raise a TypeError unless ``backbone.forward`` takes ``prompts``."""
    if 'prompts' not in inspect.signature(backbone.forward).parameters:
        raise TypeError(
            f'{type(backbone).__name__} cannot be prompted: its forward has no '
            'argument "prompts". Use a backbone that has, such as '
            'mmtrack.STPNSwinTransformer'
        )


@contextmanager
def prompted(backbone: nn.Module, prompts: Tensor) -> Iterator[None]:
    """Hand ``prompts`` to every call of ``backbone`` inside the context.

    So an image detector runs its own ``loss`` and ``predict``, which call
    ``backbone(img)``, on prompted features, whatever its type. Contexts nest,
    the innermost counts; nothing is left behind, also after an exception.

    Args:
        backbone: Module whose forward takes ``prompts``.
        prompts: Prompts (P, C) or (B, P, C).

    Example:
        >>> with prompted(detector.backbone, prompts):
        ...     losses = detector.loss(img, data_samples)
    """

    def add_prompts(
        module: nn.Module, args: Tuple, kwargs: Dict[str, Any]
    ) -> Tuple[Tuple, Dict[str, Any]]:
        return args, {**kwargs, 'prompts': prompts}

    handle = backbone.register_forward_pre_hook(add_prompts, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def join_prompts(prompts: Sequence[Features]) -> Features:
    """Join the prompts of several frames to those of a batch.

    Args:
        prompts: For each frame (1, P, C), or a mapping to such tensors.

    Returns:
        (B, P, C), or a mapping to such tensors.
    """
    first = prompts[0]
    if isinstance(first, Tensor):
        return torch.cat(list(prompts))
    return {key: torch.cat([frame[key] for frame in prompts]) for key in first}
