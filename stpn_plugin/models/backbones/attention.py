"""Attention within windows that share their image's prompts, by fused kernels."""

from __future__ import annotations

from typing import Any, Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .pieces import slices


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


def padding_of(num_prompts: int, num_patches: int) -> int:
    """Keys to add to prompted windows, on a CPU.

    Its fused kernel works on eight numbers at a time, and is slow at the rest. Windows
    without prompts would have to be copied first, which takes what it brings.

    Args:
        num_prompts: Number of prompts P.
        num_patches: Number of patches of a window N.
    """
    return -(num_prompts + num_patches) % 8 if num_prompts else 0


def pad_bias(bias: Tensor, num_padding: int) -> Tensor:
    """Let added keys, before all others, get no attention.

    Args:
        bias: (K, heads, L, L).
        num_padding: Number of keys that are added.

    Returns:
        Tensor of shape (K, heads, L, num_padding + L).
    """
    return F.pad(bias, (num_padding, 0), value=float('-inf')) if num_padding else bias


def split_heads(
    shared: Tensor | None, qkv: Tensor, num_heads: int, num_padding: int = 0
) -> Tensor:
    """Put what is shared in front of each window, and tell queries, keys and values.

    Args:
        shared: Projected prompts (B, P, 3C), or None.
        qkv: Projected windows (B, nW, N, 3C).
        num_heads: Number of heads.
        num_padding: Number of zeros in front of the prompts.

    Returns:
        Tensor of shape (3, B * nW, heads, num_padding + P + N, C / heads).
    """
    if shared is not None:
        shared = F.pad(shared, (0, 0, num_padding, 0)) if num_padding else shared
        shared = shared.unsqueeze(1).expand(-1, qkv.shape[1], -1, -1)
        qkv = torch.cat((shared, qkv), dim=2)
    qkv = qkv.flatten(0, 1).unflatten(-1, (3, num_heads, -1))
    return qkv.permute(2, 0, 3, 1, 4)


def prompts_and_windows(
    tokens: Tensor, num_prompts: int, length: int
) -> tuple[Tensor | None, Tensor]:
    """Tell prompts from the windows after them.

    Args:
        tokens: (B, P + nW * N, C).
        num_prompts: Number of prompts P.
        length: Number of patches of a window N.

    Returns:
        Views of prompts (B, P, C), or None if there are none, and windows
        (B, nW, N, C).
    """
    # Not two slices: each of their gradients would be as large as all tokens.
    sizes = (num_prompts, tokens.shape[1] - num_prompts)
    prompts, windows = tokens.split(sizes, dim=1)
    return (prompts if num_prompts else None), windows.unflatten(1, (-1, length))


def merge_heads(x: Tensor, batch_size: int) -> Tensor:
    """Turn (B * nW, heads, L, D) into (B, nW, L, heads * D)."""
    return x.transpose(1, 2).flatten(2).unflatten(0, (batch_size, -1))


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
        qkv: Queries, keys and values, (3, B, heads, L, D). The first keys may be
            padding, of which there are no queries.
        bias: What is added to the scores in K kinds of windows,
            (K, heads, L, L), or less rows where there is padding.
        kinds: The kind of each window, (B,), or None if all are of one.
        scale: Factor on the queries.
        dropout: Acts on the weights.
        fused: Whether the fused kernel may be used.

    Returns:
        Tensor of shape (B, heads, L, D), without padding.
    """
    bias = bias.to(qkv.dtype)
    if fused and dropout is None and hasattr(F, 'scaled_dot_product_attention'):
        return _fused_attention(qkv, bias, kinds, scale)
    q, k, v = _without_padding(qkv, bias)
    weights = attention_weights(q * scale, k, _pick(bias, kinds))
    if dropout is not None:
        weights = dropout(weights)
    return weights @ v


def _without_padding(qkv: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values, of :func:`attend`'s, without padding's queries."""
    q, k, v = qkv.unbind(0)
    return q[:, :, bias.shape[3] - bias.shape[2] :], k, v


def _pick(bias: Tensor, kinds: Tensor | None) -> Tensor:
    """The bias of each window."""
    return bias if kinds is None else bias[kinds]


def _fused_attention(
    qkv: Tensor, bias: Tensor, kinds: Tensor | None, scale: float
) -> Tensor:
    """Arguments and result as for :func:`attend`."""
    q, k, v = _without_padding(qkv, bias)
    default = q.shape[-1] ** -0.5  # torch 2.0 has no other
    if abs(scale / default - 1) > 1e-9:
        q = q * (scale / default)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=_pick(bias, kinds))


def attend_in_training(
    qkv: Tensor, num_prompts: int, bias: Tensor, kinds: Tensor | None, scale: float
) -> Tensor:
    """Fused attention that trains its bias, which the kernel for CPUs cannot.

    A few windows at a time, forward and backward, so that prompts are joined with few
    windows at once. Only what comes in is kept for the backward pass, which computes
    the weights again: they are the largest tensors of a Swin.

    Args:
        qkv: Projected prompts of each image, and its windows of N patches one after
            another, (B, P + nW * N, 3C).
        num_prompts: Number of prompts P.
        bias: That of K kinds of windows, (K, heads, P + N, P + N).
        kinds: The kind of each window, (nW,), or None if all are of one.
        scale: Factor on the queries.

    Returns:
        What prompts become, the mean over the windows, and what windows do,
        (B, P + nW * N, C).
    """
    return _TrainedAttention.apply(qkv, num_prompts, bias.to(qkv.dtype), kinds, scale)


