from __future__ import annotations

import sys

import numpy as np
import pytest

from stpn_plugin.evaluation import MOTION_RANGES, VIDMotionEvaluator, vid_motion_ap
from tests.support.golden import load_golden
from tests.support.plain_motion_ap import plain_vid_ap

BOX = [10.0, 10.0, 49.0, 49.0]
FAR = [200.0, 200.0, 239.0, 239.0]
NUM_CLASSES = 4


def gt(*boxes: tuple) -> dict:
    """Ground truth of an image out of (box, label, motion IoU)."""
    return _columns(boxes, 'motion_ious')


def det(*boxes: tuple) -> dict:
    """Detections of an image out of (box, label, score)."""
    return _columns(boxes, 'scores')


def _columns(boxes: tuple, value_key: str) -> dict:
    return {
        'bboxes': np.array([box for box, _, _ in boxes], np.float32).reshape(-1, 4),
        'labels': np.array([label for _, label, _ in boxes], np.int64),
        value_key: np.array([value for _, _, value in boxes]),
    }


def check(gts: list, dets: list, num_classes: int = NUM_CLASSES, iou_thr=0.5) -> dict:
    """Compare with the reference in all ranges."""
    result = vid_motion_ap(gts, dets, num_classes, iou_thr)
    assert list(result) == ['all', 'fast', 'medium', 'slow']
    for name, (low, high) in MOTION_RANGES.items():
        expected = plain_vid_ap(
            _float64(gts), _float64(dets), num_classes, iou_thr, low, high
        )
        np.testing.assert_allclose(result[name]['ap'], expected, atol=1e-9)
        present = [ap for ap in expected if not np.isnan(ap)]
        mean = np.mean(present) if present else np.nan
        np.testing.assert_allclose(result[name]['map'], mean, atol=1e-9)
    return result


def _float64(images: list) -> list:
    return [{key: np.asarray(v, float) for key, v in im.items()} for im in images]


