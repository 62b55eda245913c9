from __future__ import annotations

import numpy as np
import pytest

from stpn_plugin.evaluation import (
    ERROR_TYPES,
    DetectionMatching,
    error_breakdown,
    frame_scores,
    vid_motion_ap,
)
from tests.support.plain_motion_ap import plain_iou
from tests.support.vid_data import image, random_set

BOX = [100, 100, 200, 200]
HALF = [100, 100, 200, 140]  # IoU about 0.41 with BOX
FAR = [400, 400, 500, 500]


def only(kind: str) -> dict:
    return {name: int(name == kind) for name in ERROR_TYPES}


@pytest.mark.parametrize(
    ('kind', 'wrong'),
    [
        ('classification', (BOX, 1, 0.9)),
        ('localization', (HALF, 0, 0.9)),
        ('both', (HALF, 1, 0.9)),
        ('background', (FAR, 0, 0.9)),
    ],
)
def test_one_wrong_detection(kind: str, wrong: tuple) -> None:
    gts = [image((BOX, 0)), image((BOX, 1)), image((BOX, 0))]
    right = [image((BOX, 0, 0.5)), image((BOX, 1, 0.5))]
    errors = error_breakdown(gts, [*right, image(wrong)], num_classes=2)
    expected = only(kind)
    if kind in ('both', 'background'):
        expected['missed'] = 1
    assert errors.counts == expected

    # Class 0: the wrong detection comes first, then one of two objects is found.
    first = 0.5 * 0.5 if wrong[1] == 0 else 0.5
    second = 1.0 if wrong[1] == 0 else 0.5
    assert errors.ap == pytest.approx((first + second) / 2)
    if kind in ('classification', 'localization'):
        assert errors.ap + errors.delta_ap[kind] == pytest.approx(1)
    else:
        assert errors.ap + errors.delta_ap[kind] == pytest.approx((0.5 + 1) / 2)
        found = 0.5 if wrong[1] == 0 else 1
        assert errors.delta_ap['missed'] == pytest.approx((found - first) / 2)
    assert errors.false_positive_delta_ap == pytest.approx(0.75 - errors.ap)


def test_duplicate() -> None:
    gts = [image((BOX, 0)), image((BOX, 0))]
    dets = [image((BOX, 0, 0.9), (BOX, 0, 0.8)), image((BOX, 0, 0.7))]
    errors = error_breakdown(gts, dets, num_classes=1)
    assert errors.counts == only('duplicate')
    assert errors.ap == pytest.approx((1 + 2 / 3) / 2)
    assert errors.delta_ap == pytest.approx(
        {**dict.fromkeys(ERROR_TYPES, 0), 'duplicate': 1 - errors.ap}
    )


def test_missed() -> None:
    gts = [image((BOX, 0), (FAR, 0)), image((BOX, 1))]
    dets = [image((BOX, 0, 0.9)), image()]
    errors = error_breakdown(gts, dets, num_classes=3)
    assert errors.counts == {**only('missed'), 'missed': 2}
    assert errors.ap == 0.25
    # Of class 1 nothing is left: it stays at 0 rather than drop out of the mean.
    assert errors.delta_ap['missed'] == errors.false_negative_delta_ap == 0.25


def test_localization_goes_before_classification() -> None:
    gts = [image((BOX, 0), (HALF, 1))]
    errors = error_breakdown(gts, [image((HALF, 0, 0.9))], num_classes=2)
    assert errors.counts == {**only('localization'), 'missed': 1}


def test_mended_detections_do_not_become_duplicates() -> None:
    gts = [image((BOX, 0))]
    rivals = [image((BOX, 1, 0.9), (BOX, 1, 0.8))]
    errors = error_breakdown(gts, rivals, num_classes=2)
    assert errors.counts['classification'] == 2
    assert errors.delta_ap['classification'] == 1
    taken = [image((BOX, 0, 0.9), (BOX, 1, 0.8), (HALF, 0, 0.95))]
    errors = error_breakdown(gts, taken, num_classes=2)
    assert errors.ap == 0.5
    assert errors.delta_ap['classification'] == 0
    assert errors.delta_ap['localization'] == 0.5


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('pairs_per_step', [1, 7, 1 << 20])
def test_agrees_with_the_metric(
    seed: int, pairs_per_step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = 'stpn_plugin.evaluation.functional.detection_matching.PAIRS_PER_STEP'
    monkeypatch.setattr(module, pairs_per_step)
    gts, dets = random_set(seed)
    errors = error_breakdown(gts, dets, num_classes=4)
    result = vid_motion_ap(gts, dets, num_classes=4)['all']
    assert errors.ap == pytest.approx(result['map'], rel=1e-12)
    matching = DetectionMatching(gts, dets, num_classes=4)
    num_false = (matching.matches < 0).sum()
    assert sum(errors.counts.values()) - errors.counts['missed'] == num_false
    assert min(errors.counts.values()) > 0
    assert min(errors.delta_ap.values()) >= 0
    num_gts = np.bincount(matching.gt_labels)
    found = np.bincount(matching.gt_labels[matching.matches[matching.matches >= 0]])
    recall = (found / num_gts).mean()
    assert errors.ap + errors.false_positive_delta_ap == pytest.approx(recall)


def test_best_overlaps() -> None:
    gts, dets = random_set(5)
    found = DetectionMatching(gts, dets, num_classes=4)
    flat_gts = np.concatenate([gt['bboxes'] for gt in gts])
    flat_dets = np.concatenate([det['bboxes'] for det in dets])[found.order]
    for i, box in enumerate(flat_dets):
        ious = np.array([plain_iou(box, gt, extra=2) for gt in flat_gts])
        ious[found.gt_images != found.images[i]] = 0
        same = np.where(found.gt_labels == found.labels[i], ious, 0)
        other = np.where(found.gt_labels == found.labels[i], 0, ious)
        assert found.same_class_iou[i] == pytest.approx(same.max())
        assert found.other_class_iou[i] == pytest.approx(other.max())
        assert found.same_class_gt[i] == (same.argmax() if same.max() else -1)
        assert found.other_class_gt[i] == (other.argmax() if other.max() else -1)


def test_nothing() -> None:
    errors = error_breakdown([image()], [image()], num_classes=2)
    assert np.isnan(errors.ap)
    assert not any(errors.counts.values())


@pytest.mark.parametrize('thresholds', [(0.1, 0.5), (0.5, -0.1), (1.1, 0.1)])
def test_wrong_thresholds(thresholds: tuple) -> None:
    with pytest.raises(ValueError, match='background_iou < iou_thr'):
        error_breakdown([image()], [image()], 1, *thresholds)


def test_different_numbers_of_images() -> None:
    with pytest.raises(ValueError, match='1 images, but detections of 2'):
        error_breakdown([image()], [image(), image()], 1)


def test_frame_scores() -> None:
    gts = [
        image((BOX, 0), (FAR, 1)),
        image((BOX, 0)),
        image((BOX, 0)),
        image(),
        image(),
        image((BOX, 0)),
    ]
    dets = [
        image((BOX, 0, 0.8), (FAR, 0, 0.5)),
        image((BOX, 0, 1.0)),
        image((FAR, 0, 1.0)),
        image(),
        image((FAR, 1, 0.25)),
        image(),
    ]
    scores = frame_scores(gts, dets, num_classes=2)
    assert scores == pytest.approx([0.8 / 2.5, 1, 0, 1, 0.8, 0])
