"""Scaled dot-product attention, and how its memory is kept small."""

from __future__ import annotations

from typing import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

PIECE = 2**20
"""Numbers in the largest intermediate result of a piece, see :func:`pieces`: what
fits in the cache of a core, and far below the size from which the C library fetches
memory from the system anew at each allocation."""


def attention_weights(q: Tensor, k: Tensor, bias: Tensor | None = None) -> Tensor:
    """Explicit attention: what each query pays to each key.

    Args:
        q: Scaled queries (..., L, D).
        k: Keys (..., S, D).
        bias: What is added to the scores, to be broadcast to (..., L, S).

    Returns:
        Weights (..., L, S); their sum over S is 1.
    """
    scores = q @ k.transpose(-2, -1)
    if bias is not None:
        scores = scores + bias.to(scores.dtype)
    return scores.softmax(dim=-1)


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None,
    scale: float,
    dropout: Callable[[Tensor], Tensor] | None = None,
    fused: bool = True,
) -> Tensor:
    """Attention, by torch's fused kernel where that is the better one.

    It is not in torch < 2.0. It is not used either where weights are dropped,
    so that the random numbers are those of the explicit form, nor on CPUs to
    train a bias, for which their kernel has no gradient.

    Args:
        q: Queries (B, heads, L, D).
        k: Keys (B, heads, S, D).
        v: Values (B, heads, S, D).
        bias: What is added to the scores, (1 or B, heads, L, S), or None.
        scale: Factor on the queries.
        dropout: Acts on the weights.
        fused: Whether the fused kernel may be used.

    Returns:
        Tensor of shape (B, heads, L, D).
    """
    trains_bias = bias is not None and bias.requires_grad and not q.is_cuda
    if (
        fused
        and dropout is None
        and not trains_bias
        and hasattr(F, 'scaled_dot_product_attention')
    ):
        # All sdpa has for a scale, in torch 2.0, is its default.
        q = q * (scale * q.shape[-1] ** 0.5)
        bias = bias if bias is None else bias.to(q.dtype)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    weights = attention_weights(q * scale, k, bias)
    if dropout is not None:
        weights = dropout(weights)
    return weights @ v


def pieces(x: Tensor, width: int) -> list[slice]:
    """How to cut a tensor for layers that act on each of its rows alone.

    In inference on CPUs a few rows at a time are faster, and need less memory:
    intermediate results, several times as wide as the input, stay in the
    cache. Elsewhere all rows are taken at once.

    Args:
        x: (B, L, ...).
        width: Numbers that the largest intermediate result holds for a row of
            an image.

    Returns:
        Slices of the L rows.
    """
    if x.device.type != 'cpu' or torch.is_grad_enabled() or is_traced():
        return [slice(None)]
    rows = max(1, PIECE // (x.shape[0] * width))
    return [slice(start, start + rows) for start in range(0, x.shape[1], rows)]


def join(parts: list[Tensor]) -> Tensor:
    """Put what became of :func:`pieces` together again, along the rows."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def is_traced() -> bool:
    """Whether torch.compile, export or a jit trace records what is done."""
    compiler = getattr(torch, 'compiler', None)
    is_compiling = getattr(compiler, 'is_compiling', None)
    if is_compiling is not None and is_compiling():
        return True
    return torch.jit.is_tracing()
