"""How good the detections are, frame by frame."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from .detection_matching import DetectionMatching


def frame_scores(
    gts: Sequence[dict],
    dets: Sequence[dict],
    num_classes: int,
    iou_thr: float = 0.5,
) -> np.ndarray:
    r"""Rate the detections of every frame by itself.

    AP says little about one frame. This score is a Jaccard index in which detections
    count by their confidence:

    .. math::
        score = \frac{\sum_{true\,positives} s}
                     {number\ of\ objects + \sum_{false\,positives} s}

    It is 1 if all objects are found with confidence 1 and nothing else is, 0 if
    none is found, and false positives of low confidence hardly change it. A frame
    without objects is rated as if it had one that was found with confidence 1.

    Args:
        gts: Ground truth per frame: ``bboxes`` (n, 4) as ``x1, y1, x2, y2`` and
            ``labels`` (n, ) from 0.
        dets: Detections of the same frames: ``bboxes`` (m, 4), ``labels`` (m, ) from 0,
            ``scores`` (m, ) in [0, 1], in any order.
        num_classes: Number of classes.
        iou_thr: Least IoU of a true positive. Defaults to 0.5.

    Returns:
        Scores in [0, 1], (number of frames, ).

    Raises:
        ValueError: If the lists or the arrays in them do not fit together.
    """
    found = DetectionMatching(gts, dets, num_classes, iou_thr)
    true = found.matches >= 0

    def confidence(which: np.ndarray) -> np.ndarray:
        return np.bincount(
            found.images[which], weights=found.scores[which], minlength=len(gts)
        )

    num_objects = np.bincount(found.gt_images, minlength=len(gts))
    found_objects = np.where(num_objects == 0, 1, confidence(true))
    return found_objects / (np.maximum(num_objects, 1) + confidence(~true))
