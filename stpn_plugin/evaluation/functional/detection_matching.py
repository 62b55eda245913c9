"""Which detections meet which ground truth, over all classes of an image."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from .vid_motion_ap import PAIRS_PER_STEP, Candidates, flatten, published_iou


class DetectionMatching:
    """Detections of a data set, matched with its ground truth.

    In every image and class, detections by falling score each take the free ground
    truth of the highest IoU that reaches the threshold, as
    :class:`VIDMotionEvaluator` has it when all ground truth counts, with the same
    definition of IoU.

    Args:
        gts: Ground truth per image: ``bboxes`` (n, 4) as ``x1, y1, x2, y2`` and
            ``labels`` (n, ) from 0.
        dets: Detections of the same images: ``bboxes`` (m, 4), ``labels`` (m, ) from 0,
            ``scores`` (m, ), in any order.
        num_classes: Number of classes.
        iou_thr: Least IoU of a match. Defaults to 0.5.

    Attributes:
        order: The D detections, numbered through all images as they are given, by
            falling score, (D, ). All other arrays of detections follow it.
        images: Image of every detection, (D, ).
        labels: Its label, (D, ).
        scores: Its score, (D, ).
        matches: Ground truth that it took, or -1, (D, ).
        same_class_iou: Its highest IoU with ground truth of its class in its image,
            taken or not; 0 if there is none, (D, ).
        same_class_gt: That ground truth, or -1, (D, ).
        other_class_iou: Likewise, of the other classes, (D, ).
        other_class_gt: That ground truth, or -1, (D, ).
        gt_images: Image of every ground-truth box, numbered through all images, (G, ).
        gt_labels: Its label, (G, ).

    Raises:
        ValueError: If the lists or the arrays in them do not fit together, or a label
            is not below ``num_classes``.
    """

    def __init__(
        self,
        gts: Sequence[dict],
        dets: Sequence[dict],
        num_classes: int,
        iou_thr: float = 0.5,
    ) -> None:
        if len(gts) != len(dets):
            raise ValueError(
                f'ground truth of {len(gts)} images, but detections of {len(dets)}'
            )
        gt_groups, self.gt_labels, gt_bboxes, _ = flatten(
            gts, 'labels', num_classes, 'gts'
        )
        self.gt_images = gt_groups // num_classes
        groups, labels, bboxes, scores = flatten(dets, 'scores', num_classes, 'dets')
        self.order = np.argsort(-scores, kind='stable')
        groups, bboxes = groups[self.order], bboxes[self.order]
        self.labels, self.scores = labels[self.order], scores[self.order]
        self.images = groups // num_classes

        dtype = np.result_type(bboxes, gt_bboxes, np.float32)
        bboxes, gt_bboxes = bboxes.astype(dtype), gt_bboxes.astype(dtype)
        num_dets = len(groups)
        self.same_class_iou = np.zeros(num_dets, dtype)
        self.other_class_iou = np.zeros(num_dets, dtype)
        self.same_class_gt = np.full(num_dets, -1)
        self.other_class_gt = np.full(num_dets, -1)

        # The ground truth of an image is a run; pairs are made of it and every
        # detection of the image, so many detections at a time.
        run_lengths = np.bincount(self.gt_images, minlength=len(gts))
        run_starts = run_lengths.cumsum() - run_lengths
        contested = np.flatnonzero(run_lengths[self.images])
        num_pairs = run_lengths[self.images[contested]]
        steps = np.cumsum(num_pairs) // PAIRS_PER_STEP
        candidates = []
        for chunk in np.split(contested, 1 + np.flatnonzero(np.diff(steps))):
            if not len(chunk):
                continue
            counts = run_lengths[self.images[chunk]]
            runs = counts.cumsum() - counts
            pair_det = np.repeat(chunk, counts)
            pair_gt = np.repeat(run_starts[self.images[chunk]] - runs, counts)
            pair_gt += np.arange(len(pair_gt))
            ious = published_iou(bboxes[pair_det], gt_bboxes[pair_gt])
            same = self.labels[pair_det] == self.gt_labels[pair_gt]
            for is_kind, best_iou, best_gt in (
                (same, self.same_class_iou, self.same_class_gt),
                (~same, self.other_class_iou, self.other_class_gt),
            ):
                of_kind = np.where(is_kind, ious, 0)
                best_iou[chunk] = np.maximum.reduceat(of_kind, runs)
                is_best = (of_kind > 0) & (of_kind == best_iou[pair_det])
                # Backwards, so that the first of equals is the one that stays.
                best_gt[pair_det[is_best][::-1]] = pair_gt[is_best][::-1]
            may_match = same & (ious >= iou_thr)
            candidates.append(
                (pair_det[may_match], pair_gt[may_match], ious[may_match])
            )

        self.matches = np.full(num_dets, -1)
        if candidates:
            pair_det, pair_gt, ious = map(np.concatenate, zip(*candidates))
            if len(pair_det):
                found = Candidates(pair_det, pair_gt, ious, groups[pair_det])
                matched, taken = found.match(np.zeros(len(self.gt_labels), bool))
                self.matches[matched] = taken