class _TrainedAttention(torch.autograd.Function):
    """Arguments and result as for :func:`attend_in_training`."""

    @staticmethod
    def forward(
        ctx: Any,
        qkv: Tensor,
        num_prompts: int,
        bias: Tensor,
        kinds: Tensor | None,
        scale: float,
    ) -> Tensor:
        ctx.save_for_backward(qkv, bias, kinds)
        ctx.num_prompts, ctx.scale = num_prompts, scale
        # A bias that wants a gradient keeps torch from its fused kernel.
        bias = bias.detach()
        sizes = num_prompts, bias.shape[3] - num_prompts
        num_padding = padding_of(*sizes)
        padded = pad_bias(bias, num_padding)
        out = qkv.new_empty(*qkv.shape[:2], qkv.shape[2] // 3)
        shared, windows = prompts_and_windows(qkv, *sizes)
        mean, out_windows = prompts_and_windows(out, *sizes)
        if mean is not None:
            mean.zero_()
        for part in _pieces(windows, bias):
            joined = split_heads(shared, windows[:, part], bias.shape[1], num_padding)
            kind = _kinds_of(part, kinds, len(qkv))
            attended = _fused_attention(joined, padded, kind, scale)
            attended = merge_heads(attended, len(qkv))
            out_windows[:, part] = attended[:, :, num_prompts:]
            if mean is not None:
                mean += attended[:, :, :num_prompts].sum(dim=1)
        if mean is not None:
            mean /= windows.shape[1]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple:
        qkv, bias, kinds = ctx.saved_tensors
        num_heads, num_prompts = bias.shape[1], ctx.num_prompts
        sizes = num_prompts, bias.shape[3] - num_prompts
        grad_qkv, grad_bias = torch.empty_like(qkv), torch.zeros_like(bias)
        shared, windows = prompts_and_windows(qkv, *sizes)
        grad_mean, grad_out = prompts_and_windows(grad, *sizes)
        grad_shared, grad_windows = prompts_and_windows(grad_qkv, *sizes)
        if grad_mean is not None and grad_shared is not None:
            grad_mean = grad_mean / windows.shape[1]
            grad_shared.zero_()
        for part in _pieces(windows, bias):
            q, k, v = joined = _to_heads(shared, windows[:, part], 3, num_heads)
            q *= ctx.scale
            (grads,) = _to_heads(grad_mean, grad_out[:, part], 1, num_heads)
            kind = _kinds_of(part, kinds, len(qkv))
            weights = attention_weights(q, k, _pick(bias, kind))
            grad_scores = torch.ops.aten._softmax_backward_data(
                grads @ v.transpose(-2, -1), weights, -1, weights.dtype
            )
            if kind is None:
                grad_bias += grad_scores.sum(dim=0, keepdim=True)
            else:
                grad_bias.index_add_(0, kind, grad_scores)
            grad_q = (grad_scores @ k).mul_(ctx.scale)
            torch.matmul(grad_scores.transpose(-2, -1), q, out=k)
            torch.matmul(weights.transpose(-2, -1), grads, out=v)
            q.copy_(grad_q)
            _add_from_heads(joined, grad_shared, grad_windows[:, part])
        return grad_qkv, None, grad_bias, None, None


def _to_heads(
    shared: Tensor | None, windows: Tensor, parts: int, num_heads: int
) -> Tensor:
    """Put what is shared in front of each window, laid out for matrix products.

    Args:
        shared: (B, P, parts * C), or None.
        windows: (B, n, N, parts * C).
        parts: How many tensors lie side by side, such as queries, keys and values.
        num_heads: Number of heads.

    Returns:
        New tensor of shape (parts, B * n, heads, P + N, C / heads).
    """
    num_prompts = 0 if shared is None else shared.shape[1]
    views = windows.unflatten(-1, (parts, num_heads, -1)).permute(3, 0, 1, 4, 2, 5)
    *outer, length, dims = views.shape
    joined = windows.new_empty(*outer, num_prompts + length, dims)
    joined[..., num_prompts:, :] = views
    if shared is not None:
        prompts = shared.unflatten(-1, (parts, num_heads, -1)).permute(2, 0, 3, 1, 4)
        joined[..., :num_prompts, :] = prompts.unsqueeze(2)
    return joined.flatten(1, 2)


def _add_from_heads(joined: Tensor, shared: Tensor | None, windows: Tensor) -> None:
    """Undo :func:`_to_heads`: fill ``windows``, and add to ``shared``, in place."""
    parts, _, num_heads, _, dims = joined.shape
    joined = joined.unflatten(1, windows.shape[:2])
    num_prompts = 0 if shared is None else shared.shape[1]
    views = windows.unflatten(-1, (parts, num_heads, dims))
    views.copy_(joined[..., num_prompts:, :].permute(1, 2, 4, 0, 3, 5))
    if shared is not None:
        of_prompts = joined[..., :num_prompts, :].sum(dim=2).permute(1, 3, 0, 2, 4)
        shared.unflatten(-1, (parts, num_heads, dims)).add_(of_prompts)


def _pieces(qkv: Tensor, bias: Tensor) -> list[slice]:
    """Slices of the windows (B, nW, N, 3C) that fit in the cache."""
    return slices(qkv.shape[1], qkv.shape[0] * bias[0].numel())


def _kinds_of(part: slice, kinds: Tensor | None, batch_size: int) -> Tensor | None:
    """Kinds of some windows of each image, image by image."""
    return None if kinds is None else kinds[part].repeat(batch_size)
