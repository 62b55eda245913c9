from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mmcv import imread
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmtrack.registry import DATASETS
from pycocotools import mask as coco_mask

from projects.tiny_vid import demo, scores, tasks
from projects.tiny_vid.frame_metrics import OnFrames
from projects.tiny_vid.generate import (
    CLASSES,
    SPEEDS,
    Settings,
    generate,
    main,
    render_scene,
    sample_scene,
)
from stpn_plugin.datasets.converters import convert_det, convert_vid
from stpn_plugin.evaluation import SavedRun, motion_iou

SMALL = Settings(train_videos=3, val_videos=3, frames=6, stills=5, extra_stills=1)


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('tiny') / 'vid'
    generate(str(folder), SMALL)
    return folder


def contents(folder: Path) -> dict:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def test_same_seed_same_bytes(root: Path, tmp_path: Path) -> None:
    generate(str(tmp_path / 'again'), SMALL, jobs=2)
    assert contents(root) == contents(tmp_path / 'again')
    generate(str(tmp_path / 'other'), replace(SMALL, seed=1))
    assert contents(root) != contents(tmp_path / 'other')


def test_real_converters_find_nothing_wrong(root: Path, tmp_path: Path) -> None:
    reports = [
        *convert_vid(str(root), str(tmp_path), strict=True),
        *convert_det(str(root), str(tmp_path), strict=True),
    ]
    assert reports
    val = json.loads((tmp_path / 'imagenet_vid_val.json').read_text())
    assert len(val['images']) == 3 * 6 and len(val['annotations']) == 3 * 6
    det = json.loads((tmp_path / 'imagenet_det_30plus1cls.json').read_text())
    assert len(det['images']) == 6
    assert det['annotations'][-1]['category_id'] == 31  # in no list, of no VID class


def test_boxes_are_around_the_objects(root: Path) -> None:
    video = 'val/ILSVRC2015_val_00000000'
    kinds = json.loads((root / 'tiny_vid.json').read_text())['deterioration'][video]
    frame = kinds.index(None)
    img = imread(str(root / f'Data/VID/{video}/{frame:06d}.JPEG')).astype(float)
    xml = ET.parse(root / f'Annotations/VID/{video}/{frame:06d}.xml')
    x1, y1, x2, y2 = (
        int(xml.findtext(f'object/bndbox/{key}'))
        for key in ('xmin', 'ymin', 'xmax', 'ymax')
    )
    red_minus_blue = np.abs(img[..., 2] - img[..., 0])
    inside = red_minus_blue[y1:y2, x1:x2].mean()
    red_minus_blue[y1:y2, x1:x2] = np.nan
    assert inside > 30
    assert 0 <= x1 < x2 <= img.shape[1] and 0 <= y1 < y2 <= img.shape[0]


def test_masks_are_inside_the_boxes() -> None:
    scene = sample_scene(replace(SMALL, frames=8), np.random.default_rng(0))
    _, _, boxes, masks = render_scene(scene, [next(iter(CLASSES))])
    assert masks.shape == (8, 1, SMALL.height, SMALL.width)
    for (x1, y1, x2, y2), mask in zip(boxes[:, 0], masks[:, 0]):
        assert mask[y1:y2, x1:x2].sum() == mask.sum()
        assert mask.sum() > 0.6 * (x2 - x1 - 2) * (y2 - y1 - 2)  # all of the object