def make_dataset(seed: int, num_images: int, grid: int, score_levels: int) -> tuple:
    """Boxes with integer corners on a grid, so that IoUs often are equal.

    Small ``grid`` and ``score_levels`` bring ties of IoU and of score, boxes that
    occur twice, and motion IoUs at the ends of the ranges.
    """
    rng = np.random.default_rng(seed)
    step = 64 // grid

    def boxes(count: int) -> np.ndarray:
        corners = rng.integers(0, grid, (count, 2)) * step
        sides = rng.integers(1, grid + 1, (count, 2)) * step
        return np.hstack([corners, corners + sides]).astype(np.float32)

    gts, dets = [], []
    for _ in range(num_images):
        count = rng.integers(0, 5)
        gts.append(
            dict(
                bboxes=boxes(count),
                labels=rng.integers(0, NUM_CLASSES - 1, count),
                motion_ious=rng.choice([0, 0.5, 0.7, 0.8, 0.9, 0.95, 1], count),
            )
        )
        count = rng.integers(0, 12)
        near = boxes(count)
        if len(gts[-1]['bboxes']) and count:
            chosen = rng.integers(0, len(gts[-1]['bboxes']), count)
            copied = rng.random(count) < 0.7
            near[copied] = gts[-1]['bboxes'][chosen[copied]]
            near[copied] += rng.integers(-1, 2, (copied.sum(), 4)) * (step // 4)
        dets.append(
            dict(
                bboxes=near,
                labels=rng.integers(0, NUM_CLASSES, count),
                scores=rng.integers(1, score_levels, count) / score_levels,
            )
        )
    return gts, dets


def test_equals_published() -> None:
    cfg, _, _, inputs, outputs, _ = load_golden('vid_eval_mat')
    data = {key: value.numpy() for key, value in inputs.items()}
    gts, dets = [], []
    for image in range(cfg['n_images']):
        boxes = data['gt_image'] == image
        gts.append(
            dict(
                bboxes=data['gt_boxes'][boxes],
                labels=data['gt_labels'][boxes] - 1,
                motion_ious=data['gt_motion_iou'][boxes],
            )
        )
        boxes = data['det_image'] == image
        dets.append(
            dict(
                bboxes=data['det_boxes'][boxes],
                labels=data['det_labels'][boxes] - 1,
                scores=data['det_scores'][boxes],
            )
        )
    result = vid_motion_ap(gts, dets, cfg['num_classes'], cfg['iou_thresh'])
    assert list(result) == cfg['names']
    for values, ap, mean in zip(result.values(), outputs['f64_ap'], outputs['f64_map']):
        np.testing.assert_allclose(values['ap'], ap[1:], atol=1e-9)
        assert values['map'] == pytest.approx(mean.item(), abs=1e-9)


@pytest.mark.parametrize('iou_thr', [0.3, 0.5, 0.75, 1.0])
@pytest.mark.parametrize('score_levels', [4, 10**6])
@pytest.mark.parametrize('grid', [2, 4, 16])
@pytest.mark.parametrize('seed', range(5))
def test_equals_reference(
    seed: int, grid: int, score_levels: int, iou_thr: float
) -> None:
    check(*make_dataset(seed, 40, grid, score_levels), iou_thr=iou_thr)


def test_steps_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """IoUs are computed in several steps if there are many."""
    monkeypatch.setattr(sys.modules[vid_motion_ap.__module__], 'PAIRS_PER_STEP', 7)
    check(*make_dataset(0, 40, 4, 10**6))


def test_order_of_detections_does_not_matter() -> None:
    gts, dets = make_dataset(1, 40, 8, 10**6)
    expected = vid_motion_ap(gts, dets, NUM_CLASSES)
    for image in dets:
        order = np.random.default_rng(0).permutation(len(image['scores']))
        image.update({key: value[order] for key, value in image.items()})
    actual = vid_motion_ap(gts, dets, NUM_CLASSES)
    for name in expected:
        np.testing.assert_array_equal(actual[name]['ap'], expected[name]['ap'])


@pytest.mark.parametrize(('height', 'ap'), [(2.25, 1), (1.75, 0)])
def test_sides_are_2_longer(height: float, ap: float) -> None:
    """IoU 4.25 / 8 matches; with sides 1 longer it would be 3.25 / 7."""
    gts = [gt(([0.0, 0.0, 8.0, 6.0], 0, 0.5))]
    dets = [det(([0.0, 0.0, 8.0, height], 0, 0.9))]
    assert check(gts, dets, 1)['all']['map'] == ap


def test_iou_at_threshold_matches() -> None:
    gts = [gt(([0.0, 0.0, 8.0, 6.0], 0, 0.5))]  # 10 by 8
    half = [0.0, 0.0, 8.0, 2.0]  # 10 by 4
    assert check(gts, [det((half, 0, 0.9))], 1)['all']['map'] == 1


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_ends_of_ranges_belong_to_both(dtype: type) -> None:
    gts = [gt((BOX, 0, 0.7)), gt((BOX, 1, 0.9))]
    dets = [det((BOX, 0, 0.9)), det((BOX, 1, 0.9))]
    for image in gts:
        image['motion_ious'] = image['motion_ious'].astype(dtype)
    result = vid_motion_ap(gts, dets, 2)
    np.testing.assert_equal(result['fast']['ap'], [1, np.nan])
    np.testing.assert_equal(result['medium']['ap'], [1, 1])
    np.testing.assert_equal(result['slow']['ap'], [np.nan, 1])


def test_second_detection_of_an_object_is_false() -> None:
    gts = [gt((BOX, 0, 0.5), (FAR, 0, 0.5))]
    dets = [det((BOX, 0, 0.9), (BOX, 0, 0.8), (FAR, 0, 0.7))]
    result = check(gts, dets, 1)
    assert result['fast']['map'] == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_detection_of_ignored_object_drops_out() -> None:
    gts = [gt((BOX, 0, 0.95), (FAR, 0, 0.5))]
    dets = [det((BOX, 0, 0.9), (FAR, 0, 0.8))]
    result = check(gts, dets, 1)
    assert result['fast']['map'] == result['slow']['map'] == 1


@pytest.mark.parametrize('motion_ious', [(0.95, 0.5), (0.5, 0.95)])
def test_tie_prefers_object_not_ignored(motion_ious: tuple) -> None:
    gts = [gt(*((BOX, 0, motion) for motion in motion_ious))]
    result = check(gts, [det((BOX, 0, 0.9))], 1)
    assert result['fast']['map'] == result['slow']['map'] == 1


def test_weight_if_best_ious_are_equal() -> None:
    """Off all objects, a detection counts as the share of the ignored ones."""
    gts = [gt((BOX, 0, 0.5), (BOX, 0, 0.95), (BOX, 0, 0.95), (BOX, 0, 0.95))]
    dets = [det((FAR, 0, 0.9), (BOX, 0, 0.8))]
    result = check(gts, dets, 1)
    assert result['fast']['map'] == pytest.approx(1 / (1 + 3 / 4))


def test_near_miss_of_ignored_object_drops_out() -> None:
    shifted = [30.0, 10.0, 69.0, 49.0]
    gts = [gt((BOX, 0, 0.95), (FAR, 0, 0.5))]
    dets = [det((shifted, 0, 0.9), (BOX, 0, 0.8), (FAR, 0, 0.7))]
    result = check(gts, dets, 1)
    assert result['fast']['map'] == 1
    assert result['slow']['map'] == pytest.approx(1 / 2)


def test_weight_in_image_without_object_of_class() -> None:
    """The share of the data set's objects in the range, of all classes."""
    gts = [
        gt((BOX, 0, 0.5), (BOX, 1, 0.95), (FAR, 1, 0.8)),
        gt((FAR, 1, 0.95)),
    ]
    dets = [det((BOX, 0, 0.8)), det((BOX, 0, 0.9))]
    result = check(gts, dets, 2)
    assert result['fast']['ap'][0] == pytest.approx(1 / (1 + 1 / 4))
    # All objects are in the range: the detection counts wholly.
    assert result['all']['ap'][0] == pytest.approx(1 / 2)


def test_frames_without_objects_count_in_that_weight() -> None:
    """Each as one more object of motion IoU 0; they are in fast's range alone."""
    gts = [gt((BOX, 0, 0.5), (FAR, 0, 0.95)), gt(), gt(), gt()]
    dets = [det((BOX, 0, 0.8), (FAR, 0, 0.8)), det((BOX, 0, 0.9)), det(), det()]
    result = check(gts, dets, 1)
    assert result['fast']['map'] == pytest.approx(1 / (1 + 4 / 5))
    assert result['slow']['map'] == pytest.approx(1 / (1 + 1 / 5))
    assert result['all']['map'] == pytest.approx(2 / 3)
    # All objects are in the range, but not all that is counted.
    slow = [gt((BOX, 0, 0.95)), gt()]
    dets = [det((BOX, 0, 0.8)), det((BOX, 0, 0.9))]
    assert check(slow, dets, 1)['slow']['map'] == pytest.approx(1 / (1 + 1 / 2))


def test_frame_of_objects_that_are_not_evaluated_is_not_without_objects() -> None:
    gts = [gt((BOX, 0, 0.5), (FAR, 0, 0.95)), gt()]
    gts[1]['has_objects'] = True
    dets = [det((BOX, 0, 0.8)), det((BOX, 0, 0.9))]
    assert check(gts, dets, 1)['fast']['map'] == pytest.approx(1 / (1 + 1 / 2))


def test_image_with_ignored_objects_only() -> None:
    gts = [gt((BOX, 0, 0.95), (FAR, 0, 0.95)), gt((BOX, 0, 0.5))]
    dets = [det((BOX, 0, 0.9), (BOX, 0, 0.8), (FAR, 0, 0.4)), det((BOX, 0, 0.7))]
    assert check(gts, dets, 1)['fast']['map'] == 1


def test_classes_without_objects_are_nan() -> None:
    gts = [gt((BOX, 1, 0.5))]
    dets = [det((BOX, 0, 0.9), (BOX, 1, 0.8))]
    result = check(gts, dets, 3)
    np.testing.assert_equal(result['fast']['ap'], [np.nan, 1, np.nan])
    assert result['fast']['map'] == 1
    assert np.isnan(result['slow']['map'])
    assert np.isnan(result['slow']['ap']).all()


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize(
    ('gts', 'dets'),
    [
        ([], []),
        ([gt(), gt()], [det(), det()]),
        ([gt((BOX, 0, 0.5))], [det()]),
        ([gt()], [det((BOX, 0, 0.5))]),
        # As mmdet and json may deliver them.
        (
            [dict(bboxes=[], labels=[], motion_ious=[])],
            [dict(bboxes=np.zeros((0, 4)), labels=np.zeros(0), scores=np.zeros(0))],
        ),
    ],
)
def test_nothing_to_match(gts: list, dets: list) -> None:
    result = check(gts, dets, 2)
    expected = 0 if gts and len(gts[0]['labels']) else np.nan
    np.testing.assert_equal(result['all']['ap'][0], expected)


def test_custom_ranges() -> None:
    gts, dets = make_dataset(3, 40, 8, 10**6)
    default = vid_motion_ap(gts, dets, NUM_CLASSES)
    named = vid_motion_ap(gts, dets, NUM_CLASSES, motion_ranges={'quick': (0, 0.7)})
    assert list(named) == ['quick']
    assert named['quick']['map'] == default['fast']['map']
    pairs = vid_motion_ap(gts, dets, NUM_CLASSES, motion_ranges=[[0.7, 0.9], [0, 1]])
    assert list(pairs) == [(0.7, 0.9), (0, 1)]
    assert pairs[0.7, 0.9]['map'] == default['medium']['map']


def test_precision_recall_has_the_area_of_ap() -> None:
    gts, dets = make_dataset(4, 60, 8, 10**6)
    evaluator = VIDMotionEvaluator(gts, dets, NUM_CLASSES)
    for motion_range in MOTION_RANGES.values():
        aps = evaluator.average_precision(0.5, motion_range)
        for label in range(NUM_CLASSES):
            precision, recall, scores = evaluator.precision_recall(
                label, 0.5, motion_range
            )
            count = sum((image['labels'] == label).sum() for image in dets)
            assert len(precision) == len(recall) == len(scores) == count
            assert (np.diff(scores) <= 0).all()
            if np.isnan(aps[label]):
                assert np.isnan(recall).all()
                continue
            envelope = np.maximum.accumulate(precision[::-1])[::-1]
            area = (np.diff(recall, prepend=0) * envelope).sum()
            assert area == pytest.approx(aps[label])


def test_wrong_input() -> None:
    with pytest.raises(ValueError, match='of 2 images, but detections of 1'):
        vid_motion_ap([gt(), gt()], [det()], 1)
    wrong = gt((BOX, 0, 0.5))
    wrong['motion_ious'] = np.zeros(2)
    with pytest.raises(ValueError, match=r'gts\[1\] has 1 bboxes, but 2 motion_ious'):
        vid_motion_ap([gt(), wrong], [det(), det()], 1)
    with pytest.raises(ValueError, match=r'dets\[1\] has label 1; .* 0 to 0'):
        vid_motion_ap([gt(), gt()], [det(), det((BOX, 1, 0.5))], 1)
