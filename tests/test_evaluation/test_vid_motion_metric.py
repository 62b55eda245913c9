from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmtrack.registry import METRICS
from scipy.io import savemat

import stpn_plugin  # noqa: F401 (registers)
from stpn_plugin.evaluation import (
    MOTION_RANGES,
    VIDMotionMetric,
    load_vid_ground_truth,
    vid_motion_ap,
)
from tests.support.plain_motion_ap import plain_motion_iou, plain_vid_ap
from tests.support.vid_data import CLASSES, make_predictions, write_cocovid

META = dict(CLASSES=CLASSES)
THRESHOLDS = [t / 100 for t in range(50, 100, 5)]


@pytest.fixture
def ann_file(tmp_path: Path) -> str:
    path = tmp_path / 'vid.json'
    write_cocovid(path)
    return str(path)


def _read(path: str) -> dict:
    return json.loads(Path(path).read_text())


def _metric(ann_file: str, **options) -> VIDMotionMetric:
    metric = METRICS.build(dict(type='VIDMotionMetric', ann_file=ann_file, **options))
    metric.dataset_meta = META
    return metric


def _evaluate(metric: VIDMotionMetric, predictions: list) -> dict:
    for start in range(0, len(predictions), 4):  # batches
        metric.process({}, predictions[start : start + 4])
    return metric.evaluate(len(predictions))


def _reference(
    content: dict, predictions: list, motion_iou: float | None = None
) -> dict:
    """APs (thresholds, classes) of every range, of the images predicted.

    Motion IoUs are computed from all of the content, unless one is given for all.
    """
    frame_of = {im['id']: (im['video_id'], im['frame_id']) for im in content['images']}
    anns = content['annotations']
    motion_of = {}
    for video in content['videos']:
        own = [a for a in anns if a['video_id'] == video['id']]
        ious = plain_motion_iou(
            [_corners(a['bbox']) for a in own],
            [frame_of[a['image_id']][1] for a in own],
            [a['instance_id'] for a in own],
        )
        motion_of.update(zip((a['id'] for a in own), ious))
    if motion_iou is not None:
        motion_of = dict.fromkeys(motion_of, motion_iou)
    gts, dets = [], []
    by_image = {prediction['img_id']: prediction for prediction in predictions}
    for image in content['images']:
        if image['id'] not in by_image:
            continue
        own = [a for a in anns if a['image_id'] == image['id']]
        gts.append(
            dict(
                bboxes=[_corners(a['bbox']) for a in own],
                labels=[{30: 0, 10: 1, 20: 2}.get(a['category_id']) for a in own],
                motion_ious=[motion_of[a['id']] for a in own],
            )
        )
        pred = by_image[image['id']]['pred_det_instances']
        dets.append({key: value.tolist() for key, value in pred.items()})
    return {
        name: np.array([plain_vid_ap(gts, dets, 3, t, *limits) for t in THRESHOLDS])
        for name, limits in MOTION_RANGES.items()
    }


def _corners(bbox: list) -> list:
    x, y, w, h = bbox
    return [x, y, x + w, y + h]


def _mean(values: np.ndarray) -> float:
    values = values[~np.isnan(values)]
    return values.mean() if values.size else float('nan')


def test_equals_reference(ann_file: str) -> None:
    content = _read(ann_file)
    predictions = make_predictions(content)
    expected = _reference(content, predictions)
    metrics = _evaluate(_metric(ann_file, classwise=True), predictions)
    for name, suffix in zip(MOTION_RANGES, ('', '_fast', '_medium', '_slow')):
        aps = expected[name]
        values = {
            f'AP50{suffix}': _mean(aps[0]),
            f'AP75{suffix}': _mean(aps[5]),
            f'AP{suffix}': _mean(aps),
        }
        values.update({f'AP50{suffix}/{c}': ap for c, ap in zip(CLASSES, aps[0])})
        for key, value in values.items():
            actual = metrics.pop(f'vid/{key}')
            np.testing.assert_allclose(actual, value, atol=1e-6, err_msg=key)
    assert not metrics


