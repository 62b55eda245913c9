"""The best boxes of a batch, as a graph can tell them: in tensors of one shape."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torchvision  # noqa: F401  # its operators
from torch import Tensor


class Candidates(NamedTuple):
    """Boxes among which the best are looked for.

    Attributes:
        boxes: (B, N, 4) as x1, y1, x2, y2.
        scores: (B, N).
        groups: (B, N), what each is a box of, such as a class: only boxes of one group
            compete.
        valid: (B, N), which of them count at all.
    """

    boxes: Tensor
    scores: Tensor
    groups: Tensor
    valid: Tensor


def rows(x: Tensor, index: Tensor) -> Tensor:
    """Pick ``x[b, index[b, k]]`` of each image.

    Args:
        x: (B, N, ...).
        index: (B, K).

    Returns:
        Tensor of shape (B, K, ...).
    """
    extra = x.dim() - 2
    index = index.reshape(*index.shape, *[1] * extra)
    return x.gather(1, index.expand(-1, -1, *x.shape[2:]))


def highest(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The highest scores of each image, from the highest on.

    Args:
        scores: (B, N), none below -1.
        count: Number K of scores. Where there are fewer, -1 is in the rest.

    Returns:
        Scores and their indices, both (B, K).
    """
    # A graph cannot ask whether there are as many, so that there are always more.
    none = scores.new_full((scores.shape[0], count), -1.0)
    scores, index = torch.cat((scores, none), dim=1).topk(count, dim=1)
    return scores, index * (scores >= 0)


def suppress(found: Candidates, iou_threshold: float, span: Tensor) -> Tensor:
    """Which boxes overlap with no better one of their group.

    All images go through torchvision's operator at once: images and groups are moved
    apart first. Two boxes that overlap with none are put in front, as its graph is for
    two at least that are left.

    Args:
        found: The boxes.
        iou_threshold: IoU above which the lower of two boxes is dropped.
        span: (), more than the largest coordinate.

    Returns:
        Tensor of shape (B, N), bool.
    """
    index = found.valid.flatten().nonzero().squeeze(1)
    count = found.scores.shape[1]
    image = torch.div(index, count, rounding_mode='floor')
    places = torch.stack((found.groups.flatten()[index], image), dim=1) * span
    boxes = found.boxes.flatten(0, 1)[index] + places.repeat(1, 2)
    aside = (
        boxes.new_tensor([[-2.0, -2.0, -1.0, -1.0], [-4.0, -4.0, -3.0, -3.0]]) * span
    )
    scores = found.scores.flatten()[index]
    kept = torch.ops.torchvision.nms(
        torch.cat((aside, boxes)),
        torch.cat((scores.new_full((2,), 2.0), scores)),
        iou_threshold,
    )
    kept = torch.cat((index.new_zeros(2), index + 2))[kept]
    mask = index.new_zeros(found.scores.numel() + 2)
    mask = mask.index_put((kept,), mask.new_ones(()))
    return mask[2:].view_as(found.scores) > 0


def best(
    found: Candidates, iou_threshold: float, span: Tensor, count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The best boxes of each image, from the highest score on.

    Args:
        found: Boxes to choose from.
        iou_threshold: See :func:`suppress`.
        span: Likewise.
        count: Number K of boxes.

    Returns:
        Boxes (B, K, 4), scores (B, K) and groups (B, K). Where there are fewer, boxes
        and scores are 0 and groups are -1.
    """
    kept = suppress(found, iou_threshold, span)
    scores, index = highest(found.scores.masked_fill(~kept, -1.0), count)
    some = scores >= 0
    boxes = rows(found.boxes, index) * some.unsqueeze(-1)
    groups = rows(found.groups, index).masked_fill(~some, -1)
    return boxes, scores.clamp(min=0), groups
