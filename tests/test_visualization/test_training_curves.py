from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stpn_plugin.visualization import load_curves, plot_training_curves, smooth


def write_log(work_dir: Path, part: str, entries: list, tail: str = '') -> Path:
    path = work_dir / part / 'vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(entry) + '\n' for entry in entries) + tail)
    return path


def train(step: int, loss: float) -> dict:
    return dict(
        lr=0.1, data_time=0.1, loss=loss, time=1.0, epoch=1, iter=step, step=step
    )


def metric(step: int, ap: float) -> dict:
    return {'vid/AP50': ap, 'coco/bbox_mAP_l': -1.0, 'time': 1, 'step': step}


def test_load(tmp_path: Path) -> None:
    entries = [train(10, 2), train(20, float('nan')), metric(1, 0.5), train(30, 1)]
    path = write_log(tmp_path, '1', entries)
    curves = load_curves(str(path))
    assert list(curves) == ['loss', 'lr', 'time', 'vid/AP50']
    assert curves['loss'].steps.tolist() == [10, 30]
    assert curves['loss'].values.tolist() == [2, 1]
    assert curves['time'].values.tolist() == [1, 1, 1]
    assert not curves['loss'].is_metric
    assert curves['vid/AP50'].is_metric and curves['vid/AP50'].steps.tolist() == [1]


def test_resumed_training(tmp_path: Path) -> None:
    work_dir = tmp_path / 'with [odd] name'
    write_log(work_dir, '1', [train(10, 4), metric(1, 0.1), train(20, 3)])
    # Goes on after epoch 1, at iteration 11.
    write_log(work_dir, '2', [train(15, 2), metric(2, 0.2), train(25, 1)])
    curves = load_curves(str(work_dir))
    assert curves['loss'].steps.tolist() == [10, 15, 25]
    assert curves['loss'].values.tolist() == [4, 2, 1]
    assert curves['vid/AP50'].values.tolist() == [0.1, 0.2]


def test_unfinished_log(tmp_path: Path) -> None:
    path = write_log(tmp_path, '1', [train(10, 2)], tail='{"lr": 0.1, "lo')
    assert load_curves(str(path))['loss'].values.tolist() == [2]


def test_no_log(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='work dir'):
        load_curves(str(tmp_path))
    path = write_log(tmp_path, '1', [train(10, 2)], tail='[1]\n{"step": 2}\n')
    with pytest.raises(ValueError, match='line 2 is no entry'):
        load_curves(str(path))
    path.write_text('')
    with pytest.raises(ValueError, match='nothing is logged'):
        load_curves(str(path))


def test_smooth() -> None:
    assert smooth(np.array([3.0, 3.0]), 0.9) == pytest.approx([3, 3])
    assert smooth(np.array([4.0, 1.0]), 0.5) == pytest.approx([4, 2])
    assert smooth(np.array([4.0, 1.0]), 0).tolist() == [4, 1]
    with pytest.raises(ValueError, match='in \\[0, 1\\)'):
        smooth(np.zeros(2), 1)


def test_figure(tmp_path: Path) -> None:
    log = [train(10, 4), train(20, 1), metric(1, 0.5)]
    curves = load_curves(str(write_log(tmp_path, '1', log)))
    runs = {'a': curves, 'b': {'loss': curves['loss']}}
    figure = plot_training_curves(runs, ['loss', 'lr', 'vid/AP50'], smoothing=0.5)
    loss, lr, ap = figure.axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [[4, 1], [4, 2]] * 2
    assert [line.get_ydata().tolist() for line in lr.lines] == [[0.1, 0.1]]
    assert [line.get_ydata().tolist() for line in ap.lines] == [[0.5]]
    assert (loss.get_xlabel(), ap.get_xlabel()) == ('iteration', 'epoch')
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['a', 'b']
    assert len(plot_training_curves(runs).axes) == 6  # 4 panels in 2 rows of 3
    with pytest.raises(ValueError, match="as \\['acc'\\]; there are"):
        plot_training_curves(runs, ['acc'])
