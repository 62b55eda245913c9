"""The compiled operators of mmcv, computed by torch and torchvision.

``mmcv.ops`` looks its operators up in ``mmcv._ext``, a C++ extension that
``mmcv-lite`` does not have. This module stands in for it: same names, same
arguments, same tensors written in place. It runs on whatever device its inputs are
on. Python prefers a compiled ``mmcv/_ext*.so`` to this file.

Conventions of the extension, kept here:

* results go into tensors the caller has allocated (``output``, ``grad_input``, ...);
* gradients are added to what these tensors hold;
* ``columns``, ``ones`` and ``im2col_step`` belong to the buffers of the compiled
  kernels and are ignored.

Half precision inputs are computed in float32 and rounded once, at the end, so that
coordinates keep their precision under autocast.
"""

from __future__ import annotations

from functools import partial, reduce
from typing import Callable, NoReturn

import numpy as np
import torch
import torch.nn.functional as F
import torchvision  # noqa: F401  (registers torch.ops.torchvision)
from torch import Tensor

__all__ = [
    'deform_conv_backward_input',
    'deform_conv_backward_parameters',
    'deform_conv_forward',
    'get_compiler_version',
    'get_compiling_cuda_version',
    'modulated_deform_conv_backward',
    'modulated_deform_conv_forward',
    'ms_deform_attn_backward',
    'ms_deform_attn_forward',
    'nms',
    'nms_match',
    'roi_align_backward',
    'roi_align_forward',
    'roi_pool_backward',
    'roi_pool_forward',
    'sigmoid_focal_loss_backward',
    'sigmoid_focal_loss_forward',
    'softmax_focal_loss_backward',
    'softmax_focal_loss_forward',
    'softnms',
]

_vision = torch.ops.torchvision

# Most samples that max RoIAlign holds at once (64 MiB of float32).
_MAX_SAMPLES = 2**24


