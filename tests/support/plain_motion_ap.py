"""The rules of motion-specific AP, one box at a time."""

from __future__ import annotations

import math
from typing import Sequence


def plain_iou(box1: Sequence[float], box2: Sequence[float], extra: float = 0) -> float:
    """IoU with sides longer by ``extra``."""

    def area(x1: float, y1: float, x2: float, y2: float) -> float:
        return max(x2 - x1 + extra, 0) * max(y2 - y1 + extra, 0)

    inter = area(
        max(box1[0], box2[0]),
        max(box1[1], box2[1]),
        min(box1[2], box2[2]),
        min(box1[3], box2[3]),
    )
    union = area(*box1) + area(*box2) - inter
    return inter / union if union > 0 else 0.0


def plain_motion_iou(bboxes, frame_ids, instance_ids, window=10):
    """Motion IoU of every box of a video."""
    result = []
    for box, frame, instance in zip(bboxes, frame_ids, instance_ids):
        ious = [
            plain_iou(box, other)
            for other, other_frame, other_instance in zip(
                bboxes, frame_ids, instance_ids
            )
            if other_instance == instance and 0 < abs(other_frame - frame) <= window
        ]
        result.append(sum(ious) / len(ious) if ious else 0.0)
    return result


def plain_vid_ap(gts, dets, num_classes, iou_thr, low, high):
    """AP of every class in one motion range; nan without ground truth in it."""
    cells = []  # of the published file: one for a frame without objects, too
    for gt in gts:
        if len(gt['motion_ious']):
            cells += list(gt['motion_ious'])
        elif not gt.get('has_objects'):
            cells.append(0)
    all_in_range = [low <= cell <= high for cell in cells]
    share = sum(all_in_range) / len(all_in_range) if all_in_range else 0
    if share == 1:
        share = 0
    aps = []
    for label in range(num_classes):
        outcomes = []  # (score, true positive, ignore weight)
        num_positives = 0
        for gt, det in zip(gts, dets):
            boxes = [
                (box, not low <= motion <= high)
                for box, gt_label, motion in zip(
                    gt['bboxes'], gt['labels'], gt['motion_ious']
                )
                if gt_label == label
            ]
            num_positives += sum(not ignored for _, ignored in boxes)
            ranked = [
                (score, box)
                for score, box, det_label in zip(
                    det['scores'], det['bboxes'], det['labels']
                )
                if det_label == label
            ]
            ranked.sort(key=lambda item: -item[0])
            outcomes += judge_image(ranked, boxes, iou_thr, share)
        aps.append(plain_ap(outcomes, num_positives))
    return aps


def judge_image(ranked, boxes, iou_thr, share):
    """Outcome of every detection of a class in an image."""
    outcomes = []
    taken = set()
    for score, det_box in ranked:
        if not boxes:
            outcomes.append((score, False, share))
            continue
        ious = [plain_iou(det_box, box, extra=2) for box, _ in boxes]
        match = None
        for index in range(len(boxes)):
            if index in taken or ious[index] < iou_thr:
                continue
            if (
                match is None
                or ious[index] > ious[match]
                # The published evaluator lets any equal box replace an ignored one.
                or (ious[index] == ious[match] and boxes[match][1])
            ):
                match = index
        if match is not None:
            taken.add(match)
            outcomes.append((score, True, 1 if boxes[match][1] else 0))
            continue
        best_ignored = max((i for i, (_, ig) in zip(ious, boxes) if ig), default=-1)
        best_counted = max((i for i, (_, ig) in zip(ious, boxes) if not ig), default=-1)
        if best_counted > best_ignored:
            weight = 0
        elif best_counted < best_ignored:
            weight = 1
        else:
            weight = sum(ignored for _, ignored in boxes) / len(boxes)
        outcomes.append((score, False, weight))
    return outcomes


def plain_ap(outcomes, num_positives):
    """Area under the envelope of precision over recall."""
    if not num_positives:
        return math.nan
    true = false = 0.0
    points = []
    for _, is_true, weight in sorted(outcomes, key=lambda outcome: -outcome[0]):
        if weight == 1:
            continue
        if is_true:
            true += 1
        else:
            false += weight or 1
        points.append((true / num_positives, true / (true + false)))
    area = last_recall = 0.0
    for index, (recall, _) in enumerate(points):
        best = max(precision for _, precision in points[index:])
        area += (recall - last_recall) * best
        last_recall = recall
    return area