def test_all_speeds_occur(ann_file: str) -> None:
    metrics = _evaluate(_metric(ann_file), make_predictions(_read(ann_file)))
    assert all(0 < value < 1 for value in metrics.values()), metrics


def test_second_evaluation_starts_afresh(ann_file: str) -> None:
    content = _read(ann_file)
    metric = _metric(ann_file)
    _evaluate(metric, make_predictions(content, seed=1))
    again = _evaluate(metric, make_predictions(content))
    assert again == _evaluate(_metric(ann_file), make_predictions(content))


def test_chosen_thresholds(ann_file: str) -> None:
    predictions = make_predictions(_read(ann_file))
    full = _evaluate(_metric(ann_file), predictions)
    single = _evaluate(_metric(ann_file, iou_thrs=[0.75], prefix='motion'), predictions)
    assert list(single) == [
        f'motion/AP75{s}' for s in ('', '_fast', '_medium', '_slow')
    ]
    assert single['motion/AP75_fast'] == full['vid/AP75_fast']
    two = _evaluate(_metric(ann_file, iou_thrs=[0.5, 0.75]), predictions)
    assert two['vid/AP'] == pytest.approx((two['vid/AP50'] + two['vid/AP75']) / 2)


def test_beside_coco_metric(ann_file: str) -> None:
    content = _read(ann_file)
    predictions = make_predictions(content)
    evaluator = Evaluator(
        [
            METRICS.build(dict(type='VIDMotionMetric', ann_file=ann_file)),
            METRICS.build(
                dict(type='CocoVideoMetric', ann_file=ann_file, metric='bbox')
            ),
        ]
    )
    evaluator.dataset_meta = META
    metrics = evaluator.offline_evaluate(predictions, chunk_size=5)
    assert metrics['coco/bbox_mAP_50'] == pytest.approx(metrics['vid/AP50'], abs=0.05)


def test_table(ann_file: str, caplog: pytest.LogCaptureFixture) -> None:
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        metrics = _evaluate(_metric(ann_file), make_predictions(_read(ann_file)))
    finally:
        logger.removeHandler(caplog.handler)
    lines = [line for line in caplog.text.splitlines() if line.startswith('| ')]
    assert [line.split()[1] for line in lines] == ['class', *CLASSES, 'mean']
    assert lines[0].split('|')[1:-1] == [
        ' class    ',
        *(f' {name:>5} ' for name in ('boxes', 'all', 'fast', 'medium', 'slow')),
    ]
    cells = [cell.strip() for cell in lines[-1].split('|')[1:-1]]
    speeds = [metrics[f'vid/AP50{s}'] for s in ('', '_fast', '_medium', '_slow')]
    assert cells[2:] == [f'{value:.3f}' for value in speeds]


def test_published_motion_ious(ann_file: str, tmp_path: Path) -> None:
    content = _read(ann_file)
    counts = [
        sum(a['image_id'] == image['id'] for a in content['annotations'])
        for image in content['images']
    ]
    table = np.empty((len(counts), 1), object)
    table[:, 0] = [np.full((count, 1), 0.8) for count in counts]
    mat = str(tmp_path / 'motion.mat')
    savemat(mat, dict(motion_iou=table))
    predictions = make_predictions(content)
    metrics = _evaluate(_metric(ann_file, motion_iou_file=mat), predictions)
    expected = _reference(content, predictions, motion_iou=0.8)
    assert metrics['vid/AP50_medium'] == pytest.approx(_mean(expected['medium'][0]))
    assert metrics['vid/AP50_medium'] > metrics['vid/AP50']  # empty frames weigh
    assert np.isnan(metrics['vid/AP50_fast'])

    # As published: a frame without objects has one cell, which is empty.
    empty_cell = np.empty((1, 1), object)
    empty_cell[0, 0] = np.zeros((0, 0))
    for row, count in enumerate(counts):
        if not count:
            table[row, 0] = empty_cell
    savemat(mat, dict(motion_iou=table))
    again = _evaluate(_metric(ann_file, motion_iou_file=mat), predictions)
    assert again == pytest.approx(metrics, nan_ok=True)

    table[counts.index(0), 0] = np.array([[0.8]])
    savemat(mat, dict(motion_iou=table))
    with pytest.raises(ValueError, match='1 objects for the image .*, but .* has 0'):
        _evaluate(_metric(ann_file, motion_iou_file=mat), predictions)
    table[counts.index(0), 0] = empty_cell
    table[0, 0] = np.full((counts[0] + 1, 1), 0.8)
    savemat(mat, dict(motion_iou=table))
    with pytest.raises(ValueError, match=r'2 objects for the image val/1/000000.JPEG'):
        _evaluate(_metric(ann_file, motion_iou_file=mat), predictions)
    savemat(mat, dict(motion_iou=table[:-1]))
    with pytest.raises(ValueError, match=r'about 41 images, but .*vid.json has 42'):
        _evaluate(_metric(ann_file, motion_iou_file=mat), predictions)