def test_annotations_of_other_tasks(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root, tmp_path / 'set')
    root = tmp_path / 'set'
    with pytest.raises(SystemExit, match='imagenet_vid_train.json is missing'):
        tasks.main([str(root)])
    list(convert_vid(str(root), str(root / 'annotations')))
    for _ in range(2):  # again over what is there
        tasks.main([str(root)])
    kinds = json.loads((root / 'tiny_vid.json').read_text())['deterioration']
    for split in ('train', 'val'):
        mot = json.loads((root / f'annotations/tiny_mot_{split}.json').read_text())
        vis = json.loads((root / f'annotations/tiny_vis_{split}.json').read_text())
        vid = json.loads((root / f'annotations/imagenet_vid_{split}.json').read_text())
        assert len(mot['categories']) == len(vis['categories']) == len(CLASSES)
        assert [a['id'] for a in mot['annotations']] == [
            a['id'] for a in vid['annotations']
        ]
        images = {image['id']: image for image in vid['images']}
        for image in mot['images']:
            frame = images[image['id']]['file_name']
            seen = imread(str(root / 'MOT' / image['file_name']))
            assert (seen == imread(str(root / 'Data/VID' / frame))).all()
        assert {a['mot_conf'] for a in mot['annotations']} == {1.0}
        for entry in vis['annotations']:
            x, y, w, h = coco_mask.toBbox(entry['segmentation'])
            x1, y1, w1, h1 = entry['bbox']
            assert x >= x1 and y >= y1 and x + w <= x1 + w1 + 1 and y + h <= y1 + h1 + 1
            assert w > 0.7 * w1
        tracks = {(a['video_id'], a['instance_id']) for a in vis['annotations']}
        assert len(tracks) == len({i for _, i in tracks}) == len(vis['videos'])
    assert set(kinds) == {v['name'] for v in vid['videos']} | {
        f'train/ILSVRC2015_VID_train_0000/ILSVRC2015_train_{i:08d}' for i in range(3)
    }


def test_masks_of_training_samples(root: Path, tmp_path: Path) -> None:
    """Whether a sample is flipped or not, its masks are where its boxes are."""
    shutil.copytree(root, tmp_path / 'set')
    list(convert_vid(str(tmp_path / 'set'), str(tmp_path / 'set/annotations')))
    tasks.write_tasks(str(tmp_path / 'set'))
    name = 'tiny_stpn-masktrack-rcnn_swin_fpn_1xb16-400_tinyvis.py'
    cfg = Config.fromfile(f'{demo.ROOT}/projects/tiny_vid/configs/{name}')
    (data,) = cfg.train_dataloader.dataset.datasets
    data.data_root = str(tmp_path / 'set')
    dataset = DATASETS.build(data)
    flipped = set()
    for _ in range(5):
        for sample in dataset:
            sample = sample['data_samples']
            flipped.add(bool(sample.flip))
            (box,), (mask,) = (
                sample.gt_instances.bboxes,
                sample.gt_instances.masks.masks,
            )
            x1, y1, x2, y2 = box.int().tolist()
            assert mask[y1 : y2 + 1, max(x1 - 1, 0) : x2 + 1].sum() == mask.sum() > 0
    assert flipped == {False, True}


class Frames(BaseMetric):
    """Tells which frames it was given."""

    def process(self, data_batch, data_samples) -> None:
        for sample in data_samples:
            self.results.append((sample['frame_id'], sample['video_length']))

    def compute_metrics(self, results: list) -> dict:
        return dict(frames=results)


class SomeFrames(OnFrames, Frames):
    pass


@pytest.mark.parametrize('layout', ['Data/VID/{}/000000.JPEG', 'MOT/{}/img1/0.JPEG'])
def test_metrics_of_some_frames(root: Path, layout: str) -> None:
    name, kinds = next(
        iter(json.loads((root / 'tiny_vid.json').read_text())['deterioration'].items())
    )
    samples = [
        dict(img_path=str(root / layout.format(name)), frame_id=i, video_length=6)
        for i in range(6)
    ]
    numbers = dict(all=6, sharp=kinds.count(None), deteriorated=6 - kinds.count(None))
    for frames, number in numbers.items():
        metric = SomeFrames(frames, str(root))
        metric.process(None, samples)
        found = metric.evaluate(6)[f'{frames}/frames']
        assert found == [(i, number) for i in range(number)]
    with pytest.raises(ValueError, match='frames must be one of'):
        SomeFrames('blurred', str(root))


def test_deteriorated_frames_do_not_tell_the_class() -> None:
    """With any class, they have the same bytes; sharp frames differ."""
    settings = replace(SMALL, frames=12)
    scene = sample_scene(settings, np.random.default_rng(0))
    clips = [render_scene(scene, [class_id])[0] for class_id in CLASSES]
    bad = np.array([kind is not None for kind in scene.kinds])
    assert bad.sum() == round(0.6 * 12)
    for clip in clips[1:]:
        assert (clip[bad] == clips[0][bad]).all()
        assert (clip[~bad] != clips[0][~bad]).any(axis=(1, 2, 3)).all()


