"""Giving prompts to the backbone of an unchanged image detector."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, Sequence

import torch
from torch import Tensor, nn

from ..prompts.base import Features


@contextmanager
def prompted(backbone: nn.Module, prompts: Features) -> Iterator[None]:
    """Hand ``prompts`` to every call of ``backbone`` inside the context.

    So an image detector runs its own ``loss`` and ``predict``, which call
    ``backbone(img)``, on prompted features, whatever its type. Contexts nest,
    the innermost counts; nothing is left behind, also after an exception.

    Where a call brings several images for each of the B prompts, as the T
    frames of clips that lie one after another (B * T, 3, H, W), all frames of
    a clip get its prompts.

    Args:
        backbone: Module whose forward takes ``prompts``.
        prompts: Prompts (P, C) or (B, P, C), or a mapping to such tensors.

    Examples:
        >>> from stpn_plugin.models.backbones import STPNSwinTransformer
        >>> backbone = STPNSwinTransformer(arch='tiny').eval()
        >>> images, prompts = torch.rand(2, 3, 64, 96), torch.rand(5, 96)
        >>> with prompted(backbone, prompts):  # a detector knows of images alone
        ...     feats = backbone(images)
        >>> torch.equal(feats[0], backbone(images, prompts)[0])
        True
    """

    def add_prompts(
        module: nn.Module, args: tuple, kwargs: dict[str, Any]
    ) -> tuple[tuple, dict[str, Any]]:
        images = args[0] if args else kwargs['x']
        return args, {**kwargs, 'prompts': _for_clips(prompts, len(images))}

    handle = backbone.register_forward_pre_hook(add_prompts, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _for_clips(prompts: Features, num_images: int) -> Features:
    if not isinstance(prompts, Tensor):
        return {key: _for_clips(value, num_images) for key, value in prompts.items()}
    if prompts.dim() != 3 or num_images % len(prompts):
        return prompts  # shared by all, or the backbone says what is wrong
    return prompts.repeat_interleave(num_images // len(prompts), dim=0)


def concatenate(parts: Sequence[Features]) -> Features:
    """Join features or prompts in their first dimension.

    Args:
        parts: Tensors (N, ...), or mappings to such.

    Returns:
        Tensor (sum of N, ...), or a mapping to such.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, Tensor):
        return torch.cat(list(parts))
    return {key: torch.cat([part[key] for part in parts]) for key in first}
