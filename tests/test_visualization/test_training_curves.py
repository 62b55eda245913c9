from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stpn_plugin.visualization import (
    load_curves,
    load_named_trainings,
    load_trainings,
    plot_training_curves,
    smooth,
)


def write_log(work_dir: Path, part: str, entries: list, tail: str = '') -> Path:
    path = work_dir / part / 'vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(entry) + '\n' for entry in entries) + tail)
    return path


def resume(work_dir: Path, part: str, step: int) -> None:
    """Say what the runner says in the log of a part that was resumed."""
    text = f'2026/11/24 13:00:00 - mmengine - INFO - resumed epoch: 1, iter: {step}\n'
    (work_dir / part / f'{part}.log').write_text(text)


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
    resume(work_dir, '2', 10)
    curves = load_curves(str(work_dir))
    assert curves['loss'].steps.tolist() == [10, 15, 25]
    assert curves['loss'].values.tolist() == [4, 2, 1]
    assert curves['vid/AP50'].values.tolist() == [0.1, 0.2]


def test_resumed_training_that_logs_late(tmp_path: Path) -> None:
    """What was logged beyond the checkpoint did not happen to the model."""
    write_log(tmp_path, '1', [train(10, 4), train(20, 3)])
    write_log(tmp_path, '2', [train(30, 1)])
    resume(tmp_path, '2', 15)
    assert load_curves(str(tmp_path))['loss'].steps.tolist() == [10, 30]


def test_trainings_of_one_work_dir(tmp_path: Path) -> None:
    """Only parts that were resumed are joined."""
    first = write_log(tmp_path, '1', [train(10, 4), metric(1, 0.1), train(20, 3)])
    write_log(tmp_path, '2', [])  # stopped at once
    third = write_log(tmp_path, '3', [train(5, 9), train(15, 8)])
    write_log(tmp_path, '4', [train(25, 7)])
    resume(tmp_path, '4', 15)
    elsewhere = write_log(tmp_path / 'sub', '5', [train(35, 6)])
    resume(tmp_path / 'sub', '5', 30)  # from another work dir
    trainings = load_trainings(str(tmp_path))
    assert list(trainings) == [str(first), str(third), str(elsewhere)]
    steps = [curves['loss'].steps.tolist() for curves in trainings.values()]
    assert steps == [[10, 20], [5, 15, 25], [35]]
    assert 'vid/AP50' not in trainings[str(third)]
    named = load_named_trainings({'a': str(tmp_path), 'b': str(tmp_path / 'sub')})
    assert list(named) == ['a 1', 'a 3', 'a sub/5', 'b']
    with pytest.raises(ValueError, match='3 trainings, none resumed.*scalars.json'):
        load_curves(str(tmp_path))


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


@pytest.mark.parametrize('key', ['lr', 'base_lr', 'detector.lr', 'momentum', 'memory'])
def test_rates_are_not_smoothed(tmp_path: Path, key: str) -> None:
    entries = [{'lr': 0.1, key: value, 'step': i} for i, value in enumerate((4, 1), 1)]
    curves = load_curves(str(write_log(tmp_path, '1', entries)))
    (ax,) = plot_training_curves({'a': curves}, [key], smoothing=0.5).axes
    assert [line.get_ydata().tolist() for line in ax.lines] == [[4, 1]]


def test_named_optimizers_are_training(tmp_path: Path) -> None:
    entry = {'backbone.lr': 0.1, 'head.lr': 0.2, 'loss': 1, 'step': 10}
    curves = load_curves(str(write_log(tmp_path, '1', [entry])))
    assert list(curves) == ['loss', 'backbone.lr', 'head.lr']
    assert not any(curve.is_metric for curve in curves.values())
