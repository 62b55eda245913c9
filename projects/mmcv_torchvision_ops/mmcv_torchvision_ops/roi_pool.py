"""RoI pooling."""

from __future__ import annotations

import torch
from torch import Tensor

from .common import common_float, plane_starts, vision


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Max over the pixels of each bin of each RoI.

    torchvision rounds RoIs to pixels, mmcv rounds bins. So the bins are worked out
    here, and torchvision pools each as a RoI of its own.

    Args:
        input: (B, C, H, W).
        rois: (K, 5) as batch index, x1, y1, x2, y2, the last pixel included.
        output: (K, C, pooled_height, pooled_width), written; 0 for empty bins.
        argmax: Same shape, int32, written: index into H * W; -1 for empty bins.
        pooled_height: Rows of bins.
        pooled_width: Columns of bins.
        spatial_scale: From the coordinates of the RoIs to those of ``input``.
    """
    input, rois = common_float(input, rois)
    start = rois[:, 1:3] * spatial_scale
    extent = (rois[:, 3:5] + 1) * spatial_scale - start

    def edges(axis: int, num_bins: int) -> tuple[Tensor, Tensor]:
        limit = input.size(3 - axis)
        step = torch.arange(num_bins, device=rois.device)
        length = extent[:, axis, None] / num_bins
        low = (step * length + start[:, axis, None]).floor().clamp(0, limit)
        high = ((step + 1) * length + start[:, axis, None]).ceil().clamp(0, limit)
        return low, high  # (K, num_bins) each

    x1, x2 = (edge[:, None, :] for edge in edges(0, pooled_width))
    y1, y2 = (edge[:, :, None] for edge in edges(1, pooled_height))
    valid = (extent > 0).all(dim=1)[:, None, None]
    empty = (x2 <= x1) | (y2 <= y1) | ~valid  # (K, PH, PW)
    bins = torch.broadcast_tensors(rois[:, :1, None], x1, y1, x2 - 1, y2 - 1)
    bins = torch.stack(bins, dim=-1).view(-1, 5)
    values, inds = vision.roi_pool(input, bins, 1.0, 1, 1)  # (K * PH * PW, C, 1, 1)
    shape = (*empty.shape, input.size(1))
    empty = empty[:, None]
    output.copy_(values.view(shape).permute(0, 3, 1, 2).masked_fill(empty, 0))
    argmax.copy_(inds.view(shape).permute(0, 3, 1, 2).masked_fill(empty, -1))


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Add the gradient of `roi_pool_forward` to ``grad_input`` (B, C, H, W)."""
    (grad_output,) = common_float(grad_output)
    grad = grad_output.masked_fill(argmax < 0, 0)
    inds = plane_starts(rois, grad_input) + argmax.clamp(min=0)
    flat = grad.new_zeros(grad_input.numel())
    flat.index_add_(0, inds.flatten(), grad.flatten())
    grad_input += flat.view_as(grad_input)
