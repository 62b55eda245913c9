"""Which classes detections take for one another."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from .detection_matching import DetectionMatching


def confusion_matrix(
    gts: Sequence[dict],
    dets: Sequence[dict],
    num_classes: int,
    iou_thr: float = 0.5,
    score_thr: float = 0.3,
) -> np.ndarray:
    """Count objects by their class and by the class that they are detected as.

    In every image, detections by falling score each take the free object of the highest
    IoU that reaches the threshold, whatever its class.

    Args:
        gts: Ground truth per image: ``bboxes`` (n, 4) as ``x1, y1, x2, y2`` and
            ``labels`` (n, ) from 0.
        dets: Detections of the same images: ``bboxes`` (m, 4), ``labels`` (m, ) from 0,
            ``scores`` (m, ), in any order.
        num_classes: Number of classes C.
        iou_thr: Least IoU at which a detection is of an object. Defaults to 0.5.
        score_thr: Detections of lower scores are left out. Defaults to 0.3.

    Returns:
        Whole numbers, (C + 1, C + 1): objects of each class in a row, by the class of
        the detection in columns. The last column counts objects without a detection,
        the last row detections without an object.

    Raises:
        ValueError: If the lists or the arrays in them do not fit together, or a label
            is not below ``num_classes``.

    Examples:
        >>> box = [[0, 0, 9, 9]]
        >>> gts = [dict(bboxes=box, labels=[0]), dict(bboxes=box, labels=[1])]
        >>> dets = [dict(bboxes=box, labels=[1], scores=[0.9])] * 2
        >>> confusion_matrix(gts, dets, num_classes=2)
        array([[0, 1, 0],
               [0, 1, 0],
               [0, 0, 0]])
    """
    dets = [_above(det, score_thr) for det in dets]
    true, predicted = _labels(gts, num_classes), _labels(dets, num_classes)
    found = DetectionMatching(_of_one_class(gts), _of_one_class(dets), 1, iou_thr)
    counts = np.zeros((num_classes + 1, num_classes + 1), int)
    # A match of -1 is the row that is appended, of detections without an object.
    rows = np.append(true, num_classes)[found.matches]
    np.add.at(counts, (rows, predicted[found.order]), 1)
    missed = np.ones(len(true), bool)
    missed[found.matches[found.matches >= 0]] = False
    counts[:, -1] = np.bincount(true[missed], minlength=num_classes + 1)
    return counts


def _above(det: dict, score_thr: float) -> dict:
    kept = np.asarray(det['scores']) >= score_thr
    return {key: np.asarray(det[key])[kept] for key in ('bboxes', 'labels', 'scores')}


def _labels(images: Sequence[dict], num_classes: int) -> np.ndarray:
    labels = [np.asarray(image['labels'], int) for image in images]
    together = np.concatenate([np.zeros(0, int), *labels])
    if len(together) and not 0 <= together.min() <= together.max() < num_classes:
        raise ValueError(
            f'labels from {together.min()} to {together.max()}, but there are '
            f'{num_classes} classes'
        )
    return together


def _of_one_class(images: Sequence[dict]) -> list[dict]:
    return [
        {**image, 'labels': np.zeros(len(image['labels']), int)} for image in images
    ]
