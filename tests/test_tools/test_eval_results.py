from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import mmengine
import pytest
from mmengine.config import Config
from mmtrack.registry import METRICS

import stpn_plugin
from stpn_plugin.evaluation import evaluate_results, load_results
from tests.support.commands import last_metrics, run_tool
from tests.support.vid_data import CLASSES, make_predictions, write_cocovid

TOOL = Path(stpn_plugin.__file__).parents[1] / 'tools/analysis/eval_results.py'


@pytest.fixture(params=['npz', 'pkl'])
def results(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A file written as ``tools/test.py --out`` does."""
    predictions = make_predictions(write_cocovid(tmp_path / 'vid.json'))
    path = str(tmp_path / f'results.{request.param}')
    dump = METRICS.build(dict(type='DumpVideoResults', out_file_path=path))
    dump.process({}, predictions)
    dump.evaluate(len(predictions))
    return path


@pytest.fixture
def cfg(tmp_path: Path) -> Config:
    ann_file = str(tmp_path / 'vid.json')
    return Config(
        dict(
            default_scope='mmtrack',
            custom_imports=dict(imports=['stpn_plugin'], allow_failed_imports=False),
            test_dataloader=dict(
                dataset=dict(
                    type='ImagenetVIDDataset',
                    data_root=str(tmp_path),
                    ann_file='vid.json',
                    metainfo=dict(CLASSES=CLASSES),
                    test_mode=True,
                    pipeline=[],
                )
            ),
            test_evaluator=[
                dict(type='CocoVideoMetric', ann_file=ann_file, metric='bbox'),
                dict(type='VIDMotionMetric', ann_file=ann_file),
            ],
        )
    )


def test_evaluates_like_the_metrics(cfg: Config, results: str) -> None:
    predictions = load_results(results)
    metrics = evaluate_results(cfg, predictions)
    expected = {}
    for metric_cfg in cfg.test_evaluator:
        metric = METRICS.build(metric_cfg)
        metric.dataset_meta = dict(CLASSES=CLASSES)
        metric.process({}, predictions)
        expected.update(metric.evaluate(len(predictions)))
    assert metrics == expected
    assert metrics['vid/AP50'] > 0.2


def test_part_of_the_set(cfg: Config, results: str) -> None:
    """The saved predictions of one video."""
    predictions = load_results(results)
    metrics = evaluate_results(cfg, predictions[14:28])
    assert metrics['vid/num_images'] == 14
    assert metrics['vid/num_images_in_file'] == 42
    assert metrics['coco/bbox_mAP_50'] == pytest.approx(metrics['vid/AP50'], abs=0.05)
    assert metrics['vid/AP50'] > 0.2


def test_chosen_metrics_and_options(cfg: Config, results: str) -> None:
    predictions = load_results(results)
    cfg.test_evaluator = dict(
        type='CocoVideoMetric', ann_file=cfg.test_evaluator[0].ann_file
    )
    metrics = evaluate_results(cfg, predictions, ['motion'], dict(iou_thrs=[0.6]))
    assert list(metrics) == [f'vid/AP60{s}' for s in ('', '_fast', '_medium', '_slow')]


@pytest.mark.slow
def test_tool(cfg: Config, results: str, tmp_path: Path) -> None:
    config = tmp_path / 'config.py'
    cfg.dump(config)
    out = tmp_path / 'metrics.json'
    done = subprocess.run(
        [sys.executable, TOOL, config, results, '--eval', 'motion', '--out', out],
        capture_output=True,
        text=True,
        cwd=TOOL.parents[2],
    )
    assert done.returncode == 0, done.stderr
    metrics = mmengine.load(out)
    assert metrics == evaluate_results(cfg, load_results(results), ['motion'])
    assert f'vid/AP50: {metrics["vid/AP50"]:.4f}' in done.stdout.splitlines()
    assert json.loads(out.read_text()) == metrics


def test_agrees_with_test_run(config: Path, checkpoint: Path, tmp_path: Path) -> None:
    results, out = tmp_path / 'results.npz', tmp_path / 'metrics.json'
    names = ('--eval', 'bbox', 'motion')
    run_tool(
        'test.py', config, checkpoint, '--work-dir', tmp_path, '--out', results, *names
    )
    run_tool('analysis/eval_results.py', config, results, '--out', out, *names)
    expected = last_metrics(tmp_path)
    metrics = mmengine.load(out)
    assert expected.keys() == metrics.keys() >= {'vid/AP50', 'coco/bbox_mAP_50'}
    # No objects, no AP: `null` here, `NaN` in mmengine's log.
    numbers = {k: float('nan') if v is None else v for k, v in metrics.items()}
    assert numbers == pytest.approx(expected, nan_ok=True)
