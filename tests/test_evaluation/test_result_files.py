from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample

from stpn_plugin.evaluation import load_results, write_coco_json, write_vid_submission

from .vid_data import make_predictions, write_cocovid

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


@pytest.mark.parametrize('protocol', [2, pickle.HIGHEST_PROTOCOL])
def test_load_results(tmp_path: Path, protocol: int) -> None:
    """All that a prediction may be made of comes back."""
    sample = TrackDataSample(metainfo=dict(img_id=1, scale_factor=np.array([0.5, 2.0])))
    sample.pred_det_instances = InstanceData(
        bboxes=torch.rand(2, 4),
        scores=torch.rand(2).half(),
        labels=torch.tensor([1, 2]),
    )
    results = [
        sample.to_dict(),
        dict(sample=sample, size=torch.Size([1, 2]), number=np.float32(0.5)),
        *make_predictions(write_cocovid(tmp_path / 'vid.json')),
    ]
    path = tmp_path / 'results.pkl'
    path.write_bytes(pickle.dumps(results, protocol))
    loaded = load_results(str(path))
    assert len(loaded) == len(results)
    for name in ('bboxes', 'scores', 'labels'):
        expected = sample.pred_det_instances[name]
        assert torch.equal(loaded[0]['pred_det_instances'][name], expected)
        assert torch.equal(loaded[1]['sample'].pred_det_instances[name], expected)
    assert loaded[0]['scale_factor'].tolist() == [0.5, 2.0]
    assert loaded[1]['number'] == 0.5


class Malicious:
    def __reduce__(self) -> tuple:
        return os.mkdir, ('made_by_pickle',)


def test_results_run_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'results.pkl'
    path.write_bytes(pickle.dumps([dict(img_id=Malicious())]))
    with pytest.raises(ValueError, match='mkdir is not allowed'):
        load_results(str(path))
    # A tensor's storage is a pickle inside the pickle.
    torch.save(Malicious(), 'inner')
    inner = (tmp_path / 'inner').read_bytes()
    (tmp_path / 'inner').unlink()

    class Storage:
        def __reduce__(self) -> tuple:
            return torch.storage._load_from_bytes, (inner,)

    path.write_bytes(pickle.dumps([dict(img_id=Storage())]))
    with pytest.raises(ValueError, match=r'cannot read predictions'):
        load_results(str(path))
    assert os.listdir(tmp_path) == ['results.pkl']


def test_wrong_results(tmp_path: Path) -> None:
    path = tmp_path / 'results.pkl'
    with pytest.raises(FileNotFoundError, match='results.pkl does not exist'):
        load_results(str(path))
    content = pickle.dumps([dict(img_id=1)] * 10)
    path.write_bytes(content[:-9])
    with pytest.raises(ValueError, match=r'results.pkl: .*tools/test.py --out'):
        load_results(str(path))
    path.write_bytes(pickle.dumps(dict(img_id=1)))
    with pytest.raises(ValueError, match='not a list of predictions'):
        load_results(str(path))
