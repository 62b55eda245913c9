"""``stpn check``: faults of annotation files in a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stpn_plugin.cli.check import main
from tests.support.tiny_data import write_tiny_vid


@pytest.fixture
def vid(tmp_path: Path) -> Path:
    root = write_tiny_vid(tmp_path, num_train_videos=1, num_val_videos=2, num_stills=1)
    return root / 'annotations/imagenet_vid_val.json'


def spoil(path: Path) -> None:
    """Make a gap in a video, and an annotation of no image."""
    content = json.loads(path.read_text())
    content['images'][-1]['frame_id'] += 5
    content['images'][0]['height'] = '64'
    content['annotations'][0]['image_id'] = 10**6
    path.write_text(json.dumps(content))


def write_config(path: Path, ann_file: Path, dataset: str) -> str:
    path.write_text(
        f'dataset = dict(type={dataset!r}, data_root={str(ann_file.parent)!r},\n'
        f'    ann_file={ann_file.name!r})\n'
        "train_dataloader = dict(dataset=dict(type='ConcatDataset',\n"
        '    datasets=[dataset]))\n'
    )
    return str(path)


def test_clean(vid: Path, capsys: pytest.CaptureFixture) -> None:
    assert main([str(vid)]) == 0
    assert capsys.readouterr().out == f'{vid} has no faults\n'


def test_every_fault_with_its_place(
    vid: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    first = json.loads(vid.read_text())['images'][0]['file_name']
    spoil(vid)
    out = tmp_path / 'made/faults.json'
    assert main([str(vid), '--out', str(out)]) == 1
    captured = capsys.readouterr()
    assert captured.err == ''
    faults = json.loads(out.read_text())
    assert [fault['kind'] for fault in faults] == ['VALUE', 'UNKNOWN_ID', 'FRAME_ID']
    assert {fault['file'] for fault in faults} == {str(vid)}
    assert faults[0]['frame'] == first and faults[0]['video'] in first
    assert faults[2]['video'] and faults[2]['frame'] is None
    rows = [line for line in captured.out.splitlines() if line.startswith(f'| {vid}')]
    assert len(rows) == 3
    for row, fault in zip(rows, faults):
        assert fault['text'] in row and (fault['video'] or '') in row
        assert fault['remedy'] in captured.out


def test_faults_are_those_for_the_data_sets_of_a_config(
    vid: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    content = json.loads(vid.read_text())
    for image in content['images']:
        image.pop('is_vid_train_frame', None)
    vid.write_text(json.dumps(content))
    base = write_config(tmp_path / 'base.py', vid, 'BaseVideoDataset')
    imagenet = write_config(tmp_path / 'imagenet.py', vid, 'mmtrack.ImagenetVIDDataset')
    assert main([str(vid), '--config', base]) == 0
    assert main([str(vid), '--config', imagenet]) == 1
    assert 'lacks is_vid_train_frame' in capsys.readouterr().out
    other = tmp_path / 'other.json'
    other.write_text(vid.read_text())
    assert main([str(other), '--config', base]) == 2
    assert f'has the annotation file {other}' in capsys.readouterr().err


def test_stills(vid: Path, capsys: pytest.CaptureFixture) -> None:
    det = vid.with_name('imagenet_det_30plus1cls.json')
    assert main([str(det)]) == 1
    assert 'Set load_as_video=False for still images' in capsys.readouterr().out
    assert main([str(det), '--stills']) == 0


def test_no_json(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / 'a.json'
    path.write_text('no JSON')
    assert main([str(path)]) == 2
    assert f'{path} is no JSON' in capsys.readouterr().err
