"""Focal losses over sigmoid and softmax."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .common import common_float


def _class_weight(weight: Tensor, target: Tensor) -> Tensor:
    """Weight (N,) of each target; 1 for background and ignored ones.

    The compiled operators read beyond the end of ``weight`` there.
    """
    known = (target >= 0) & (target < len(weight))
    chosen = weight[target.where(known, target.new_zeros(()))]
    return chosen.where(known, chosen.new_ones(()))


def _is_target(logits: Tensor, target: Tensor) -> Tensor:
    """Whether each of the logits (N, C) is that of its row's target (N,)."""
    return target[:, None] == torch.arange(logits.size(1), device=target.device)


def sigmoid_focal_loss_forward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    output: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Focal loss of each logit, every class a yes-or-no question.

    Args:
        input: Logits (N, C).
        target: (N,) int64; a value outside [0, C) is no class at all.
        weight: (C,), or empty for none.
        output: (N, C), written.
        gamma: Exponent.
        alpha: Weight of positives; negatives have 1 - alpha.
    """
    (x,) = common_float(input)
    p, q = x.sigmoid(), (-x).sigmoid()
    loss = torch.where(
        _is_target(x, target),
        -alpha * q.pow(gamma) * F.logsigmoid(x),
        (alpha - 1) * p.pow(gamma) * F.logsigmoid(-x),
    )
    if len(weight):
        loss = loss * _class_weight(weight, target)[:, None]
    output.copy_(loss)


def sigmoid_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Write the derivative of `sigmoid_focal_loss_forward` to ``grad_input``."""
    (x,) = common_float(input)
    p, q = x.sigmoid(), (-x).sigmoid()
    grad = torch.where(
        _is_target(x, target),
        alpha * q.pow(gamma) * (gamma * p * F.logsigmoid(x) - q),
        (alpha - 1) * p.pow(gamma) * (gamma * q * F.logsigmoid(-x) - p),
    )
    if len(weight):
        grad = grad * _class_weight(weight, target)[:, None]
    grad_input.copy_(grad)


def _softmax_target(softmax: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Probability (N,) of each target, 1 for ignored ones, and its logarithm."""
    p = softmax.gather(1, target.clamp(min=0)[:, None])[:, 0]
    p = p.masked_fill(target < 0, 1)
    return p, p.clamp(min=torch.finfo(torch.float32).tiny).log()


def softmax_focal_loss_forward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    output: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Focal loss of each row, its classes exclusive.

    Args:
        input: Probabilities (N, C).
        target: (N,) int64; negative values are ignored.
        weight: (C,), or empty for none.
        output: (N,), written; 0 for ignored targets.
        gamma: Exponent.
        alpha: Factor.
    """
    (softmax,) = common_float(input)
    p, log_p = _softmax_target(softmax, target)
    loss = -alpha * (1 - p).pow(gamma) * log_p
    if len(weight):
        loss = loss * _class_weight(weight, target)
    output.copy_(loss)


def softmax_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Write the derivative for the logits to ``grad_input`` (N, C).

    ``buff`` (N,) receives the derivative for the log-probability of each target.
    """
    (softmax,) = common_float(input)
    p, log_p = _softmax_target(softmax, target)
    # Where p is 1 so that gamma < 1 does not divide by zero; log_p is 0 there.
    q = (1 - p).clamp(min=torch.finfo(p.dtype).tiny)
    grad = alpha * (gamma * q.pow(gamma - 1) * p * log_p - (1 - p).pow(gamma))
    grad = grad.masked_fill(target < 0, 0)
    if len(weight):
        grad = grad * _class_weight(weight, target)
    buff.copy_(grad)
    grad_input.copy_(grad[:, None] * (_is_target(softmax, target).to(p) - softmax))
