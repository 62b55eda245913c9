from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from stpn_plugin.evaluation import (
    ERROR_TYPES,
    MOTION_RANGES,
    SavedRun,
    error_breakdown,
    load_saved_run,
    vid_motion_ap,
)
from stpn_plugin.visualization import (
    mean_precision,
    motion_aps,
    per_class_precision,
    plot_error_breakdown,
    plot_motion_ap,
    plot_precision_recall,
    save_figure,
)
from tests.support.vid_data import random_set

CLASSES = ('antelope', 'bear', 'zebra', 'other')  # no object of the last one


@pytest.fixture
def run() -> SavedRun:
    gts, dets = random_set(0)
    rng = np.random.default_rng(0)
    for gt in gts:
        gt['motion_ious'] = rng.uniform(0, 0.9, len(gt['labels']))
    return SavedRun('a', CLASSES, gts, dets, [None] * len(gts))


def test_motion_ap_bars(run: SavedRun) -> None:
    aps = motion_aps(run)
    expected = vid_motion_ap(run.gts, run.dets, len(CLASSES))
    assert list(aps) == list(MOTION_RANGES)
    assert aps['fast'] == expected['fast']['map']
    assert np.isnan(aps['slow'])

    perfect = run._replace(name='b', dets=run.gts)
    figure = plot_motion_ap({'a': aps, 'b': motion_aps(perfect)})
    (ax,) = figure.axes
    heights = np.array([bar.get_height() for bar in ax.patches]).reshape(2, 4)
    assert np.allclose(heights[0, :3], [100 * aps[r] for r in list(aps)[:3]])
    assert np.allclose(heights[1], [100, 100, 100, 0])
    texts = [text.get_text() for text in ax.texts]
    assert texts[3] == texts[7] == 'none' and texts[4] == '100.0'
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['a', 'b']


@pytest.mark.parametrize('limits', [(0.0, 1.0), (0.0, 0.7)])
@pytest.mark.parametrize('iou_thr', [0.5, 0.75])
def test_area_below_the_curve_is_the_ap(
    run: SavedRun, iou_thr: float, limits: tuple
) -> None:
    curve = mean_precision(run, iou_thr, limits)
    (ap,) = vid_motion_ap(run.gts, run.dets, len(CLASSES), iou_thr, [limits]).values()
    assert curve.mean() == pytest.approx(ap['map'], abs=2e-3)
    assert (np.diff(curve) <= 0).all()


def test_class_curves(run: SavedRun) -> None:
    curves = per_class_precision(run)
    aps = vid_motion_ap(run.gts, run.dets, len(CLASSES))['all']['ap']
    assert list(curves) == list(CLASSES[:3])
    for curve, ap in zip(curves.values(), aps):
        assert curve.mean() == pytest.approx(ap, abs=2e-3)
    assert list(per_class_precision(run, ['zebra'])) == ['zebra']
    with pytest.raises(ValueError, match=r"\['other'\]; there are of"):
        per_class_precision(run, ['bear', 'other'])


def test_curve_of_one_class() -> None:
    """Found, wrong, found; a third object is missed."""
    box, far, off = [0, 0, 9, 9], [50, 50, 59, 59], [80, 80, 89, 89]
    gt = dict(bboxes=[box, far, [150, 0, 159, 9]], labels=[0] * 3, motion_ious=[1] * 3)
    det = dict(bboxes=[box, off, far], labels=[0] * 3, scores=[0.9, 0.8, 0.7])
    curve = mean_precision(SavedRun('a', ('x',), [gt], [det], [None]))
    assert (curve[:334] == 1).all()
    assert np.allclose(curve[334:667], 2 / 3)
    assert (curve[667:] == 0).all()


def test_precision_recall_figure(run: SavedRun) -> None:
    curves = {'a': mean_precision(run), 'b': mean_precision(run, 0.5, (0.95, 1))}
    figure = plot_precision_recall(curves, 'title')
    (line,) = figure.axes[0].lines
    assert np.allclose(line.get_ydata(), 100 * curves['a'])
    assert line.get_xdata()[-1] == 100
    (text,) = figure.legends[0].get_texts()
    assert text.get_text() == f'a: {100 * curves["a"].mean():.1f}'
    with pytest.raises(ValueError, match='no objects'):
        plot_precision_recall({'b': curves['b']}, 'title')


def test_error_bars(run: SavedRun) -> None:
    errors = error_breakdown(run.gts, run.dets, len(CLASSES))
    ax, total = plot_error_breakdown({'a': errors}).axes
    heights = [bar.get_height() for bar in ax.patches]
    assert np.allclose(heights, [100 * errors.delta_ap[kind] for kind in ERROR_TYPES])
    for text, kind in zip(ax.texts, ERROR_TYPES):
        assert text.get_text().endswith(f'({errors.counts[kind]:,})')
    assert [bar.get_height() for bar in total.patches] == [
        100 * errors.false_positive_delta_ap,
        100 * errors.false_negative_delta_ap,
    ]


def test_save_figure(run: SavedRun, tmp_path: Path) -> None:
    figure = plot_motion_ap({'a': motion_aps(run)})
    save_figure(figure, tmp_path / 'new/a.svg')
    assert '<svg' in (tmp_path / 'new/a.svg').read_text()
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['a.svg']
    for name in ('a.xyz', 'a'):
        with pytest.raises(ValueError, match='end with one of.*png'):
            save_figure(figure, tmp_path / name)


def test_saved_run(cfg: Config, results: Path) -> None:
    run = load_saved_run(cfg, str(results))
    assert run.name == 'stpn' and run.classes[0] == 'airplane'
    assert [len(gt['labels']) for gt in run.gts] == [1] * 9
    assert [int(det['labels'][0]) for det in run.dets] == [0] * 9
    assert all(Path(str(path)).is_file() for path in run.img_paths)
    assert motion_aps(run)['all'] == 0.5  # one class of two


def test_saved_run_needs_a_metric_or_a_dataset(cfg: Config, results: Path) -> None:
    cfg.test_evaluator = []
    cfg.test_dataloader.dataset.pop('ann_file')
    with pytest.raises((ValueError, KeyError), match='ann_file'):
        load_saved_run(cfg, str(results))


def test_saved_run_of_other_data(cfg: Config, tmp_path: Path) -> None:
    import mmengine

    mmengine.dump([dict(scores=1)], str(tmp_path / 'a.pkl'))
    with pytest.raises(ValueError, match=r'a\.pkl: prediction 0 has no pred_det_inst'):
        load_saved_run(cfg, str(tmp_path / 'a.pkl'))
