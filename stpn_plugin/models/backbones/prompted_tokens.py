"""Prompted tokens: the prompts of an image in front of its patch tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from .pieces import laid_out


def prepend_prompts(prompts: Tensor, patches: Tensor) -> Tensor:
    """Put prompts in front of patch tokens.

    Args:
        prompts: (P, C), shared by the batch, or (B, P, C).
        patches: (B, L, C).

    Returns:
        Tensor of shape (B, P + L, C).

    Raises:
        TypeError: ``prompts`` is not a tensor.
        ValueError: ``prompts`` does not fit ``patches`` in number of
            dimensions, channels, batch size or device.
    """
    if not isinstance(prompts, Tensor):
        raise TypeError(f'prompts must be a Tensor, got {type(prompts).__name__}')
    batch_size, _, channels = patches.shape
    if prompts.dim() not in (2, 3):
        raise ValueError(
            f'prompts must have shape (P, C) or (B, P, C), got {tuple(prompts.shape)}'
        )
    if prompts.shape[-1] != channels:
        raise ValueError(
            f'prompts have {prompts.shape[-1]} channels, but the tokens they are to '
            f'join have {channels}; check prompt_dims of the prompt predictor'
        )
    if prompts.device != patches.device:
        raise ValueError(
            f'prompts are on {prompts.device}, the images on {patches.device}'
        )
    if prompts.dim() == 3 and prompts.shape[0] != batch_size:
        raise ValueError(
            f'prompts are for {prompts.shape[0]} images, but the batch has {batch_size}'
        )
    if prompts.dim() == 2:
        prompts = prompts.expand(batch_size, -1, -1)
    return torch.cat((prompts, patches), dim=1)


def drop_prompts(tokens: Tensor, hw_shape: tuple[int, int]) -> Tensor:
    """Keep the patches of tokens (B, P + H * W, C): (B, H * W, C)."""
    h, w = hw_shape
    return laid_out(tokens[:, tokens.shape[1] - h * w :])
