"""The MLP of transformer blocks, trained a few tokens at a time."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.transformer import FFN
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .pieces import is_autocast, slices, trains_in_pieces


class TokenMLP(nn.Module):
    """An MLP that acts on each token alone, without the residual path.

    In training on a CPU it keeps of its hidden layer what comes before the
    activation only, and computes the rest again.

    Args:
        ffn: The built mmcv layer whose parameters are adopted.
    """

    def __init__(self, ffn: FFN) -> None:
        super().__init__()
        self.layers = ffn.layers
        self.dropout_layer = ffn.dropout_layer

    @property
    def hidden_dims(self) -> int:
        """Width of the hidden layer."""
        return self.layers[0][0].out_features

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, L, C) in, the same shape out."""
        return self.dropout_layer(self.mix(tokens))

    def mix(self, tokens: Tensor) -> Tensor:
        """The same without stochastic depth."""
        if trains_in_pieces(tokens) and not is_autocast(tokens) and self._is_plain():
            first, second = self.layers[0][0], self.layers[1]
            return _TrainedMLP.apply(
                tokens, first.weight, first.bias, second.weight, second.bias
            )
        return self.layers(tokens)

    def _is_plain(self) -> bool:
        """Whether it is linear, GELU, linear, and drops nothing."""
        (first, act, *drops), second, *more = self.layers
        exact = isinstance(act, nn.GELU) and getattr(act, 'approximate', '') != 'tanh'
        return exact and all(
            drop.p == 0 or not drop.training for drop in (*drops, *more)
        )


class _TrainedMLP(torch.autograd.Function):
    """Linear, GELU, linear, on tokens (..., C)."""

    @staticmethod
    def forward(
        ctx: Any, tokens: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor
    ) -> Tensor:
        rows = tokens.flatten(0, -2)
        hidden = rows.new_empty(len(rows), len(w1))
        out = rows.new_empty(len(rows), len(w2))
        for part in slices(*hidden.shape):
            torch.addmm(b1, rows[part], w1.t(), out=hidden[part])
            torch.addmm(b2, F.gelu(hidden[part]), w2.t(), out=out[part])
        ctx.save_for_backward(tokens, hidden, w1, w2)
        return out.view(tokens.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        tokens, hidden, w1, w2 = ctx.saved_tensors
        rows, grad = tokens.flatten(0, -2), grad.flatten(0, -2)
        grad_rows = torch.empty_like(rows)
        grad_w1, grad_w2 = torch.zeros_like(w1), torch.zeros_like(w2)
        grad_b1, grad_b2 = w1.new_zeros(len(w1)), grad.sum(dim=0)
        for part in slices(*hidden.shape):
            grad_w2.addmm_(grad[part].t(), F.gelu(hidden[part]))
            grad_hidden = torch.ops.aten.gelu_backward(grad[part] @ w2, hidden[part])
            grad_w1.addmm_(grad_hidden.t(), rows[part])
            grad_b1 += grad_hidden.sum(dim=0)
            torch.mm(grad_hidden, w1, out=grad_rows[part])
        return grad_rows.view(tokens.shape), grad_w1, grad_b1, grad_w2, grad_b2
