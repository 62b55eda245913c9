"""``make demo``, smaller: all its programs in their order, on little data."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import mmcv
import numpy as np
import pytest
import torch

from projects.tiny_vid import demo, pictures, weights
from stpn_plugin.evaluation import SavedRun
from tests.support.commands import ROOT, run_command

SMALLER = """
from projects.tiny_vid import demo
data = '--train-videos 8 --val-videos 6 --frames 5 --stills 4'.split()
demo.run(demo.stages('work', size=demo.Size(data, max_iters=2)))
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a demo that has run, with a console that is no terminal."""
    folder = tmp_path_factory.mktemp('demo')
    for name in ('configs', 'projects', 'tools'):
        (folder / name).symlink_to(ROOT / name)
    (folder / 'demo.py').write_text(SMALLER)
    said = run_command(sys.executable, 'demo.py', cwd=folder)
    (folder / 'said.txt').write_text(said)
    return folder


@pytest.mark.slow
def test_evidence(folder: Path) -> None:
    said = (folder / 'said.txt').read_text()
    table = said[said.index('AP50 on the val videos') :]
    for column in ('sharp', 'deteriorated', 'guess'):
        assert column in table
    rows = {
        name: [float(text) for text in re.findall(r'\d+\.\d|nan', row)]
        for name in ('single frame', 'STPN')
        for row in table.splitlines()
        if name in row
    }
    header = next(line for line in table.splitlines() if 'deteriorated' in line)
    columns = re.findall(r'\b(?!run\b)\w+', header)
    single = dict(zip(columns, rows['single frame']))
    assert single['sharp'] > 80  # the weights in the repository are trained ones
    assert single['deteriorated'] < 60
    assert len(rows['STPN']) == len(columns)
    work = folder / 'work'
    assert mmcv.imread(str(work / 'clip' / 'sheet.png')).shape[1] > 1000
    assert len(list((work / 'clip' / 'frames').iterdir())) == 5
    assert (work / 'clip' / 'video.mp4').stat().st_size > 1000
    assert '<html' in (work / 'report.html').read_text()


@pytest.mark.slow
def test_quiet_console(folder: Path) -> None:
    said = (folder / 'said.txt').read_text()
    assert '\r' not in said
    training = said[said.index(': train STPN') : said.index(': test with VID metrics')]
    assert len(training.splitlines()) < 30  # where there were more than a thousand
    for text in ('paramwise_options', 'HardDiskBackend', 'System environment'):
        assert text not in training


def test_the_detector_comes_with_the_repository(tmp_path: Path) -> None:
    path = tmp_path / 'detector.pth'
    weights.unpack(str(path))
    content = torch.load(path, weights_only=True)
    assert len(content['meta']['dataset_meta']['CLASSES']) == 4
    again = weights.pack(str(path), str(tmp_path))
    assert all(Path(file).stat().st_size < 3e6 for file in again)
    weights.unpack(str(tmp_path / 'again.pth'), str(tmp_path))
    copy = torch.load(tmp_path / 'again.pth', weights_only=True)
    for name, weight in content['state_dict'].items():
        assert torch.equal(weight, copy['state_dict'][name])


def test_no_weights(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='make_weights'):
        weights.unpack(str(tmp_path / 'detector.pth'), str(tmp_path))


def test_as_many_detections_as_objects_the_surest() -> None:
    det = dict(
        bboxes=np.arange(12.0).reshape(3, 4),
        labels=np.array([0, 1, 2]),
        scores=np.array([0.1, 0.7, 0.2]),
    )
    gt = dict(bboxes=np.zeros((1, 4)), labels=np.array([1]))
    run = SavedRun('run', ('a', 'b', 'c'), [gt], [det], [None])
    assert pictures.surest(run, 0)['labels'].tolist() == [1]


def test_right_frames() -> None:
    box = np.array([[10.0, 10, 40, 40]])
    gt = dict(bboxes=box, labels=np.array([1]))
    dets = [
        dict(bboxes=np.concatenate([box, box]), labels=np.array(labels), scores=scores)
        for labels in ([1, 0], [0, 1])
        for scores in [np.array([0.9, 0.4])]
    ]
    run = SavedRun('run', ('a', 'b'), [gt, gt], dets, [None, None])
    assert pictures.is_right(run).tolist() == [True, False]


def test_the_clip_that_is_like_all() -> None:
    videos = [name for name in 'abcdefgh' for _ in range(2)]
    kinds = ['blur'] * 15 + [None]
    right = np.array([True, False] * 2 + [True, True] * 3 + [False, False] * 3)
    fit = np.repeat([0.5, 0.7, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9], 2)
    assert right[:15].mean() == pytest.approx(8 / 15)
    assert pictures.typical_clip(videos, kinds, [right], fit) == 'b'


def test_sheet_has_each_deterioration() -> None:
    kinds = [None, 'blur', 'blur', None, 'occlusion', 'blur']
    assert pictures.choose_frames(kinds) == [1, 2, 4, 5]
    assert pictures.choose_frames([None, 'blur']) == [0, 1]


@pytest.mark.slow
def test_legend_covers_no_frame_and_no_title(folder: Path) -> None:
    marker = json.loads((folder / demo.DATA_ROOT / 'tiny_vid.json').read_text())
    video = next(name for name in marker['deterioration'] if name.startswith('val/'))
    frames = sorted((folder / demo.DATA_ROOT / 'Data/VID' / video).iterdir())
    empty = dict(bboxes=np.zeros((0, 4)), labels=np.zeros(0, int), scores=np.zeros(0))
    count = len(frames)
    run = SavedRun(
        'run', ('a',), [empty] * count, [empty] * count, list(map(str, frames))
    )
    sheet = pictures.draw_sheet([run, run], range(4), ['title'] * 4)
    sheet.canvas.draw()
    (legend,) = sheet.legends
    beside = legend.get_window_extent()
    for ax in sheet.axes:
        for artist in (ax, ax.title):
            assert not beside.overlaps(artist.get_window_extent())
    assert beside.x1 <= sheet.bbox.x1
