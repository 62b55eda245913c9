"""Flawless input: what the files contain and that stock mmtrack reads them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import mmtrack
import numpy as np
import pytest
import torch
from mmtrack.datasets import ImagenetVIDDataset
from mmtrack.evaluation import CocoVideoMetric

from stpn_plugin.datasets.converters import Report, convert_det, convert_vid
from stpn_plugin.datasets.imagenet_classes import (
    IMAGENET_VID_CATEGORIES,
    IMAGENET_VID_CLASSES,
)
from tests.support import ilsvrc_layout
from tests.support.ilsvrc_layout import (
    AIRPLANE,
    ANTELOPE,
    CLASSES,
    PERSON,
    obj,
    write_ilsvrc,
    write_list,
    write_xml,
)

VID_FILES = ('imagenet_vid_train.json', 'imagenet_vid_val.json')
DET_FILE = 'imagenet_det_30plus1cls.json'


@pytest.fixture(scope='module')
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the converted files of a flawless ILSVRC."""
    root = write_ilsvrc(tmp_path_factory.mktemp('ilsvrc'))
    out_dir = root / 'annotations'
    convert_vid(str(root), str(out_dir), strict=True)
    convert_det(str(root), str(out_dir), strict=True)
    return out_dir


def table_of(report: Report) -> list[list[str]]:
    """Cells of the table in a report's summary."""
    lines = report.summary().splitlines()
    return [
        [cell.strip() for cell in line[1:-1].split('|')]
        for line in lines
        if line.startswith('| ')
    ]


def test_classes_are_those_of_mmtrack():
    assert tuple(IMAGENET_VID_CLASSES) == CLASSES
    assert list(IMAGENET_VID_CLASSES.values()) == ilsvrc_layout.wnids()
    assert IMAGENET_VID_CATEGORIES[0] == dict(
        id=1, name='airplane', encode_name=AIRPLANE
    )
    assert IMAGENET_VID_CATEGORIES[29]['id'] == 30


def test_vid_content(tmp_path: Path):
    videos = ('train/b', 'train/a')  # not sorted
    objects = {
        'train/b/000000': [obj(ANTELOPE, (5, 6, 25, 16), track=7, occluded=1)],
        'train/b/000001': [],
        'train/b/000002': [
            obj(PERSON, (0, 0, 9, 9), track=1),
            obj(AIRPLANE, (0, 0, 96, 64), track=0, generated=1),
            obj(ANTELOPE, (6, 6, 26, 17), track=7),
        ],
        'train/a/000000': [obj(ANTELOPE, (1, 2, 3, 4), track=7)],
    }
    for image, content in objects.items():
        write_xml(tmp_path, f'VID/{image}', content)
    lines = ['train/b 1 3 3', 'train/a 1 1 1', 'train/b 1 1 3']
    write_list(tmp_path, 'VID_train_15frames.txt', lines)
    write_xml(tmp_path, 'VID/val/c/000000', [obj(AIRPLANE, (1, 2, 3, 4), track=0)])
    write_list(tmp_path, 'VID_val_videos.txt', ['val/c 1 1 1'])

    train, val = convert_vid(str(tmp_path), str(tmp_path / 'new' / 'out'), strict=True)
    content = json.loads(Path(train.path).read_text())
    assert list(content) == ['categories', 'videos', 'images', 'annotations']
    assert content['categories'] == IMAGENET_VID_CATEGORIES
    assert content['videos'] == [
        dict(id=1, name=videos[0], vid_train_frames=[2, 0]),
        dict(id=2, name=videos[1], vid_train_frames=[0]),
    ]
    common = dict(width=96, height=64)
    assert content['images'] == [
        dict(id=i, video_id=v, frame_id=f, file_name=n, is_vid_train_frame=t, **common)
        for i, v, f, n, t in (
            (1, 1, 0, 'train/b/000000.JPEG', True),
            (2, 1, 1, 'train/b/000001.JPEG', False),
            (3, 1, 2, 'train/b/000002.JPEG', True),
            (4, 2, 0, 'train/a/000000.JPEG', True),
        )
    ]
    assert content['annotations'] == [
        dict(
            id=i,
            image_id=image,
            video_id=video,
            category_id=category,
            instance_id=instance,
            bbox=bbox,
            area=bbox[2] * bbox[3],
            iscrowd=False,
            occluded=occluded,
            generated=generated,
        )
        for i, image, video, category, instance, bbox, occluded, generated in (
            (1, 1, 1, 2, 1, [5, 6, 20, 10], True, False),
            (2, 3, 1, 1, 2, [0, 0, 96, 64], False, True),
            (3, 3, 1, 2, 1, [6, 6, 20, 11], False, False),
            (4, 4, 2, 2, 3, [1, 2, 2, 2], False, False),
        )
    ]
    assert train.totals == {
        'videos': 2,
        'images': 4,
        'training images': 3,
        'images without boxes': 1,
        'boxes': 4,
        'instances': 3,
        'objects of other classes, left out': 1,
    }
    head, *rows = table_of(train)
    assert head == ['class', 'images', 'boxes', 'instances']
    assert rows[0] == ['airplane', '1', '1', '1']
    assert rows[1] == ['antelope', '3', '3', '2']
    assert rows[29] == ['zebra', '0', '0', '0']

    content = json.loads(Path(val.path).read_text())
    assert content['videos'] == [dict(id=1, name='val/c', vid_train_frames=[])]
    assert content['images'][0]['is_vid_train_frame'] is False
    assert content['annotations'][0]['instance_id'] == 1


