"""Scaled dot-product attention, and how its memory is kept small."""

from __future__ import annotations

import math
from typing import Any, Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

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
    qkv: Tensor,
    bias: Tensor,
    kinds: Tensor | None,
    scale: float,
    dropout: Callable[[Tensor], Tensor] | None = None,
    fused: bool = True,
) -> Tensor:
    """Attention within windows, by torch's fused kernel where that is better.

    It is not in torch < 2.0, and not used where weights are dropped, so that the
    random numbers are those of the explicit form.

    Args:
        qkv: Queries, keys and values, (3, B, heads, L, D).
        bias: What is added to the scores in K kinds of windows,
            (K, heads, L, L).
        kinds: The kind of each window, (B,), or None if all are of one.
        scale: Factor on the queries.
        dropout: Acts on the weights.
        fused: Whether the fused kernel may be used.

    Returns:
        Tensor of shape (B, heads, L, D).
    """
    bias = bias.to(qkv.dtype)
    if fused and dropout is None and hasattr(F, 'scaled_dot_product_attention'):
        if bias.requires_grad and torch.is_grad_enabled() and not qkv.is_cuda:
            return _FusedAttention.apply(qkv, bias, kinds, scale)
        return _fused_attention(qkv, bias, kinds, scale)
    q, k, v = qkv.unbind(0)
    weights = attention_weights(q * scale, k, _pick(bias, kinds))
    if dropout is not None:
        weights = dropout(weights)
    return weights @ v


def _pick(bias: Tensor, kinds: Tensor | None) -> Tensor:
    """The bias of each window."""
    return bias if kinds is None else bias[kinds]


def _fused_attention(
    qkv: Tensor, bias: Tensor, kinds: Tensor | None, scale: float
) -> Tensor:
    """Arguments and result as for :func:`attend`."""
    q, k, v = qkv.unbind(0)
    default = q.shape[-1] ** -0.5  # torch 2.0 has no other
    if not math.isclose(scale, default):
        q = q * (scale / default)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=_pick(bias, kinds))


class _FusedAttention(torch.autograd.Function):
    """Fused attention that trains its bias, which the kernel for CPUs cannot.

    Only what comes in is kept for the backward pass, which computes the weights
    again, a few windows at a time: they are the largest tensors of a Swin.
    """

    @staticmethod
    def forward(
        ctx: Any, qkv: Tensor, bias: Tensor, kinds: Tensor | None, scale: float
    ) -> Tensor:
        ctx.save_for_backward(qkv, bias, kinds)
        ctx.scale = scale
        # A bias that wants a gradient keeps torch from its fused kernel.
        return _fused_attention(qkv, bias.detach(), kinds, scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:
        qkv, bias, kinds = ctx.saved_tensors
        _, count, heads, length, dims = qkv.shape
        # Laid out as what the projection gave: (B, L, 3, heads, D).
        grad_qkv = qkv.new_empty(count, length, 3, heads, dims).permute(2, 0, 3, 1, 4)
        grad_bias = torch.zeros_like(bias)
        windows = max(1, PIECE // bias[0].numel())
        for start in range(0, count, windows):
            part = slice(start, start + windows)
            kind = None if kinds is None else kinds[part]
            q, k, v = qkv[:, part].unbind(0)
            q = q * ctx.scale
            weights = attention_weights(q, k, _pick(bias, kind))
            grad_qkv[2, part] = weights.transpose(-2, -1) @ grad[part]
            grad_scores = grad[part] @ v.transpose(-2, -1)
            grad_scores -= (grad_scores * weights).sum(dim=-1, keepdim=True)
            grad_scores *= weights
            if kind is None:
                grad_bias += grad_scores.sum(dim=0, keepdim=True)
            else:
                grad_bias.index_add_(0, kind, grad_scores)
            grad_qkv[0, part] = (grad_scores @ k).mul_(ctx.scale)
            grad_qkv[1, part] = grad_scores.transpose(-2, -1) @ q
        return grad_qkv, grad_bias, None, None


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
