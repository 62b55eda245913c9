"""AP by motion speed image by image, as the published evaluator works.

The rules of :mod:`stpn_plugin.evaluation.functional.vid_motion_ap`, written for being
read and compared with: for each range of motion all images are gone through, and in
each the detections of a class one after the other.
"""

from __future__ import annotations

import numpy as np


def motion_ap(
    gts: list[dict],
    dets: list[dict],
    num_classes: int,
    iou_thr: float,
    motion_range: tuple[float, float],
) -> float:
    """Mean AP over the classes that have ground truth in a motion range.

    Args:
        gts: ``bboxes`` (N, 4), ``labels`` and ``motion_ious`` (N,) of every frame.
        dets: ``bboxes`` (M, 4), ``labels`` and ``scores`` (M,) of every frame.
        num_classes: Number of classes.
        iou_thr: What a true positive's IoU is at least.
        motion_range: Lowest and highest motion IoU of objects that count.
    """
    low, high = motion_range
    cells = [gt['motion_ious'] if len(gt['labels']) else [0.0] for gt in gts]
    motions = np.concatenate(cells)
    share = float(np.mean((low <= motions) & (motions <= high)))
    if share == 1:
        share = 0.0
    outcomes: list[list[tuple[float, bool, float]]] = [[] for _ in range(num_classes)]
    positives = np.zeros(num_classes, int)
    for gt, det in zip(gts, dets):
        ignored = (gt['motion_ious'] < low) | (gt['motion_ious'] > high)
        for label in np.union1d(gt['labels'], det['labels']):
            mine, found = gt['labels'] == label, det['labels'] == label
            positives[label] += np.sum(~ignored[mine])
            outcomes[label] += _judge(
                det['bboxes'][found],
                det['scores'][found],
                gt['bboxes'][mine],
                ignored[mine],
                iou_thr,
                share,
            )
    return mean_ap(np.array([_ap(o, n) for o, n in zip(outcomes, positives)]))


def mean_ap(aps: np.ndarray) -> float:
    """Mean of the classes that have an AP; nan if none has."""
    aps = aps[~np.isnan(aps)]
    return float(aps.mean()) if len(aps) else float('nan')


def _judge(
    boxes: np.ndarray,
    scores: np.ndarray,
    gt_boxes: np.ndarray,
    ignored: np.ndarray,
    iou_thr: float,
    share: float,
) -> list[tuple[float, bool, float]]:
    """(score, true positive, how far it is ignored) of detections of a class."""
    order = np.argsort(-scores, kind='stable')
    if not len(gt_boxes):
        return [(float(scores[i]), False, share) for i in order]
    ious = _ious(boxes[order], gt_boxes)
    taken = np.zeros(len(gt_boxes), bool)
    outcomes = []
    for score, row in zip(scores[order], ious):
        free = np.where(taken | (row < iou_thr), -1.0, row)
        best = int(free.argmax())
        if free[best] >= 0:
            taken[best] = True
            outcomes.append((float(score), True, float(ignored[best])))
            continue
        of_ignored = row[ignored].max(initial=-1)
        of_counted = row[~ignored].max(initial=-1)
        if of_ignored == of_counted:
            weight = float(ignored.mean())
        else:
            weight = float(of_ignored > of_counted)
        outcomes.append((float(score), False, weight))
    return outcomes


def _ious(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoUs (N, M), of boxes whose sides are two pixels longer, as published."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    inter = np.clip(high - low + 2, 0, None).prod(axis=2)
    areas = [(b[:, 2:] - b[:, :2] + 2).prod(axis=1) for b in (boxes, others)]
    return inter / (areas[0][:, None] + areas[1][None] - inter)


def _ap(outcomes: list[tuple[float, bool, float]], num_positives: int) -> float:
    """Area under the envelope of precision over recall; nan without positives."""
    if not num_positives:
        return float('nan')
    if not outcomes:
        return 0.0
    found = np.array(sorted(outcomes, key=lambda outcome: -outcome[0]))
    is_true, weight = found[:, 1] > 0, found[:, 2]
    counts = weight != 1
    is_true, weight = is_true[counts], weight[counts]
    true = np.cumsum(is_true)
    false = np.cumsum(np.where(is_true, 0, np.where(weight == 0, 1, weight)))
    recall = np.concatenate(([0], true / num_positives))
    precision = true / np.maximum(true + false, 1e-9)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * envelope))
