"""RoI align, average and max."""

from __future__ import annotations

import torch
from torch import Tensor

from .common import common_float, plane_starts, vision

# Most samples that max RoIAlign holds at once (64 MiB of float32).
MAX_SAMPLES = 2**24


def _roi_align_max(
    input: Tensor,
    rois: Tensor,
    size: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Max over the sampling points of each bin, and where the maximum lies.

    The points of a bin split in gh x gw are the centres of gh x gw smaller bins, so
    average pooling with one sample gives their values.

    Args:
        input: (B, C, H, W).
        rois: (K, 5).
        size: Bins (PH, PW).
        spatial_scale: From the coordinates of the RoIs to those of ``input``.
        sampling_ratio: Points for each side of a bin; 0 for one a pixel.
        aligned: Whether pixel centres lie at half integers.

    Returns:
        Values, y and x of the points, each (K, C, PH, PW). Bins without any point
        have value 0 at (-1, -1).
    """
    height, width = size
    corners = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)
    start, extent = corners[:, :2], corners[:, 2:] - corners[:, :2]
    if not aligned:
        extent = extent.clamp(min=1)
    bins = extent / extent.new_tensor([width, height])  # (K, 2) as w, h

    output = input.new_zeros(len(rois), input.size(1), height, width)
    argmax_y, argmax_x = torch.full_like(output, -1), torch.full_like(output, -1)
    if sampling_ratio > 0:
        grids = bins.new_full(bins.shape, sampling_ratio, dtype=torch.long)
    else:
        grids = bins.ceil().long()
    # All RoIs with the same number of points at once.
    for grid in torch.unique(grids, dim=0):
        gw, gh = grid.tolist()
        if gw <= 0 or gh <= 0:
            continue
        chosen = (grids == grid).all(dim=1).nonzero()[:, 0]
        points = output[0].numel() * gh * gw
        for inds in chosen.split(max(MAX_SAMPLES // max(points, 1), 1)):
            samples = vision.roi_align(
                input, rois[inds], spatial_scale, height * gh, width * gw, 1, aligned
            )  # (k, C, PH * gh, PW * gw)
            samples = samples.view(len(inds), -1, height, gh, width, gw)
            value, point = samples.transpose(3, 4).flatten(4).max(dim=-1)
            cell_y = torch.arange(height, device=rois.device)[:, None]
            cell_x = torch.arange(width, device=rois.device)
            y0, x0 = start[inds, 1], start[inds, 0]
            bin_h, bin_w = bins[inds, 1], bins[inds, 0]
            y = cell_y + (torch.div(point, gw, rounding_mode='floor') + 0.5) / gh
            x = cell_x + (point % gw + 0.5) / gw
            output[inds] = value
            argmax_y[inds] = y0[:, None, None, None] + y * bin_h[:, None, None, None]
            argmax_x[inds] = x0[:, None, None, None] + x * bin_w[:, None, None, None]
    return output, argmax_y, argmax_x


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Pool bilinear samples of each bin of each RoI.

    Args:
        input: (B, C, H, W).
        rois: (K, 5) as batch index, x1, y1, x2, y2.
        output: (K, C, aligned_height, aligned_width), written.
        argmax_y: As ``output`` for max pooling, else empty; receives the rows of the
            maxima in ``input``, in float32 at least.
        argmax_x: Same for the columns.
        aligned_height: Rows of bins.
        aligned_width: Columns of bins.
        spatial_scale: From the coordinates of the RoIs to those of ``input``.
        sampling_ratio: Points for each side of a bin; 0 for one a pixel.
        pool_mode: 0 max, 1 average.
        aligned: Whether pixel centres lie at half integers.
    """
    input, rois = common_float(input, rois)
    size = (aligned_height, aligned_width)
    if pool_mode == 1:
        output.copy_(
            vision.roi_align(input, rois, spatial_scale, *size, sampling_ratio, aligned)
        )
        return
    value, y, x = _roi_align_max(
        input, rois, size, spatial_scale, sampling_ratio, aligned
    )
    output.copy_(value)
    # mmcv allocates these in the type of the input. Half precision is too coarse for
    # coordinates, so the tensors change their type along with their content.
    argmax_y.data, argmax_x.data = y, x


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Add the gradient of `roi_align_forward` to ``grad_input`` (B, C, H, W)."""
    grad_output, rois = common_float(grad_output, rois)
    if pool_mode == 1:
        grad_input += vision._roi_align_backward(
            grad_output,
            rois,
            spatial_scale,
            aligned_height,
            aligned_width,
            *grad_input.shape,
            sampling_ratio,
            aligned,
        )
        return
    height, width = grad_input.shape[2:]
    y, x = argmax_y.to(grad_output), argmax_x.to(grad_output)
    inside = (y >= -1) & (y <= height) & (x >= -1) & (x <= width) & (y != -1)
    grad_output = grad_output.where(inside, grad_output.new_zeros(()))
    y, x = y.clamp(0, height - 1), x.clamp(0, width - 1)
    top, left = y.floor(), x.floor()
    planes = plane_starts(rois, grad_input)
    flat = grad_output.new_zeros(grad_input.numel())
    for row, weight_y in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, weight_x in ((left, 1 - (x - left)), (left + 1, x - left)):
            # Beyond the last row or column the weight is 0.
            row, column = row.clamp(max=height - 1), column.clamp(max=width - 1)
            inds = planes + row.long() * width + column.long()
            grad = grad_output * weight_y * weight_x
            flat.index_add_(0, inds.flatten(), grad.flatten())
    grad_input += flat.view_as(grad_input)
