"""The command lines of ``tools/analysis`` that draw pictures."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from stpn_plugin.visualization import load_trainings
from tests.support.commands import ROOT, run_tool


@pytest.fixture(scope='module')
def results(config: Path, checkpoint: Path) -> Path:
    path = config.parent / 'results.pkl'
    work_dir = config.parent / 'tested'
    run_tool('test.py', config, checkpoint, '--work-dir', work_dir, '--out', path)
    return path


def assert_picture(path: str) -> None:
    with Image.open(path) as image:
        assert image.format == 'PNG' and min(image.size) > 200


@pytest.mark.parametrize(
    'command',
    [
        ('plot_motion_ap.py', '--iou-thr', 0.75),
        ('plot_pr.py',),
        ('plot_pr.py', '--classes'),
        ('plot_pr.py', '--speeds'),
    ],
)
def test_pictures_of_several_runs(command: tuple, config: Path, results: Path) -> None:
    name, *options = command
    files = (results, results, '--names', 'first', 'second')
    run_tool(f'analysis/{name}', config, *files, *options, '--out', 'a/b.png')
    assert_picture('a/b.png')


def test_worst_frames(config: Path, results: Path) -> None:
    run_tool('analysis/worst_frames.py', config, results, '--number', 2)
    assert_picture('worst_frames.png')


def test_confusion(config: Path, results: Path) -> None:
    options = ('--iou-thr', 0.7, '--score-thr', 0.1)
    run_tool('analysis/plot_confusion.py', config, results, *options)
    assert_picture('confusion.png')


def test_files_of_one_name_are_told_apart(
    config: Path, results: Path, capsys: pytest.CaptureFixture
) -> None:
    files = []
    for folder in ('first', 'second run'):
        files.append(Path(folder) / results.name)
        files[-1].parent.mkdir()
        shutil.copy(results, files[-1])
    run_tool('analysis/plot_motion_ap.py', config, *files)
    printed = capsys.readouterr().out
    assert 'first/results: all' in printed and 'second run/results: all' in printed


@pytest.mark.parametrize(
    'name', sorted(path.name for path in (ROOT / 'tools/analysis').glob('*.py'))
)
def test_help_comes_first(name: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stopped:
        run_tool(f'analysis/{name}', '--help')
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith('usage: ')


@pytest.mark.parametrize('name', ['plot_motion_ap', 'plot_pr', 'error_breakdown'])
@pytest.mark.parametrize('value', ['50', '0', 'nan', 'half'])
def test_iou_is_a_fraction(
    name: str, value: str, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit):
        run_tool(f'analysis/{name}.py', 'c.py', 'r.pkl', '--iou-thr', value)
    assert '--iou-thr' in capsys.readouterr().err


def test_ranges_without_objects(
    config: Path, results: Path, capsys: pytest.CaptureFixture
) -> None:
    run_tool('analysis/plot_motion_ap.py', config, results)
    assert 'slow none' in capsys.readouterr().out
    run_tool('analysis/eval_results.py', config, results, '--out', 'metrics.json')
    # No `NaN`, which only Python reads.
    json.loads(
        Path('metrics.json').read_text(), parse_constant=lambda name: pytest.fail(name)
    )


def test_names_have_to_be_as_many_as_files(config: Path, results: Path) -> None:
    with pytest.raises(ValueError, match='1 runs, but 2 names'):
        run_tool('analysis/plot_pr.py', config, results, '--names', 'a', 'b')


def test_error_breakdown(
    config: Path, results: Path, capsys: pytest.CaptureFixture
) -> None:
    options = ('--out', 'errors.json', '--figure', 'errors.png')
    run_tool('analysis/error_breakdown.py', config, results, *options)
    assert_picture('errors.png')
    numbers = json.loads(Path('errors.json').read_text())['results']
    printed = capsys.readouterr().out
    assert f'results: AP50 {numbers["ap"]:.4f}' in printed
    count = numbers['counts']['duplicate']
    assert re.search(rf'\| duplicate +\| +{count:,} \|', printed)


def test_logs(trained: Path) -> None:
    run_tool('analysis/plot_logs.py', trained, '--keys', 'loss', 'lr', '--smooth', 0.5)
    assert_picture('logs.png')
    with pytest.raises(ValueError, match='1 runs, but 2 names'):
        run_tool('analysis/plot_logs.py', trained, '--names', 'a', 'b')


@pytest.mark.slow
def test_logs_of_a_resumed_and_another_training(config: Path) -> None:
    """What the runner says of a resumed training is understood."""
    one = ('train.py', config, '--work-dir', 'my work', '--cfg-options')
    run_tool(*one, 'train_cfg.max_epochs=1')
    run_tool(*one, 'train_cfg.max_epochs=2', 'resume=True')
    run_tool(*one, 'train_cfg.max_epochs=1')
    first, second = load_trainings('my work').values()
    count = len(second['loss'].steps)
    assert first['loss'].steps.tolist() == list(range(1, 2 * count + 1))
    assert second['loss'].steps.tolist() == list(range(1, count + 1))
    run_tool('analysis/plot_logs.py', 'my work', '--keys', 'loss')
    assert_picture('logs.png')


def test_prompts(config: Path, checkpoint: Path, capsys: pytest.CaptureFixture) -> None:
    video = ('--video', 'ILSVRC2015_val_00000001', '--frames', 1, '--device', 'cpu')
    run_tool('analysis/prompt_attention.py', config, checkpoint, *video)
    run_tool('analysis/compare_prompts.py', config, checkpoint, *video)
    for name in ('support', 'stages', 'compare_prompts'):
        assert_picture(f'{name}.png')
    assert 'Mean frame score: ' in capsys.readouterr().out


@pytest.mark.slow
def test_browse_dataset(config: Path, capsys: pytest.CaptureFixture) -> None:
    run_tool('analysis/browse_dataset.py', config, '--number', 3)
    # 2 videos of 4 frames, 2 stills
    names = ['000000.png', '000004.png', '000009.png']
    assert sorted(path.name for path in Path('browse_dataset').iterdir()) == names
    assert_picture('browse_dataset/000004.png')
    with pytest.raises(SystemExit):
        run_tool('analysis/browse_dataset.py', config, '--number', 0)
    assert 'at least 1' in capsys.readouterr().err


def test_report(config: Path, results: Path, capsys: pytest.CaptureFixture) -> None:
    run_tool('analysis/report.py', config, results, '--device', 'cpu')
    assert '<h2>Kinds of errors</h2>' in Path('report.html').read_text()
    printed = capsys.readouterr().out
    assert 'Not included, for reasons given there: Training, Prompts' in printed
