"""NMS, Soft-NMS and NMS match."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .common import common_float, vision


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
    boxes, scores = common_float(boxes, scores)
    # In the precision of the boxes, as an IoU of exactly 3/5 must not exceed 0.6.
    iou_threshold = torch.tensor(iou_threshold, dtype=boxes.dtype).item()
    if offset:
        # Moving the far corner gives w = x2 - x1 + 1, for intersections too.
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return vision.nms(boxes, scores, iou_threshold)


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
    boxes, scores = common_float(boxes, scores)
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
    (dets,) = common_float(dets)
    order = torch.sort(dets[:, 4].cpu(), descending=True, stable=True)[1].numpy()
    rows = _iou_rows(dets[:, :4], offset=0)[:, order]
    groups = []
    while len(order):
        hit = _iou(rows[:, :1], rows, offset=0) >= iou_threshold
        hit[0] = True
        groups.append(order[hit].tolist())
        order, rows = order[~hit], rows[:, ~hit]
    return groups
