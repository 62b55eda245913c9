"""Multi-scale deformable attention."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .common import common_float


def _attend_level(
    value: Tensor, location: Tensor, attention: Tensor, height: int, width: int
) -> Tensor:
    """Weighted sum of the samples of one level.

    Args:
        value: (B, height * width, heads, D).
        location: (B, Q, heads, points, 2) as x, y from 0 to 1.
        attention: (B, Q, heads, points).
        height: Rows of the level.
        width: Columns of the level.

    Returns:
        (B, Q, heads, D).
    """
    batch, _, heads, dims = value.shape
    image = value.permute(0, 2, 3, 1).reshape(batch * heads, dims, height, width)
    grid = (2 * location - 1).transpose(1, 2).flatten(0, 1)
    samples = F.grid_sample(
        image, grid, mode='bilinear', padding_mode='zeros', align_corners=False
    )  # (B * heads, D, Q, points)
    factor = attention.transpose(1, 2).flatten(0, 1)[:, None]
    pooled = (samples * factor).sum(dim=-1)
    return pooled.view(batch, heads, dims, -1).permute(0, 3, 1, 2)


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Attention to a few points of each feature level.

    Args:
        value: (B, keys, heads, D), the levels one after another.
        value_spatial_shapes: (levels, 2) as height, width.
        value_level_start_index: (levels,), first key of each level.
        sampling_locations: (B, Q, heads, levels, points, 2) as x, y from 0 to 1.
        attention_weights: (B, Q, heads, levels, points).
        im2col_step: Ignored.

    Returns:
        (B, Q, heads * D) in the type of ``value``.
    """
    values, locations, attentions = common_float(
        value, sampling_locations, attention_weights
    )
    output = values.new_zeros(*locations.shape[:3], value.size(-1))
    starts = value_level_start_index.tolist()
    for level, (height, width) in enumerate(value_spatial_shapes.tolist()):
        keys = slice(starts[level], starts[level] + height * width)
        output += _attend_level(
            values[:, keys],
            locations[:, :, :, level],
            attentions[:, :, :, level],
            height,
            width,
        )
    return output.flatten(2).to(value)


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Add the gradients of `ms_deform_attn_forward`, one level after another."""
    values, locations, attentions, grad = common_float(
        value, sampling_locations, attention_weights, grad_output
    )
    grad = grad.reshape(*locations.shape[:3], value.size(-1))
    starts = value_level_start_index.tolist()
    for level, (height, width) in enumerate(value_spatial_shapes.tolist()):
        keys = slice(starts[level], starts[level] + height * width)
        value_leaf = values[:, keys].detach().requires_grad_()
        location_leaf = locations[:, :, :, level].detach().requires_grad_()
        attention_leaf = attentions[:, :, :, level].detach().requires_grad_()
        with torch.enable_grad():
            output = _attend_level(
                value_leaf, location_leaf, attention_leaf, height, width
            )
        grads = torch.autograd.grad(
            output, (value_leaf, location_leaf, attention_leaf), grad
        )
        grad_value[:, keys] += grads[0]
        grad_sampling_loc[:, :, :, level] += grads[1]
        grad_attn_weight[:, :, :, level] += grads[2]
