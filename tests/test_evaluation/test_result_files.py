from __future__ import annotations

import collections
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample

from stpn_plugin.evaluation import (
    load_results,
    load_vid_ground_truth,
    write_coco_json,
    write_predictions,
    write_vid_submission,
)
from tests.support.malicious import LARGE_MEMO, as_pickle, attacks
from tests.support.vid_data import make_predictions, write_cocovid

DETS = [
    dict(
        bboxes=np.array([[1, 2, 3.5, 4], [0, 0.126, 9, 9]]),
        labels=np.array([1, 0]),
        scores=np.array([0.5, 1e-4]),
    ),
    dict(bboxes=np.zeros((0, 4)), labels=np.zeros(0, int), scores=np.zeros(0)),
    dict(
        bboxes=np.array([[5, 6, 7, 8]]), labels=np.array([0]), scores=np.array([0.25])
    ),
]


def test_vid_submission(tmp_path: Path) -> None:
    path = tmp_path / 'a.txt'
    write_vid_submission(str(path), DETS, class_ids=[7, 3])
    assert path.read_text().splitlines() == [
        '1 3 0.500000 1.00 2.00 3.50 4.00',
        '1 7 0.000100 0.00 0.13 9.00 9.00',
        '3 7 0.250000 5.00 6.00 7.00 8.00',
    ]


def test_coco_json(tmp_path: Path) -> None:
    path = tmp_path / 'a.json'
    write_coco_json(str(path), DETS, image_ids=[50, 40, 30], category_ids=[7, 3])
    entries = json.loads(path.read_text())
    assert [entry['image_id'] for entry in entries] == [50, 50, 30]
    assert entries[0] == dict(
        image_id=50, category_id=3, bbox=[1, 2, 2.5, 2], score=0.5
    )
    write_coco_json(str(path), DETS[1:2], image_ids=[40], category_ids=[7, 3])
    assert json.loads(path.read_text()) == []


def test_failed_write_leaves_old_file(tmp_path: Path) -> None:
    path = tmp_path / 'a.txt'
    path.write_text('old')
    with pytest.raises(IndexError):
        write_vid_submission(str(path), DETS, class_ids=[7])
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['a.txt']