def test_order_of_motion_ious(ann_file: str, tmp_path: Path) -> None:
    """The values of an image go to its annotations in the order of the file."""
    content = _read(ann_file)
    table = np.empty((len(content['images']), 1), object)
    for index, image in enumerate(content['images']):
        own = [a for a in content['annotations'] if a['image_id'] == image['id']]
        table[index, 0] = np.array(
            [[0.1 if a['category_id'] == 30 else 0.95] for a in own]
        )
    mat = str(tmp_path / 'motion.mat')
    savemat(mat, dict(motion_iou=table))
    metrics = _evaluate(
        _metric(ann_file, motion_iou_file=mat, classwise=True),
        make_predictions(content),
    )
    is_nan = {c: np.isnan(metrics[f'vid/AP50_fast/{c}']) for c in CLASSES}
    assert is_nan == dict(zebra=False, antelope=True, bear=True)


def test_crowds_and_other_categories_are_left_out(ann_file: str) -> None:
    content = _read(ann_file)
    predictions = make_predictions(content)
    expected = _evaluate(_metric(ann_file), predictions)
    image = content['images'][0]
    extra = dict(image_id=image['id'], video_id=1, bbox=[0, 0, 9, 9], area=81)
    content['annotations'] += [
        dict(extra, id=1, instance_id=900, category_id=40, iscrowd=False),
        dict(extra, id=2, instance_id=901, category_id=10, iscrowd=True),
    ]
    Path(ann_file).write_text(json.dumps(content))
    assert _evaluate(_metric(ann_file), predictions) == expected


def test_image_of_left_out_annotations_is_no_empty_frame(ann_file: str) -> None:
    """It counts neither as an empty frame nor, by its boxes, as ground truth."""
    content = _read(ann_file)
    predictions = make_predictions(content)
    owners = {annotation['image_id'] for annotation in content['annotations']}
    empty = [image for image in content['images'] if image['id'] not in owners]
    kinds = (dict(category_id=40), dict(iscrowd=True), dict(ignore=True))
    for number, image in enumerate(empty):
        box = dict(bbox=[0, 0, 9, 9], area=81, category_id=10, iscrowd=False)
        content['annotations'].append(
            {
                **box,
                **kinds[number % 3],
                'id': number,
                'instance_id': 900 + number,
                'image_id': image['id'],
                'video_id': image['video_id'],
            }
        )
    Path(ann_file).write_text(json.dumps(content))
    actual = _evaluate(_metric(ann_file), predictions)

    truth = load_vid_ground_truth(ann_file, CLASSES)
    dets = [prediction['pred_det_instances'] for prediction in predictions]
    shown = vid_motion_ap(truth.gts, dets, len(CLASSES))
    for gt in truth.gts:
        gt['has_objects'] = bool(len(gt['labels']))
    as_empty = vid_motion_ap(truth.gts, dets, len(CLASSES))
    for name in ('fast', 'medium', 'slow'):
        assert actual[f'vid/AP50_{name}'] == pytest.approx(shown[name]['map'])
        assert actual[f'vid/AP50_{name}'] != pytest.approx(as_empty[name]['map'])


def _part(content: dict, predictions: list, part: str) -> list:
    """Predictions of a part of the set: a video, the images of a class, every third."""
    if part == 'subset':
        return predictions[::3]
    if part == 'video':
        ids = {image['id'] for image in content['images'] if image['video_id'] == 2}
    else:
        ids = {a['image_id'] for a in content['annotations'] if a['category_id'] == 20}
    return [prediction for prediction in predictions if prediction['img_id'] in ids]