def _common_float(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Cast tensors to their widest dtype, at least float32."""
    dtype = reduce(torch.promote_types, (t.dtype for t in tensors), torch.float32)
    return tuple(t.to(dtype) for t in tensors)


# ------------------------------------------------------------------ other operators
def _unsupported(name: str, *args: object, **kwargs: object) -> NoReturn:
    raise NotImplementedError(
        f"mmcv's operator '{name}' is not among those of mmcv-torchvision-ops. It "
        'needs the full mmcv, compiled with its operators: '
        'pip uninstall -y mmcv-torchvision-ops mmcv-lite && '
        'pip install openmim && mim install "mmcv==2.0.0rc4"'
    )


def __getattr__(name: str) -> Callable[..., NoReturn]:
    # mmcv.ops asks for every operator at import: all must resolve.
    if name.startswith('_'):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return partial(_unsupported, name)


def get_compiler_version() -> str:
    """What ``collect_env`` prints as the compiler of mmcv."""
    return 'none (mmcv-torchvision-ops)'


def get_compiling_cuda_version() -> str:
    """What ``collect_env`` prints as the CUDA compiler of mmcv."""
    return f'none (mmcv-torchvision-ops), CUDA of torch: {torch.version.cuda}'


# --------------------------------------------------------------------- NMS family
def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Drop every box that overlaps a better one by more than ``iou_threshold``.

    Args:
        boxes: (N, 4) as x1, y1, x2, y2.
        scores: (N,).
        iou_threshold: IoU above which the lower box is dropped.
        offset: 0 or 1, added to widths and heights.

    Returns:
        Indices of the kept boxes, (M,) int64, best first, equal scores in input
        order.
    """
    boxes, scores = _common_float(boxes, scores)
    # In the precision of the boxes, as an IoU of exactly 3/5 must not exceed 0.6.
    iou_threshold = torch.tensor(iou_threshold, dtype=boxes.dtype).item()
    if offset:
        # Moving the far corner gives w = x2 - x1 + 1, for intersections too.
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return _vision.nms(boxes, scores, iou_threshold)


def _iou_rows(boxes: Tensor, offset: int) -> np.ndarray:
    """Boxes (N, 4) to rows x1, y1, x2, y2, area (5, N), the form `_iou` takes."""
    rows = boxes.detach().cpu().numpy().T
    width, height = rows[2:] - rows[:2] + offset
    return np.concatenate((rows, (width * height)[None]))


def _iou(first: np.ndarray, rest: np.ndarray, offset: int) -> np.ndarray:
    """IoU of one box (5, 1) with others (5, N); 0 for two boxes without area."""
    low = np.maximum(first[:2], rest[:2])
    high = np.minimum(first[2:4], rest[2:4])
    width, height = np.maximum(high - low + offset, 0)
    inter = width * height
    union = first[4] + rest[4] - inter
    return inter / np.maximum(union, np.finfo(union.dtype).tiny)


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Soft-NMS: lower the scores of overlapping boxes instead of dropping them.

    The choice of a box depends on all earlier ones, so this runs on the CPU, one
    numpy pass over the remaining boxes for each chosen one. Boxes are moved around
    the way the compiled operator does it, which decides between equal scores.

    Args:
        boxes: (N, 4).
        scores: (N,).
        dets: (N, 5), receives the M kept boxes and their new scores in its first
            rows, in the order of choice.
        iou_threshold: Least IoU that 'naive' and 'linear' act on.
        sigma: Width of the Gaussian.
        min_score: Boxes whose score was lowered below this are dropped.
        method: 0 naive, 1 linear, 2 Gaussian.
        offset: 0 or 1, added to widths and heights.

    Returns:
        Indices of the kept boxes, (M,) int64.
    """
    boxes, scores = _common_float(boxes, scores)
    last_row = scores.detach().cpu().numpy()[None]
    # Rows x1, y1, x2, y2, area, score; the chosen boxes first, then those left.
    table = np.concatenate((_iou_rows(boxes, offset), last_row))
    inds = np.arange(table.shape[1])
    first, num_kept = 0, len(inds)
    while first < num_kept:
        best = first + int(table[5, first:num_kept].argmax())
        table[:, (first, best)] = table[:, (best, first)]
        inds[[first, best]] = inds[[best, first]]

        rest = slice(first + 1, num_kept)
        iou = _iou(table[:, first : first + 1], table[:, rest], offset)
        if method == 2:
            table[5, rest] *= np.exp(-(iou * iou) / sigma)
        else:
            lowered = 1 - iou if method == 1 else 0
            table[5, rest] *= np.where(iou >= iou_threshold, lowered, 1)

        first += 1
        keep = table[5, rest] >= min_score
        num_rest = int(np.count_nonzero(keep))
        if num_rest < len(keep):
            # Gaps left by dropped boxes are filled from the end.
            gaps = first + np.flatnonzero(~keep[:num_rest])
            fill = first + num_rest + np.flatnonzero(keep[num_rest:])[::-1]
            table[:, gaps] = table[:, fill]
            inds[gaps] = inds[fill]
            num_kept = first + num_rest

    kept = table[[0, 1, 2, 3, 5], :num_kept]
    dets[:num_kept] = torch.from_numpy(kept.T).to(dets)
    return torch.from_numpy(inds[:num_kept])


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Group boxes by the NMS-kept box that suppresses them.

    Args:
        dets: (N, 5), boxes and scores.
        iou_threshold: Least IoU (inclusive, unlike `nms`) that suppresses.

    Returns:
        One list of indices for each kept box, itself first, best first.
    """
    (dets,) = _common_float(dets)
    order = torch.sort(dets[:, 4].cpu(), descending=True, stable=True)[1].numpy()
    rows = _iou_rows(dets[:, :4], offset=0)[:, order]
    groups = []
    while len(order):
        hit = _iou(rows[:, :1], rows, offset=0) >= iou_threshold
        hit[0] = True
        groups.append(order[hit].tolist())
        order, rows = order[~hit], rows[:, ~hit]
    return groups


# ----------------------------------------------------------------------- RoI align
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
        for inds in chosen.split(max(_MAX_SAMPLES // max(points, 1), 1)):
            samples = _vision.roi_align(
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


def _planes(rois: Tensor, grad_input: Tensor) -> Tensor:
    """Start of each RoI's planes in the flattened (B, C, H, W), as (K, C, 1, 1)."""
    channels, height, width = grad_input.shape[1:]
    planes = rois[:, :1].long() * channels + torch.arange(channels, device=rois.device)
    return (planes * (height * width))[:, :, None, None]


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
    input, rois = _common_float(input, rois)
    size = (aligned_height, aligned_width)
    if pool_mode == 1:
        output.copy_(
            _vision.roi_align(
                input, rois, spatial_scale, *size, sampling_ratio, aligned
            )
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
    grad_output, rois = _common_float(grad_output, rois)
    if pool_mode == 1:
        grad_input += _vision._roi_align_backward(
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
    planes = _planes(rois, grad_input)
    flat = grad_output.new_zeros(grad_input.numel())
    for row, weight_y in ((top, 1 - (y - top)), (top + 1, y - top)):
        for column, weight_x in ((left, 1 - (x - left)), (left + 1, x - left)):
            # Beyond the last row or column the weight is 0.
            row, column = row.clamp(max=height - 1), column.clamp(max=width - 1)
            inds = planes + row.long() * width + column.long()
            grad = grad_output * weight_y * weight_x
            flat.index_add_(0, inds.flatten(), grad.flatten())
    grad_input += flat.view_as(grad_input)


# ------------------------------------------------------------------------ RoI pool
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
    input, rois = _common_float(input, rois)
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
    values, inds = _vision.roi_pool(input, bins, 1.0, 1, 1)  # (K * PH * PW, C, 1, 1)
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
    (grad_output,) = _common_float(grad_output)
    grad = grad_output.masked_fill(argmax < 0, 0)
    inds = _planes(rois, grad_input) + argmax.clamp(min=0)
    flat = grad.new_zeros(grad_input.numel())
    flat.index_add_(0, inds.flatten(), grad.flatten())
    grad_input += flat.view_as(grad_input)


# --------------------------------------------------------- deformable convolutions
def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Convolve, each tap of the kernel shifted by its offset.

    Shapes: ``input`` (B, C_in, H, W), ``weight`` (C_out, C_in / group, kH, kW),
    ``offset`` (B, 2 * deformable_group * kH * kW, H_out, W_out) with y before x.
    ``output`` (B, C_out, H_out, W_out) is written.
    """
    input, weight, offset = _common_float(input, weight, offset)
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    output.copy_(
        _vision.deform_conv2d(
            input,
            weight,
            offset,
            *_no_mask_and_bias(input, weight),
            *geometry,
            False,
        )
    )


def _no_mask_and_bias(input: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    return input.new_zeros(input.size(0), 1), input.new_zeros(weight.size(0))


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradInput: Tensor,
    gradOffset: Tensor,
    weight: Tensor,
    columns: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Add the gradients of `deform_conv_forward` for input and offset."""
    grad, input, weight, offset = _common_float(gradOutput, input, weight, offset)
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    grads = _vision._deform_conv2d_backward(
        grad,
        input,
        weight,
        offset,
        *_no_mask_and_bias(input, weight),
        *geometry,
        False,
    )
    gradInput += grads[0]
    gradOffset += grads[2]


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    gradOutput: Tensor,
    gradWeight: Tensor,
    columns: Tensor,
    ones: Tensor,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    scale: float,
    im2col_step: int,
) -> None:
    """Add ``scale`` times the gradient of `deform_conv_forward` for the weight."""
    grad, input, offset = _common_float(gradOutput, input, offset)
    # The gradient for the weight does not depend on the weight.
    weight = grad.new_zeros(gradWeight.shape)
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group)
    grads = _vision._deform_conv2d_backward(
        grad,
        input,
        weight,
        offset,
        *_no_mask_and_bias(input, weight),
        *geometry,
        False,
    )
    gradWeight.add_(grads[1].to(gradWeight), alpha=scale)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Deformable convolution with a factor for each tap.

    Shapes: as `deform_conv_forward`; besides, ``mask``
    (B, deformable_group * kernel_h * kernel_w, H_out, W_out), and ``bias`` (C_out,),
    empty where ``with_bias`` is false.
    """
    input, weight, offset, mask, bias = _common_float(input, weight, offset, mask, bias)
    geometry = (
        stride_h,
        stride_w,
        pad_h,
        pad_w,
        dilation_h,
        dilation_w,
        group,
        deformable_group,
    )
    output.copy_(
        _vision.deform_conv2d(
            input,
            weight,
            offset,
            mask,
            bias if with_bias else input.new_zeros(weight.size(0)),
            *geometry,
            True,
        )
    )


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Add the gradients of `modulated_deform_conv_forward`."""
    grad, input, weight, offset, mask = _common_float(
        grad_output, input, weight, offset, mask
    )
    geometry = (
        stride_h,
        stride_w,
        pad_h,
        pad_w,
        dilation_h,
        dilation_w,
        group,
        deformable_group,
    )
    grads = _vision._deform_conv2d_backward(
        grad,
        input,
        weight,
        offset,
        mask,
        input.new_zeros(weight.size(0)),
        *geometry,
        True,
    )
    grad_input += grads[0]
    grad_weight += grads[1]
    grad_offset += grads[2]
    grad_mask += grads[3]
    if with_bias:
        grad_bias += grads[4]


# --------------------------------------------------------------------- focal losses
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
    (x,) = _common_float(input)
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
    (x,) = _common_float(input)
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
    (softmax,) = _common_float(input)
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
    (softmax,) = _common_float(input)
    p, log_p = _softmax_target(softmax, target)
    # Where p is 1 so that gamma < 1 does not divide by zero; log_p is 0 there.
    q = (1 - p).clamp(min=torch.finfo(p.dtype).tiny)
    grad = alpha * (gamma * q.pow(gamma - 1) * p * log_p - (1 - p).pow(gamma))
    grad = grad.masked_fill(target < 0, 0)
    if len(weight):
        grad = grad * _class_weight(weight, target)
    buff.copy_(grad)
    grad_input.copy_(grad[:, None] * (_is_target(softmax, target).to(p) - softmax))


# ------------------------------------------------- multi-scale deformable attention
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
    values, locations, attentions = _common_float(
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
    values, locations, attentions, grad = _common_float(
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
