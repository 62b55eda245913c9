"""What kinds of errors detections make, and how much AP each costs."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np

from .detection_matching import DetectionMatching
from .vid_motion_ap import nanmean

ERROR_TYPES = {
    'classification': 'right place, wrong class',
    'localization': 'right class, box off',
    'both': 'wrong class and box off',
    'duplicate': 'object found before, with a higher score',
    'background': 'no object there',
    'missed': 'object without any detection',
}
"""The errors, in the order of the paper, and what each means."""


class ErrorBreakdown(NamedTuple):
    """Errors of the detections of a data set.

    Attributes:
        ap: AP of the detections as they are: mean over the classes that have ground
            truth; nan if there is none.
        counts: Number of errors of each type of :data:`ERROR_TYPES`: detections, or
            objects in case of ``missed``.
        delta_ap: How much higher the AP would be, were all errors of the type mended
            and nothing else.
        false_positive_delta_ap: Likewise, were there no false positives.
        false_negative_delta_ap: Likewise, were only those objects asked for that are
            found.
    """

    ap: float
    counts: dict[str, int]
    delta_ap: dict[str, float]
    false_positive_delta_ap: float
    false_negative_delta_ap: float


def error_breakdown(
    gts: Sequence[dict],
    dets: Sequence[dict],
    num_classes: int,
    iou_thr: float = 0.5,
    background_iou: float = 0.1,
) -> ErrorBreakdown:
    """Sort errors of detections by type, in the way of TIDE.

    A detection that is no true positive is, by its highest IoUs with the ground truth
    of its image, the first of these that fits:

    - ``localization``: from ``background_iou`` to below ``iou_thr`` with an object of
      its class. Mended, its box fits that object.
    - ``classification``: at least ``iou_thr`` with an object of another class. Mended,
      it has that object's class.
    - ``duplicate``: at least ``iou_thr`` with an object of its class, which a detection
      of a higher score has taken. Mended, it is gone.
    - ``background``: at most ``background_iou`` with any object. Mended, it is gone.
    - ``both``: the rest, which overlaps an object of another class somewhat. Mended, it
      is gone.

    Of several mended detections of an object, that of the highest score stays; all go
    if the object has been found anyway. ``missed`` is an object that no detection
    takes and that no localization or classification error is about; mended, it is not
    asked for. A class of which nothing is left keeps AP 0.

    The AP is that of :func:`vid_motion_ap` over all speeds: area under the envelope of
    precision over recall, and that function's definition of IoU.

    Source: Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection
    Errors", ECCV 2020, https://arxiv.org/abs/2008.08115.

    Args:
        gts: Ground truth per image: ``bboxes`` (n, 4) as ``x1, y1, x2, y2`` and
            ``labels`` (n, ) from 0.
        dets: Detections of the same images: ``bboxes`` (m, 4), ``labels`` (m, ) from 0,
            ``scores`` (m, ), in any order.
        num_classes: Number of classes.
        iou_thr: Least IoU of a true positive. Defaults to 0.5.
        background_iou: Highest IoU of a detection that has found nothing. Defaults to
            0.1.

    Returns:
        Counts of errors and the AP that they cost, APs in [0, 1].

    Raises:
        ValueError: If the thresholds are not in the order
            ``0 <= background_iou < iou_thr <= 1``, or the lists or the arrays in them
            do not fit together.
    """
    if not 0 <= background_iou < iou_thr <= 1:
        raise ValueError(
            'expected 0 <= background_iou < iou_thr <= 1, got '
            f'background_iou={background_iou}, iou_thr={iou_thr}'
        )
    found = DetectionMatching(gts, dets, num_classes, iou_thr)
    true = found.matches >= 0
    kinds = {
        'localization': (found.same_class_gt >= 0)
        & (background_iou <= found.same_class_iou)
        & (found.same_class_iou < iou_thr),
        'classification': found.other_class_iou >= iou_thr,
        'duplicate': found.same_class_iou >= iou_thr,
        'background': np.maximum(found.same_class_iou, found.other_class_iou)
        <= background_iou,
        'both': np.ones(len(true), bool),
    }
    open_cases = ~true
    for name, fits in kinds.items():
        kinds[name] = fits & open_cases
        open_cases &= ~fits

    taken = np.zeros(len(found.gt_labels), bool)
    taken[found.matches[true]] = True
    mendable = taken.copy()
    mendable[found.same_class_gt[kinds['localization']]] = True
    mendable[found.other_class_gt[kinds['classification']]] = True

    num_gts = np.bincount(found.gt_labels, minlength=num_classes)
    num_missed = np.bincount(found.gt_labels[~mendable], minlength=num_classes)
    num_taken = np.bincount(found.gt_labels[taken], minlength=num_classes)
    # A class stays in the mean, also where all of its objects are mended away.
    classes = np.flatnonzero(num_gts)
    everything = np.ones(len(true), bool)

    def mean_ap(
        kept: np.ndarray,
        true: np.ndarray = true,
        labels: np.ndarray = found.labels,
        num_gts: np.ndarray = num_gts,
    ) -> float:
        by_class = _split_by_label(true[kept], labels[kept], num_classes)
        aps = [_average_precision(by_class[label], num_gts[label]) for label in classes]
        return nanmean(np.array(aps))

    def mended(errors: np.ndarray, objects: np.ndarray) -> float:
        """AP after the errors have become true positives of objects."""
        candidates = np.flatnonzero(errors)
        candidates = candidates[~taken[objects[candidates]]]
        _, first = np.unique(objects[candidates], return_index=True)
        corrected = candidates[first]  # the highest score of each object
        now_true, labels = true.copy(), found.labels.copy()
        now_true[corrected] = True
        labels[corrected] = found.gt_labels[objects[corrected]]
        return mean_ap(~errors | now_true, now_true, labels)

    ap = mean_ap(everything)
    fixed = dict(
        classification=mended(kinds['classification'], found.other_class_gt),
        localization=mended(kinds['localization'], found.same_class_gt),
        both=mean_ap(~kinds['both']),
        duplicate=mean_ap(~kinds['duplicate']),
        background=mean_ap(~kinds['background']),
        missed=mean_ap(everything, num_gts=num_gts - num_missed),
    )
    counts = {name: int(errors.sum()) for name, errors in kinds.items()}
    counts['missed'] = int(num_missed.sum())
    return ErrorBreakdown(
        ap=ap,
        counts={name: counts[name] for name in ERROR_TYPES},
        delta_ap={name: fixed[name] - ap for name in ERROR_TYPES},
        false_positive_delta_ap=mean_ap(true) - ap,
        false_negative_delta_ap=mean_ap(everything, num_gts=num_taken) - ap,
    )


def _split_by_label(
    values: np.ndarray, labels: np.ndarray, num_classes: int
) -> list[np.ndarray]:
    """Values of every class, in the order given."""
    # Numpy sorts small integers in linear time.
    small = labels.astype(np.min_scalar_type(num_classes))
    order = np.argsort(small, kind='stable')
    ends = np.cumsum(np.bincount(labels, minlength=num_classes))[:-1]
    return np.split(values[order], ends)


def _average_precision(true: np.ndarray, num_gts: int) -> float:
    """AP of a class: which detections are true, (n, ), by falling score."""
    if not num_gts:
        return 0.0
    at_true = np.flatnonzero(true)
    precision = np.arange(1, len(at_true) + 1) / (at_true + 1)
    return np.maximum.accumulate(precision[::-1]).sum() / num_gts