@pytest.mark.parametrize('protocol', range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_load_pickle(tmp_path: Path, protocol: int) -> None:
    """All that a prediction may be made of comes back."""
    sample = TrackDataSample(metainfo=dict(img_id=1, scale_factor=np.array([0.5, 2.0])))
    sample.pred_det_instances = InstanceData(
        bboxes=torch.rand(2, 4),
        scores=torch.rand(2).half(),
        labels=torch.tensor([1, 2]),
        boxes=HorizontalBoxes(torch.ones(2, 4)),
    )
    results = [
        sample.to_dict(),
        dict(
            sample=sample,
            size=torch.Size([1, 2]),
            number=np.float32(0.5),
            big_endian=np.arange(3, dtype='>f8'),
            transposed=np.arange(6).reshape(2, 3).T,
            kinds={'a', 'b'},
            raw=b'\xff',
        ),
        *make_predictions(write_cocovid(tmp_path / 'vid.json')),
    ]
    path = tmp_path / 'results.pkl'
    path.write_bytes(pickle.dumps(results, protocol))
    loaded = load_results(str(path))
    assert len(loaded) == len(results)
    for name in ('bboxes', 'scores', 'labels'):
        expected = sample.pred_det_instances[name]
        for fields in (loaded[0], loaded[1]['sample']):
            assert torch.equal(fields['pred_det_instances'][name], expected)
    assert loaded[0]['pred_det_instances']['boxes'].tolist() == [[1] * 4] * 2
    assert loaded[1]['sample'].keys() == sample.to_dict().keys()
    assert loaded[0]['scale_factor'].tolist() == [0.5, 2.0]
    assert loaded[1]['size'] == (1, 2)
    assert loaded[1]['number'] == 0.5
    assert loaded[1]['big_endian'].tolist() == [0, 1, 2]
    assert loaded[1]['transposed'].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert loaded[1]['kinds'] == {'a', 'b'}
    assert loaded[1]['raw'] == b'\xff'


@pytest.mark.parametrize('inside', [True, False], ids=['inside', 'alone'])
@pytest.mark.parametrize('name', list(attacks(Path('sign'))))
def test_malicious_pickle(tmp_path: Path, name: str, inside: bool) -> None:
    sign = tmp_path / 'sign'
    path = tmp_path / 'results.pkl'
    path.write_bytes(as_pickle(attacks(sign)[name], inside))
    methods = InstanceData.keys, collections.OrderedDict.keys
    with pytest.raises(ValueError, match=r'results\.pkl'):
        load_results(str(path))
    assert not sign.exists()
    assert (InstanceData.keys, collections.OrderedDict.keys) == methods
    rebuild_tensor = torch.zeros(1).__reduce_ex__(2)[0]
    assert rebuild_tensor.__doc__ != 'patched'


def test_large_memo_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / 'results.pkl'
    path.write_bytes(as_pickle(LARGE_MEMO))
    assert load_results(str(path)) == [dict(img_id=None)]


@pytest.mark.parametrize('change', ['sizes', 'strides', 'offset', 'repeated'])
def test_tensor_beyond_its_storage(tmp_path: Path, change: str) -> None:
    path = tmp_path / 'results.pkl'
    content = pickle.dumps([dict(a=torch.arange(5.0))], 2)
    old, new = dict(
        sizes=(b'K\x05\x85', b'M\xff\xff\x85'),
        strides=(b'K\x01\x85', b'M\xff\xff\x85'),
        offset=(b'RK\x00', b'RM\xff\xff'),
        repeated=(b'K\x05\x85', b'M\xff\xff\x85'),
    )[change]
    if change == 'repeated':
        content = content.replace(b'K\x01\x85', b'K\x00\x85')
    if change == 'offset':
        old = content[content.index(b'K\x00K\x05') :][:4]
        new = b'M\xff\xff' + old[2:]
    assert content.count(old) == 1 or change != 'offset'
    path.write_bytes(content.replace(old, new))
    with pytest.raises(ValueError, match='does not lie in its storage of 5 elements'):
        load_results(str(path))


def predictions() -> list[dict]:
    """Of frames of two sizes: with detections, with none, and without the group."""
    masks = torch.zeros(3, 4, 5, dtype=torch.bool)
    masks[0, 1:3, 2:] = True
    masks[1] = True
    return [
        dict(
            img_id=7,
            img_path='a/ä.jpg',
            ori_shape=(4, 5),
            video_id=1,
            frame_id=np.int64(0),
            scale_factor=np.array([0.5, 2.0]),
            instances=[dict(bbox=[0, 0, 1, 1], bbox_label=2)],
            pred_det_instances=dict(
                bboxes=torch.rand(3, 4),
                scores=torch.tensor([0.1, 0.2, 0.3]),
                labels=torch.tensor([2, 0, 1]),
                instances_id=torch.tensor([10, 11, 1 << 40]),
                masks=masks,
            ),
        ),
        dict(img_id=8, ori_shape=(2, 2)),
        dict(
            img_id=9,
            ori_shape=(6, 6),
            pred_det_instances=dict(
                bboxes=torch.zeros(0, 4),
                scores=torch.zeros(0),
                labels=torch.zeros(0, dtype=torch.int64),
                instances_id=torch.zeros(0, dtype=torch.int64),
                masks=torch.zeros(0, 6, 6, dtype=torch.bool),
            ),
        ),
    ]


def write_npz(path: Path, content: list[dict]) -> str:
    with open(path, 'wb') as file:
        write_predictions(file, content)
    return str(path)


def test_npz(tmp_path: Path) -> None:
    content = predictions()
    loaded = load_results(write_npz(tmp_path / 'a.npz', content))
    assert [image['img_id'] for image in loaded] == [7, 8, 9]
    assert loaded[0]['img_path'] == 'a/ä.jpg'
    assert loaded[0]['ori_shape'] == [4, 5]
    assert loaded[0]['scale_factor'] == [0.5, 2.0]
    assert loaded[0]['instances'] == content[0]['instances']
    assert 'pred_det_instances' not in loaded[1]
    for index in (0, 2):
        fields = content[index]['pred_det_instances']
        assert loaded[index]['pred_det_instances'].keys() == fields.keys()
        for name, field in fields.items():
            read = loaded[index]['pred_det_instances'][name]
            assert read.dtype == field.dtype
            if len(field):
                assert torch.equal(read, field)
            else:
                assert len(read) == 0
    assert load_results(write_npz(tmp_path / 'b.npz', [])) == []


def test_what_npz_does_not_take(tmp_path: Path) -> None:
    content = predictions()
    del content[2]['pred_det_instances']['scores']
    with pytest.raises(ValueError, match='pred_det_instances has not the same fields'):
        write_npz(tmp_path / 'a.npz', content)
    with pytest.raises(ValueError, match='they have a object. Write them as .pkl'):
        write_npz(tmp_path / 'a.npz', [dict(img_id=object())])


def changed_npz(path: Path, **changes: Any) -> str:
    """A file with other arrays; None leaves one out."""
    write_npz(path, predictions())
    with np.load(path) as archive:
        arrays = {**archive, **{k.replace('__', '/'): v for k, v in changes.items()}}
    arrays = {k: v for k, v in arrays.items() if v is not None}
    np.savez(path, **arrays)
    return str(path)


@pytest.mark.parametrize(
    'changes',
    [
        dict(images=None),
        dict(images=np.frombuffer(b'[' * 100_000, np.uint8)),
        dict(images=np.frombuffer(b'{}', np.uint8)),
        dict(images=np.array([object()])),
        dict(pred_det_instances__count=np.array([3, -1])),
        dict(pred_det_instances__count=np.array([1 << 62, 1 << 62, 1 << 62])),
        dict(pred_det_instances__count=np.array([2, -1, 0])),
        dict(pred_det_instances__field__scores=np.zeros(4)),
        dict(pred_det_instances__field__scores=np.array([None] * 3)),
        dict(pred_det_instances__mask_run__masks=np.zeros(1, np.uint32)),
        dict(pred_det_instances__mask_size__masks=np.full((3, 3), 1 << 39)),
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_malicious_npz(tmp_path: Path, changes: dict) -> None:
    path = changed_npz(tmp_path / 'a.npz', **changes)
    with pytest.raises(ValueError, match=r'cannot read predictions from .*a\.npz'):
        load_results(path)


def test_broken_npz(tmp_path: Path) -> None:
    path = tmp_path / 'a.npz'
    write_npz(path, predictions())
    whole = path.read_bytes()
    shape = whole.replace(b'(3, 4), }', b'(9, 9), }')
    assert shape != whole
    compressed = tmp_path / 'b.npz'
    with np.load(path) as archive:
        np.savez_compressed(compressed, **archive)
    for content in (whole[:200], whole[:-30], shape, compressed.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r'cannot read predictions from .*a\.npz'):
            load_results(str(path))


def test_wrong_results(tmp_path: Path) -> None:
    path = tmp_path / 'results.pkl'
    with pytest.raises(FileNotFoundError, match='results.pkl does not exist'):
        load_results(str(path))
    content = pickle.dumps([dict(img_id=1)] * 10)
    for broken in (content[:-9], b'', b'<html>'):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r'results.pkl: .*tools/test.py --out'):
            load_results(str(path))
    path.write_bytes(pickle.dumps(dict(img_id=1)))
    with pytest.raises(ValueError, match='not a list of predictions'):
        load_results(str(path))


def test_annotations_run_no_code(tmp_path: Path) -> None:
    sign = tmp_path / 'sign'
    path = tmp_path / 'annotations.pkl'
    path.write_bytes(as_pickle(attacks(sign)['system']))
    with pytest.raises(ValueError):
        load_vid_ground_truth(str(path), ['a'])
    assert not sign.exists()