def test_classes_have_one_mean_colour() -> None:
    scene = sample_scene(SMALL, np.random.default_rng(1), still=True)
    means = []
    for class_id in CLASSES:
        frames, _, boxes, _ = render_scene(scene, [class_id])
        x1, y1, x2, y2 = boxes[0, 0]
        means.append(frames[0, y1:y2, x1:x2].reshape(-1, 3).mean(0))
    assert np.ptp(means, axis=0).max() < 2  # of 255; patterns differ by 90 or more


@pytest.mark.parametrize(
    'speed, low, high', [('slow', 0.9, 1), ('medium', 0.7, 0.9), ('fast', 0, 0.7)]
)
def test_speeds_are_those_of_the_metric(speed: str, low: float, high: float) -> None:
    settings = replace(SMALL, frames=20)
    found = []
    for seed in range(10):
        scene = sample_scene(settings, np.random.default_rng(seed), speed)
        boxes = render_scene(scene, [next(iter(CLASSES))])[2][:, 0]
        frames = np.arange(len(boxes))
        found.append(motion_iou(boxes.astype(float), frames, np.zeros(len(boxes))))
    assert (
        (np.concatenate(found) >= low) & (np.concatenate(found) <= high)
    ).mean() > 0.8
    assert set(SPEEDS) == {'slow', 'medium', 'fast'}


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(frames=0), 'frames must be at least 1'),
        (dict(deteriorated=1.5), 'fraction'),
        (dict(objects=4), 'need a width'),
    ],
)
def test_bad_settings(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)


def test_nothing_is_overwritten_by_accident(root: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match='use --overwrite'):
        main([str(root)])
    (tmp_path / 'photo.jpg').touch()
    with pytest.raises(SystemExit, match='not made by this generator'):
        main([str(tmp_path), '--overwrite'])
    assert (tmp_path / 'photo.jpg').exists()


def run_of(root: Path, labels: list) -> SavedRun:
    """Perfect boxes in all val frames; ``labels`` by video."""
    gts, dets, paths = [], [], []
    for video, label in enumerate(labels):
        for frame in range(SMALL.frames):
            box = np.array([[10.0, 10, 40, 40]])
            gts.append(
                dict(bboxes=box, labels=np.array([video]), motion_ious=np.ones(1))
            )
            score = np.array([0.5 + 0.01 * frame])
            dets.append(dict(bboxes=box, labels=np.array([label]), scores=score))
            paths.append(
                f'{root}/Data/VID/val/ILSVRC2015_val_{video:08d}/{frame:06d}.JPEG'
            )
    return SavedRun('run', ('a', 'b', 'c'), gts, dets, paths)


def test_scores(root: Path) -> None:
    right = scores.score(run_of(root, [0, 1, 2]), str(root))
    assert (
        right['all'] == right['slow'] == right['sharp'] == right['deteriorated'] == 100
    )
    assert 20 < right['guess'] < 50  # one in three
    wrong = scores.score(run_of(root, [1, 2, 0]), str(root))
    assert wrong['all'] == 0


@pytest.mark.parametrize('full', [False, True])
def test_demo_runs_only_what_exists(full: bool) -> None:
    for stage in demo.stages('work_dirs/x', full):
        if stage.command[0] == '-m':
            assert importlib.util.find_spec(stage.command[1]) is not None
        else:
            assert stage.command[0].endswith('.py')
        programs = [
            part for part in stage.command if re.match('(tools|proj).*py$', part)
        ]
        assert all((Path(demo.ROOT) / program).is_file() for program in programs)


def test_demo_names_the_stage_that_fails(tmp_path: Path) -> None:
    program = tmp_path / 'program.py'
    program.write_text('raise SystemExit(3)')
    with pytest.raises(SystemExit, match='fall over.*exit status 3'):
        demo.run([demo.Stage('fall over', [str(program)])])


@pytest.mark.slow
def test_demo_help() -> None:
    done = subprocess.run(
        [sys.executable, 'projects/tiny_vid/demo.py', '--help'],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and '--work-dir' in done.stdout
