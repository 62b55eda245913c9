"""Figures and reports of sets, names and results that nobody planned for."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import mmcv
import numpy as np
import pytest
from matplotlib.figure import Figure
from mmengine.config import Config

from stpn_plugin.evaluation import SavedRun, error_breakdown
from stpn_plugin.visualization import (
    Curve,
    mean_precision,
    motion_aps,
    per_class_precision,
    plot_error_breakdown,
    plot_motion_ap,
    plot_precision_recall,
    plot_training_curves,
    plot_worst_frames,
    save_figure,
    write_report,
)

ODD_NAMES = (
    '$5 \\frac{$',
    '$x^$',
    '_hidden',
    '<script>alert(1)</script>',
    '100 %',
    'two\nlines',
    '{braces} %s \\n',
    '',
)


def make_run(
    folder: Path,
    name: str = 'run',
    classes: tuple = ODD_NAMES,
    objects: bool = True,
    detections: bool = True,
) -> SavedRun:
    """A frame for each class, with its object, found, and another of no object."""
    none = dict(bboxes=np.zeros((0, 4)), labels=np.zeros(0, int))
    gts, dets, paths = [], [], []
    for label in range(len(classes)):
        path = folder / f'a video $_$/{label:06d}.png'
        if not path.exists():
            mmcv.imwrite(np.full((48, 64, 3), 200, np.uint8), str(path))
        paths.append(str(path))
        box = np.array([[5.0, 5, 40, 40]])
        one = dict(bboxes=box, labels=np.array([label]))
        gts.append(
            dict(one, motion_ious=np.array([0.8]))
            if objects
            else dict(none, motion_ious=np.zeros(0))
        )
        two = dict(
            bboxes=np.concatenate([box, box + 20]),
            labels=np.array([label, label]),
            scores=np.array([0.9, 0.4]),
        )
        dets.append(two if detections else dict(none, scores=np.zeros(0)))
    return SavedRun(name, classes, gts, dets, paths)


def texts(figure: Figure) -> str:
    found = [
        text.get_text() for text in figure.findobj(lambda a: hasattr(a, 'get_text'))
    ]
    return '\n'.join(found)


def all_figures(run: SavedRun) -> list:
    breakdown = error_breakdown(run.gts, run.dets, len(run.classes))
    curve = Curve(np.array([1]), np.array([1.0]), False)
    return [
        plot_motion_ap({run.name: motion_aps(run), '_b': motion_aps(run)}),
        plot_precision_recall({run.name: mean_precision(run)}, run.name),
        plot_error_breakdown({run.name: breakdown}),
        plot_training_curves({run.name: {run.name: curve}}),
    ]


@pytest.mark.slow
@pytest.mark.parametrize('name', ODD_NAMES)
def test_names_of_runs(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        for i, figure in enumerate(all_figures(make_run(tmp_path, name))):
            save_figure(figure, tmp_path / 'a b $c$' / f'{i}.png')
            (legend,) = figure.legends
            assert legend.get_texts()[0].get_text().startswith(name)


def test_names_of_classes(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        curves = plot_precision_recall(per_class_precision(run), 'by class')
        frames = plot_worst_frames(run)
        for figure in (curves, frames):
            save_figure(figure, tmp_path / 'a.png')
    shown = [text.get_text() for text in curves.legends[0].get_texts()]
    assert shown == [f'{name}: 100.0' for name in ODD_NAMES]
    for name in ODD_NAMES:
        assert f'{name}: 90.0' in texts(frames)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('lacking', 'missing'),
    [
        ({}, []),
        (dict(detections=False), []),
        (dict(objects=False), ['Precision and recall']),
        (
            dict(objects=False, detections=False),
            ['Precision and recall', 'Confusion of classes'],
        ),
        (dict(classes=('only one',)), []),
        (dict(classes=tuple(f'class {i}' for i in range(100))), []),
    ],
)
def test_report(cfg: Config, tmp_path: Path, lacking: dict, missing: list) -> None:
    run = make_run(tmp_path, '<b>$_$</b>', **lacking)
    cfg.test_dataloader.dataset.metainfo = dict(CLASSES=run.classes)
    lost = write_report(str(tmp_path / 'my report.html'), cfg, [run])
    assert lost == [*missing, 'Training', 'Prompts']
    content = (tmp_path / 'my report.html').read_text()
    assert '<script>' not in content and '<b>' not in content
    assert 'nan' not in re.sub('base64,.*?"', '', content)


def test_report_of_runs_of_one_name(cfg: Config, tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with pytest.raises(ValueError, match='name run is given more than once'):
        write_report(str(tmp_path / 'a.html'), cfg, [run, run])


def test_report_without_frames(cfg: Config, tmp_path: Path) -> None:
    run = SavedRun('empty', ('a', 'b'), [], [], [])
    lost = write_report(str(tmp_path / 'a.html'), cfg, [run])
    assert 'Worst frames' in lost and 'Precision and recall' in lost