def test_det_content(tmp_path: Path):
    images = {
        'train/ILSVRC2014_train_0006/x': [obj(PERSON, (0, 0, 9, 8))],
        'train/ILSVRC2014_train_0000/x': [],
        'train/ILSVRC2013_train/n1/a': [obj(ANTELOPE, (1, 2, 4, 6))],
        'train/ILSVRC2013_train/n1/b': [],
    }
    for image, objects in images.items():
        write_xml(tmp_path, f'DET/{image}', objects)
    lines = ['train/ILSVRC2014_train_0006/x 1', 'train/ILSVRC2013_train/n1/b 1']
    write_list(tmp_path, 'DET_train_30classes.txt', lines)

    (report,) = convert_det(str(tmp_path), str(tmp_path), strict=True)
    content = json.loads(Path(report.path).read_text())
    assert list(content) == ['categories', 'images', 'annotations']
    assert content['categories'] == [
        *IMAGENET_VID_CATEGORIES,
        dict(id=31, name='other_categories', encode_name=None),
    ]
    common = dict(width=96, height=64)
    assert content['images'] == [
        dict(id=i, file_name=f'train/{name}', is_vid_train_frame=train, **common)
        for i, name, train in (
            (1, 'ILSVRC2014_train_0006/x.JPEG', True),
            (2, 'ILSVRC2013_train/n1/b.JPEG', True),
            (3, 'ILSVRC2013_train/n1/a.JPEG', False),
            (4, 'ILSVRC2014_train_0000/x.JPEG', False),
        )
    ]
    assert content['annotations'] == [
        dict(
            id=1, image_id=1, category_id=31, bbox=[0, 0, 9, 8], area=72, iscrowd=False
        ),
        dict(
            id=2, image_id=3, category_id=2, bbox=[1, 2, 3, 4], area=12, iscrowd=False
        ),
    ]
    assert table_of(report)[0] == ['class', 'images', 'boxes']


