"""Average precision on ImageNet VID by the speed of the objects."""

from __future__ import annotations

from typing import Mapping, Sequence, Tuple

import numpy as np

Range = Tuple[float, float]

MOTION_RANGES: dict[str, Range] = {
    'all': (0.0, 1.0),
    'fast': (0.0, 0.7),
    'medium': (0.7, 0.9),
    'slow': (0.9, 1.0),
}
"""Motion IoUs of the objects that count; both ends belong to the range."""

# Pairs of boxes whose IoUs are computed at once; bounds the peak memory.
PAIRS_PER_STEP = 1 << 20


def vid_motion_ap(
    gts: Sequence[dict],
    dets: Sequence[dict],
    num_classes: int,
    iou_thr: float = 0.5,
    motion_ranges: Mapping[str, Range] | Sequence[Range] | None = None,
) -> dict[str | Range, dict]:
    """Motion-specific AP as FGFA and its successors report it for ImageNet VID.

    See :class:`VIDMotionEvaluator` for the rules.

    Args:
        gts: Ground truth per image: ``bboxes`` (n, 4) as ``x1, y1, x2, y2``, ``labels``
            (n, ) from 0, ``motion_ious`` (n, ). An image without boxes counts as a
            frame without objects, unless its ``has_objects`` is true: it shows some
            that are not evaluated.
        dets: Detections of the same images: ``bboxes`` (m, 4), ``labels`` (m, ) from 0,
            ``scores`` (m, ), in any order.
        num_classes: Number of classes.
        iou_thr: Least IoU of a true positive. Defaults to 0.5.
        motion_ranges: Ranges of motion IoU, ends included, by name, or unnamed ``(low,
            high)`` pairs, which then are the keys of the result themselves. Defaults to
            :data:`MOTION_RANGES`: all, fast, medium, slow.

    Returns:
        For every range ``dict(map=float, ap=np.ndarray)``: ``ap`` (num_classes, ) is
        nan for classes without ground truth in the range, ``map`` the mean over the
        others (nan if there are none).

    Raises:
        ValueError: If the lists or the arrays in them do not fit together, or
            a label is not below ``num_classes``.

    Examples:
        >>> import numpy as np
        >>> box = np.array([[10., 10., 50., 50.]])
        >>> gts = [dict(bboxes=box, labels=[0], motion_ious=[0.95])]
        >>> dets = [dict(bboxes=box, labels=[0], scores=[0.8])]
        >>> vid_motion_ap(gts, dets, num_classes=1)['slow']['map']
        1.0
    """
    if motion_ranges is None:
        motion_ranges = MOTION_RANGES
    if isinstance(motion_ranges, Mapping):
        named: list[tuple[str | Range, Range]] = list(motion_ranges.items())
    else:
        named = [((low, high), (low, high)) for low, high in motion_ranges]
    evaluator = VIDMotionEvaluator(gts, dets, num_classes)
    result: dict[str | Range, dict] = {}
    for name, motion_range in named:
        ap = evaluator.average_precision(iou_thr, motion_range)
        result[name] = dict(map=nanmean(ap), ap=ap)
    return result


def nanmean(values: np.ndarray) -> float:
    """Mean of the values that are not nan; nan (without a warning) if none is."""
    values = np.asarray(values)
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float('nan')