@pytest.mark.parametrize('part', ['video', 'class', 'subset'])
def test_part_of_the_set(
    ann_file: str, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    """Scored as a set of its own, with the motion IoUs of the whole."""
    content = _read(ann_file)
    predictions = _part(content, make_predictions(content), part)
    number = len(predictions)
    assert 10 <= number < 42
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    try:
        metrics = _evaluate(_metric(ann_file), predictions[::-1])
    finally:
        logger.removeHandler(caplog.handler)
    assert f'{number} of 42 images' in caplog.text
    assert metrics['vid/num_images'] == number
    assert metrics['vid/num_images_in_file'] == 42
    expected = _reference(content, predictions)
    for name, suffix in zip(MOTION_RANGES, ('', '_fast', '_medium', '_slow')):
        np.testing.assert_allclose(
            metrics[f'vid/AP50{suffix}'], _mean(expected[name][0]), atol=1e-6
        )


def test_result_files_of_a_part(ann_file: str, tmp_path: Path) -> None:
    """Frames keep the numbers that they have in the whole."""
    content = _read(ann_file)
    predictions = make_predictions(content)
    whole, part = str(tmp_path / 'whole'), str(tmp_path / 'part')
    for prefix, predicted in ((whole, predictions), (part, predictions[14:28])):
        metric = _metric(ann_file, format_only=True, outfile_prefix=prefix)
        assert _evaluate(metric, predicted) == {}
    lines = Path(f'{whole}.txt').read_text().splitlines()
    expected = [line for line in lines if 14 < int(line.split()[0]) <= 28]
    assert Path(f'{part}.txt').read_text().splitlines() == expected
    entries = json.loads(Path(f'{whole}.bbox.json').read_text())
    ids = {prediction['img_id'] for prediction in predictions[14:28]}
    expected = [entry for entry in entries if entry['image_id'] in ids]
    assert json.loads(Path(f'{part}.bbox.json').read_text()) == expected


def test_result_files(ann_file: str, tmp_path: Path) -> None:
    content = _read(ann_file)
    predictions = make_predictions(content)
    prefix = str(tmp_path / 'new folder' / 'results')
    metric = _metric(ann_file, format_only=True, outfile_prefix=prefix)
    shuffled = [predictions[i] for i in np.random.default_rng(0).permutation(42)]
    assert _evaluate(metric, shuffled) == {}
    entries = json.loads(Path(f'{prefix}.bbox.json').read_text())
    lines = Path(f'{prefix}.txt').read_text().splitlines()
    expected = []
    for index, prediction in enumerate(predictions, start=1):
        pred = prediction['pred_det_instances']
        for box, label, score in zip(
            *(pred[k] for k in ('bboxes', 'labels', 'scores'))
        ):
            expected.append((index, prediction['img_id'], box, label, score))
    assert len(expected) == len(entries) == len(lines) > 42
    for (index, image_id, box, label, score), entry, line in zip(
        expected, entries, lines
    ):
        category = (30, 10, 20)[label]
        assert (entry['image_id'], entry['category_id']) == (image_id, category)
        assert entry['score'] == score.item()
        corners = [*entry['bbox'][:2], *np.add(entry['bbox'][:2], entry['bbox'][2:])]
        np.testing.assert_allclose(corners, box, rtol=1e-5)
        fields = line.split()
        assert fields[:2] == [str(index), str(category)]
        np.testing.assert_allclose(float(fields[2]), score, atol=1e-6)
        np.testing.assert_allclose([float(f) for f in fields[3:]], box, atol=0.006)


def test_result_files_of_test_set(ann_file: str, tmp_path: Path) -> None:
    """Without annotations there is nothing to evaluate, but there is to write."""
    content = _read(ann_file)
    predictions = make_predictions(content)
    del content['annotations']
    Path(ann_file).write_text(json.dumps(content))
    prefix = str(tmp_path / 'results')
    metric = _metric(ann_file, format_only=True, outfile_prefix=prefix)
    assert _evaluate(metric, predictions) == {}
    assert Path(f'{prefix}.txt').is_file()
    with pytest.raises(ValueError, match='vid.json has no annotations'):
        _evaluate(_metric(ann_file), predictions)


def test_half_precision_predictions(ann_file: str) -> None:
    predictions = make_predictions(_read(ann_file))
    expected = _evaluate(_metric(ann_file), predictions)
    for prediction in predictions:
        pred = prediction['pred_det_instances']
        pred['scores'] = pred['scores'].bfloat16()
    actual = _evaluate(_metric(ann_file), predictions)
    assert actual['vid/AP50'] == pytest.approx(expected['vid/AP50'], abs=0.05)


def test_repeated_images_count_once(ann_file: str) -> None:
    predictions = make_predictions(_read(ann_file))
    expected = _evaluate(_metric(ann_file), predictions)
    assert _evaluate(_metric(ann_file), predictions + predictions[:3]) == expected


def test_errors(ann_file: str) -> None:
    with pytest.raises(FileNotFoundError, match='no/file.json does not exist'):
        VIDMotionMetric('no/file.json')
    with pytest.raises(FileNotFoundError, match='no/file.mat does not exist'):
        VIDMotionMetric(ann_file, motion_iou_file='no/file.mat')
    with pytest.raises(ValueError, match='needs outfile_prefix'):
        VIDMotionMetric(ann_file, format_only=True)
    with pytest.raises(ValueError, match='iou_thrs'):
        VIDMotionMetric(ann_file, iou_thrs=[50])

    predictions = make_predictions(_read(ann_file))
    with pytest.raises(ValueError, match='none of the 42 images in .*vid.json has a'):
        _evaluate(_metric(ann_file), [])
    foreign = dict(predictions[0], img_id=12345)
    with pytest.raises(ValueError, match='not in .*vid.json, the first has id 12345'):
        _evaluate(_metric(ann_file), [*predictions, foreign])

    metric = _metric(ann_file)
    metric.dataset_meta = dict(CLASSES=('zebra', 'unicorn'))
    with pytest.raises(ValueError, match=r"no category for the classes \['unicorn'\]"):
        _evaluate(metric, predictions)
    metric = _metric(ann_file)
    metric.dataset_meta = dict(classes=('zebra', 'bear'))
    with pytest.raises(ValueError, match='label 2, but the dataset has 2 classes'):
        _evaluate(metric, predictions)
    metric = _metric(ann_file)
    metric.dataset_meta = None
    with pytest.raises(ValueError, match="dataset_meta has no 'classes'"):
        _evaluate(metric, predictions)


def test_incomplete_annotations(ann_file: str) -> None:
    content = _read(ann_file)
    predictions = make_predictions(content)
    for annotation in content['annotations']:
        del annotation['instance_id']
    Path(ann_file).write_text(json.dumps(content))
    with pytest.raises(ValueError, match="lacks 'instance_id'"):
        _evaluate(_metric(ann_file), predictions)
    Path(ann_file).write_text('[]')
    with pytest.raises(ValueError, match='no CocoVID file'):
        _evaluate(_metric(ann_file), predictions)


def _run_rank(rank: int, ann_file: str, folder: str) -> None:
    import os
    from datetime import timedelta

    os.chdir(folder)  # mmtrack collects in a folder of the working directory
    dist.init_process_group(
        'gloo',
        init_method=f'file://{folder}/rendezvous',
        rank=rank,
        world_size=2,
        timeout=timedelta(minutes=2),
    )
    predictions = make_predictions(_read(ann_file))
    own = predictions[:14] if rank == 0 else predictions[14:]  # videos 1 | 2 and 3
    metrics = _evaluate(_metric(ann_file), own)
    torch.save(metrics, f'{rank}.pth')
    dist.barrier()  # neither leaves while the other still talks to it
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes(ann_file: str, tmp_path: Path) -> None:
    mp.spawn(_run_rank, (ann_file, str(tmp_path)), nprocs=2)
    expected = _evaluate(_metric(ann_file), make_predictions(_read(ann_file)))
    for rank in range(2):
        assert torch.load(tmp_path / f'{rank}.pth', weights_only=False) == expected