def test_same_as_stock_converters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The converters that come with mmtrack, where installed, agree in all fields."""
    tools = Path(mmtrack.__file__).parent / '.mim/tools/dataset_converters/ilsvrc'
    if not tools.is_dir():
        pytest.skip('mmtrack is installed without its tools')
    root = write_ilsvrc(tmp_path, list_folder='Lists')
    convert_vid(str(root), str(root / 'ours'), strict=True)
    convert_det(str(root), str(root / 'ours'), strict=True)
    monkeypatch.setattr('sys.argv', ['', '-i', str(root), '-o', str(root / 'stock')])
    for name in ('imagenet2coco_vid', 'imagenet2coco_det'):
        spec = importlib.util.spec_from_file_location(name, tools / f'{name}.py')
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.main()
    for name in (*VID_FILES, DET_FILE):
        stock = json.loads((root / 'stock' / name).read_text())
        assert len(stock['annotations']) > 50
        if name == DET_FILE:  # a misspelt name that nothing reads
            stock['categories'][30]['name'] = 'other_categories'
        assert json.loads((root / 'ours' / name).read_text()) == stock


def test_files_do_not_depend_on_jobs(converted: Path, tmp_path: Path):
    convert_vid(str(converted.parent), str(tmp_path), jobs=3)
    convert_det(str(converted.parent), str(tmp_path), jobs=3)
    for name in (*VID_FILES, DET_FILE):
        assert (tmp_path / name).read_bytes() == (converted / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        (*VID_FILES, DET_FILE)
    )


@pytest.mark.parametrize('name', [VID_FILES[0], DET_FILE])
def test_stock_dataset_reads_training_sets(converted: Path, name: str):
    content = json.loads((converted / name).read_text())
    dataset = ImagenetVIDDataset(
        ann_file=str(converted / name),
        data_prefix=dict(img_path='Data'),
        load_as_video=name != DET_FILE,
        pipeline=[],
        ref_img_sampler=None,
    )
    boxes = {
        image['id']: [
            (ann['category_id'] - 1, ann['bbox'])
            for ann in content['annotations']
            if ann['image_id'] == image['id'] and ann['category_id'] <= 30
        ]
        for image in content['images']
    }
    # mmtrack trains with marked images that have objects of its classes.
    expected = [
        image
        for image in content['images']
        if image['is_vid_train_frame'] and boxes[image['id']]
    ]
    assert len(dataset) == len(expected) > 0
    for data, image in zip(dataset, expected):
        assert data['img_path'] == f'Data/{image["file_name"]}'
        assert data['is_video_data'] == (name != DET_FILE)
        found = [
            (instance['bbox_label'], instance['bbox']) for instance in data['instances']
        ]
        assert found == [
            (label, [x, y, x + w, y + h]) for label, (x, y, w, h) in boxes[image['id']]
        ]


def test_stock_dataset_and_metric_read_validation_set(converted: Path):
    dataset = ImagenetVIDDataset(
        ann_file=str(converted / VID_FILES[1]),
        data_prefix=dict(img_path='Data'),
        pipeline=[],
        ref_img_sampler=None,
        test_mode=True,
    )
    assert len(dataset) == 4 + 7
    assert [data['video_length'] for data in dataset] == [4] * 4 + [7] * 7
    assert [data['frame_id'] for data in dataset] == [*range(4), *range(7)]

    metric = CocoVideoMetric(
        ann_file=str(converted / VID_FILES[1]), metric='bbox', classwise=True
    )
    metric.dataset_meta = dataset.metainfo
    for data in dataset:
        instances = data['instances']
        prediction = dict(
            bboxes=torch.tensor([i['bbox'] for i in instances]).reshape(-1, 4).float(),
            labels=torch.tensor([i['bbox_label'] for i in instances]).long(),
            scores=torch.ones(len(instances)),
        )
        shape = (data['height'], data['width'])
        metric.process(
            {},
            [
                dict(
                    img_id=data['img_id'],
                    ori_shape=shape,
                    pred_det_instances=prediction,
                )
            ],
        )
    result = metric.evaluate(len(dataset))
    assert np.isclose(result['coco/bbox_mAP'], 1)
    assert all(np.isclose(result[f'coco/{name}_precision'], 1) for name in CLASSES)