class VIDMotionEvaluator:
    """Detections and ground truth of a data set, ready to be matched.

    IoUs are computed once and serve every IoU threshold and motion range.

    The rules are those of the evaluator behind the published numbers, which
    goes back to FGFA (https://arxiv.org/abs/1703.10025). Ground truth whose
    motion IoU lies outside the range is *ignored*.

    - IoUs are taken with ``x2 - x1 + 2`` as width (the published evaluator adds
      1 twice) and likewise the height, in the precision of the given boxes.
    - In every image and class, detections by falling score (equal scores in the
      order given) each take the free ground truth, ignored or not, of the
      highest IoU that reaches the threshold. Of equal IoUs, the first one not
      ignored is taken, and if all are ignored, the last one.
    - A detection that took ignored ground truth drops out; the others that took
      one are true positives, the rest are false positives.
    - A false positive counts by its *ignore weight*, that is, in an image with
      ground truth of its class: 0 if its best IoU with any not ignored box is
      higher than with any ignored one, 1 if it is lower, and if they are equal
      the share of ignored boxes among that ground truth; in an image without:
      the share of the whole data set's ground truth that lies in the range, or
      0 if that is all of it. Of weight 1 it drops out, of weight 0 it counts as
      1, and otherwise as its weight.
    - Every frame without objects counts as one more ground truth of motion IoU 0
      in that share of the whole data set's, and nowhere else: the published file
      of motion IoUs has an empty cell for it, which the published evaluator reads
      as a box that does not overlap itself at all.
    - AP is the area under the envelope of precision over recall, at all recall
      points.

    Args:
        gts: See :func:`vid_motion_ap`.
        dets: See :func:`vid_motion_ap`.
        num_classes: Number of classes.

    Raises:
        ValueError: See :func:`vid_motion_ap`.
    """

    def __init__(
        self, gts: Sequence[dict], dets: Sequence[dict], num_classes: int
    ) -> None:
        if len(gts) != len(dets):
            raise ValueError(
                f'ground truth of {len(gts)} images, but detections of {len(dets)}'
            )
        self.num_classes = num_classes
        gt_groups, gt_labels, gt_bboxes, motion_ious = flatten(
            gts, 'motion_ious', num_classes, 'gts'
        )
        groups, labels, bboxes, scores = flatten(dets, 'scores', num_classes, 'dets')
        dtype = np.result_type(bboxes, gt_bboxes, np.float32)

        # Ground truth by (image, class), so that a detection's is a run of it.
        order = np.argsort(gt_groups, kind='stable')
        gt_groups, gt_bboxes = gt_groups[order], gt_bboxes[order].astype(dtype)
        self.gt_labels = gt_labels[order]
        self.motion_ious = motion_ious[order]
        self._num_empty_frames = _count_frames_without_objects(gts)

        # Detections by class, then falling score. Any group's are in turn too.
        order = np.lexsort((-scores, labels))
        groups, self.scores = groups[order], scores[order]
        self._class_ends = np.searchsorted(labels[order], np.arange(num_classes + 1))

        # Only "contested" detections have ground truth of their class.
        run_lengths = np.bincount(gt_groups, minlength=len(gts) * num_classes)
        run_starts = run_lengths.cumsum() - run_lengths
        self._contested = np.flatnonzero(run_lengths[groups])
        self._groups = groups[self._contested]
        self._num_gts = run_lengths[self._groups]
        # Pairs of a contested detection and its ground truth, run by run.
        self._runs = self._num_gts.cumsum() - self._num_gts
        self._pair_gt = np.repeat(run_starts[self._groups] - self._runs, self._num_gts)
        self._pair_gt += np.arange(len(self._pair_gt))
        self._pair_det = np.repeat(np.arange(len(self._contested)), self._num_gts)
        det_bboxes = bboxes[order[self._contested]].astype(dtype, copy=False)
        self._ious = np.empty(len(self._pair_gt), dtype)
        for start in range(0, len(self._ious), PAIRS_PER_STEP):
            pairs = slice(start, start + PAIRS_PER_STEP)
            self._ious[pairs] = published_iou(
                det_bboxes[self._pair_det[pairs]], gt_bboxes[self._pair_gt[pairs]]
            )
        self._candidates: dict[float, Candidates] = {}
        self._weights: dict[Range, np.ndarray] = {}

    def average_precision(
        self, iou_thr: float = 0.5, motion_range: Range = (0.0, 1.0)
    ) -> np.ndarray:
        """AP of every class.

        Args:
            iou_thr: Least IoU of a true positive. Defaults to 0.5.
            motion_range: Ends of the range of motion IoU, included. Defaults to (0, 1).

        Returns:
            APs, (num_classes, ), nan for classes without ground truth in the range.
        """
        true, false = self._classify(iou_thr, motion_range)
        num_positives = self.num_objects(motion_range)
        aps = np.full(self.num_classes, np.nan)
        for label in np.flatnonzero(num_positives):
            of_class = slice(*self._class_ends[label : label + 2])
            # Recall grows at true positives only, precision is highest there.
            at_true = np.flatnonzero(true[of_class])
            num_true = np.arange(1, len(at_true) + 1)
            num_false = np.cumsum(false[of_class])[at_true]
            precision = num_true / (num_false + num_true)
            envelope = np.maximum.accumulate(precision[::-1])
            aps[label] = envelope.sum() / num_positives[label]
        return aps

    def precision_recall(
        self,
        label: int,
        iou_thr: float = 0.5,
        motion_range: Range = (0.0, 1.0),
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Precision and recall of a class after each of its detections.

        Args:
            label: The class.
            iou_thr: Least IoU of a true positive. Defaults to 0.5.
            motion_range: Ends of the range of motion IoU, included. Defaults to (0, 1).

        Returns:
            Precision, recall (nan if the class has no ground truth in the range) and
            score, each (n, ), by falling score.
        """
        of_class = slice(*self._class_ends[label : label + 2])
        true, false = self._classify(iou_thr, motion_range)
        num_true = np.cumsum(true[of_class])
        num_false = np.cumsum(false[of_class])
        # 0 where all detections so far have dropped out.
        precision = num_true / np.maximum(num_false + num_true, np.spacing(1))
        num_positives = self.num_objects(motion_range)[label]
        recall = num_true / (num_positives or np.nan)
        return precision, recall, self.scores[of_class]

    def _ignored(self, motion_range: Range) -> np.ndarray:
        """Which ground truth is outside the range, (num_gts, )."""
        low, high = motion_range
        return (self.motion_ious < low) | (self.motion_ious > high)

    def num_objects(self, motion_range: Range = (0.0, 1.0)) -> np.ndarray:
        """Number of ground-truth boxes in the range, (num_classes, )."""
        in_range = self.gt_labels[~self._ignored(motion_range)]
        return np.bincount(in_range, minlength=self.num_classes)

    def _classify(
        self, iou_thr: float, motion_range: Range
    ) -> tuple[np.ndarray, np.ndarray]:
        """Decide what every detection is.

        Returns:
            Whether it is a true positive, and as how much of a false positive it
            counts, both (num_dets, ).
        """
        low, high = motion_range  # perhaps a list, which is no key
        motion_range = (low, high)
        ignored = self._ignored(motion_range)
        if iou_thr not in self._candidates:
            self._candidates[iou_thr] = self._find_candidates(iou_thr)
        dets, gts = self._candidates[iou_thr].match(ignored)
        true = np.zeros(len(self.scores), bool)
        true[self._contested[dets]] = ~ignored[gts]
        if motion_range not in self._weights:
            share = self._share_in_range(motion_range)
            self._weights[motion_range] = self._false_positive_weights(ignored, share)
        false = self._weights[motion_range].copy()
        false[self._contested[dets]] = 0
        return true, false

    def _share_in_range(self, motion_range: Range) -> float:
        """Share of the data set's ground truth in the range; 0 if that is all."""
        low, high = motion_range
        total = len(self.motion_ious) + self._num_empty_frames
        in_range = np.count_nonzero(~self._ignored(motion_range))
        if low <= 0 <= high:
            in_range += self._num_empty_frames
        return in_range / total if in_range < total else 0.0

    def _false_positive_weights(self, ignored: np.ndarray, share: float) -> np.ndarray:
        """What a detection counts as a false positive, (num_dets, ).

        Args:
            ignored: Which ground truth is ignored, (num_gts, ).
            share: Weight in images without ground truth of the class.
        """
        weights = np.full(len(self.scores), share)
        if len(self._contested):
            pair_ignored = ignored[self._pair_gt]
            best_ignored = np.maximum.reduceat(
                np.where(pair_ignored, self._ious, -1), self._runs
            )
            best_counted = np.maximum.reduceat(
                np.where(pair_ignored, -1, self._ious), self._runs
            )
            num_ignored = np.add.reduceat(pair_ignored, self._runs, dtype=np.int64)
            weights[self._contested] = np.select(
                [best_counted > best_ignored, best_counted < best_ignored],
                [0, 1],
                num_ignored / self._num_gts,
            )
        return np.where(weights == 0, 1, np.where(weights == 1, 0, weights))

    def _find_candidates(self, iou_thr: float) -> Candidates:
        pairs = np.flatnonzero(self._ious >= iou_thr)
        dets = self._pair_det[pairs]
        return Candidates(
            dets, self._pair_gt[pairs], self._ious[pairs], self._groups[dets]
        )


class Candidates:
    """Pairs of a detection and a ground-truth box that may match.

    Args:
        dets: Detection of every pair, (P, ), rising; in any group, the one of the
            highest score has the lowest number.
        gts: Ground-truth box of every pair, (P, ), rising for every detection.
        ious: IoU of every pair, (P, ).
        groups: Image and class of every pair, (P, ).
    """

    def __init__(
        self,
        dets: np.ndarray,
        gts: np.ndarray,
        ious: np.ndarray,
        groups: np.ndarray,
    ) -> None:
        turns = _turns(dets, groups)
        order = np.lexsort((-ious, dets, turns))
        self.dets, self.gts, ious = dets[order], gts[order], ious[order]
        # Rounds are runs of pairs: the n-th candidate detection of every group.
        self.round_ends = np.cumsum(np.bincount(turns))
        differs = (self.dets[1:] != self.dets[:-1]) | (ious[1:] != ious[:-1])
        self.ties = np.concatenate([np.zeros(1, int), differs.cumsum()])[: len(ious)]
        self.has_ties = not differs.all()

    def match(self, ignored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Let the detections take ground truth greedily.

        Groups do not touch each other, so all take their turns in step.

        Args:
            ignored: Which ground truth is ignored, (num_gts, ).

        Returns:
            Detections and the ground truth they took, (M, ) each.
        """
        dets, gts = self.dets, self.gts
        if self.has_ties:
            preference = np.where(ignored[gts], len(ignored) - gts, gts)
            order = np.lexsort((preference, ignored[gts], self.ties))
            dets, gts = dets[order], gts[order]
        taken = np.zeros(len(ignored), bool)
        matched = np.zeros(len(gts), bool)
        start = 0
        for end in self.round_ends:
            free = start + np.flatnonzero(~taken[gts[start:end]])
            is_best = np.ones(len(free), bool)
            is_best[1:] = dets[free[1:]] != dets[free[:-1]]
            best = free[is_best]
            matched[best] = True
            taken[gts[best]] = True
            start = end
        return dets[matched], gts[matched]


def _turns(dets: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """How many different detections of its group come before a pair's, (P, )."""
    order = np.lexsort((dets, groups))
    dets, groups = dets[order], groups[order]
    new_group = np.ones(len(dets), bool)
    new_group[1:] = groups[1:] != groups[:-1]
    new_det = np.ones(len(dets), bool)
    new_det[1:] = dets[1:] != dets[:-1]
    count = np.cumsum(new_det) - 1
    turns = np.empty(len(dets), np.int64)
    turns[order] = count - count[new_group][np.cumsum(new_group) - 1]
    return turns


def published_iou(bboxes1: np.ndarray, bboxes2: np.ndarray) -> np.ndarray:
    """IoUs of pairs of boxes, (P, 4) and (P, 4) -> (P, ), sides 2 longer.

    Adds 1 where the published evaluator does, as rounding depends on it.
    """
    # Gathered copies, so they may be changed in place.
    bboxes1[:, 2:] += 1
    bboxes2[:, 2:] += 1
    sides1 = bboxes1[:, 2:] - bboxes1[:, :2] + 1
    sides2 = bboxes2[:, 2:] - bboxes2[:, :2] + 1
    areas = sides1[:, 0] * sides1[:, 1], sides2[:, 0] * sides2[:, 1]
    top_left = np.maximum(bboxes1[:, :2], bboxes2[:, :2])
    bottom_right = np.minimum(bboxes1[:, 2:], bboxes2[:, 2:])
    sides = (bottom_right - top_left + 1).clip(min=0)
    inter = sides[:, 0] * sides[:, 1]
    return inter / (areas[0] + areas[1] - inter)


def _count_frames_without_objects(gts: Sequence[dict]) -> int:
    return sum(
        not len(image['labels']) and not image.get('has_objects', False)
        for image in gts
    )


def flatten(
    images: Sequence[dict], value_key: str, num_classes: int, argument: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Join the boxes of all images.

    Returns:
        Group (``image * num_classes + label``), label, box and value (motion IoU or
        score) of every box.
    """
    bboxes = [np.asarray(image['bboxes']).reshape(-1, 4) for image in images]
    labels = [np.asarray(image['labels']).reshape(-1) for image in images]
    values = [np.asarray(image[value_key]).reshape(-1) for image in images]
    counts = np.fromiter(map(len, bboxes), np.int64, len(images))
    for key, arrays in (('labels', labels), (value_key, values)):
        lengths = np.fromiter(map(len, arrays), np.int64, len(images))
        if (lengths != counts).any():
            index = np.flatnonzero(lengths != counts)[0]
            raise ValueError(
                f'{argument}[{index}] has {counts[index]} bboxes, but '
                f'{lengths[index]} {key}'
            )
    if not counts.sum():
        empty = np.zeros(0, np.int64)
        return empty, empty, np.zeros((0, 4), np.float32), np.zeros(0)
    # Empty lists would turn all arrays into float64.
    filled = np.flatnonzero(counts)
    flat_labels = np.concatenate([labels[i] for i in filled]).astype(np.int64)
    image_ids = np.repeat(np.arange(len(images)), counts)
    wrong = np.flatnonzero((flat_labels < 0) | (flat_labels >= num_classes))
    if len(wrong):
        raise ValueError(
            f'{argument}[{image_ids[wrong[0]]}] has label {flat_labels[wrong[0]]}; '
            f'labels of {num_classes} classes are 0 to {num_classes - 1}'
        )
    return (
        image_ids * num_classes + flat_labels,
        flat_labels,
        np.concatenate([bboxes[i] for i in filled]),
        np.concatenate([values[i] for i in filled]),
    )
