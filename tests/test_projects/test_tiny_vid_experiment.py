from __future__ import annotations

import json
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Sequence

import pytest

from projects.tiny_vid import demo
from projects.tiny_vid.experiment import run as running
from projects.tiny_vid.experiment.__main__ import parse_args
from projects.tiny_vid.experiment.plan import METHODS, Run, plan
from projects.tiny_vid.experiment.report import COLUMNS, plot, report, summarize
from projects.tiny_vid.experiment.run import (
    TRACK_METRICS,
    Launcher,
    claim,
    write_text,
)
from projects.tiny_vid.generate import Settings

SETTINGS = dict(train_videos=3)
SEEDS = (0, 1)
METRICS = {name: 0.25 for names in TRACK_METRICS.values() for name in names.values()}


class FakeLaunch:
    """Leaves the files of the tools behind; keeps their commands."""

    def __init__(self, failing: str | None = None) -> None:
        self.commands: list[Sequence[str]] = []
        self.failing = failing

    def __call__(self, command: Sequence[str], log: str) -> None:
        self.commands.append(command)
        folder = Path(command[command.index('--work-dir') + 1])
        if self.failing and self.failing in str(folder):
            raise RuntimeError('exit status 1')
        if command[0] == 'tools/train.py':
            options = dict(part.split('=', 1) for part in command if '=' in part)
            checkpoint = folder / f'iter_{options["train_cfg.max_iters"]}.pth'
            folder.mkdir(parents=True)
            checkpoint.touch()
            (folder / 'last_checkpoint').write_text(str(checkpoint))
        else:
            assert Path(command[2]).is_file()
            if '--out' in command:
                Path(command[command.index('--out') + 1]).touch()
            else:  # the metrics are in its log
                log = folder / '20260101_000000' / '20260101_000000.json'
                log.parent.mkdir(parents=True)
                log.write_text(json.dumps(METRICS))

    def programs(self) -> list[str]:
        return [Path(command[0]).stem for command in self.commands]


@pytest.fixture
def runs(tmp_path: Path) -> dict[str, list[Run]]:
    found = plan(str(tmp_path), ['single', 'att'], SEEDS, scale=0.01)
    for run in flat(found):
        claim(run, SETTINGS)
        claim(run.start, SETTINGS)
        claim(run.start.start, SETTINGS)
    return found


@pytest.fixture(autouse=True)
def fake_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    def save(run: Run) -> None:
        value = 10.0 * run.seed + (50 if 'att' in run.name else 40)
        write_text(run.scores, json.dumps(dict.fromkeys(COLUMNS['vid'], value)))

    real = running.save_scores
    monkeypatch.setattr(
        running,
        'save_scores',
        lambda run: save(run) if run.method.task == 'vid' else real(run),
    )


def flat(runs: dict[str, list[Run]]) -> list[Run]:
    return [run for of_seeds in runs.values() for run in of_seeds]


def complete(runs: dict[str, list[Run]], launch: FakeLaunch) -> list[str]:
    return running.complete(flat(runs), launch, 2, lambda: None)


@pytest.mark.slow
def test_same_data_and_schedule_for_all(tmp_path: Path) -> None:
    runs = plan(str(tmp_path), list(METHODS), [3])
    reference = runs['att'][0].cfg
    updates = reference.train_cfg.max_iters
    for run in flat(runs):
        cfg = run.cfg
        step = cfg.optim_wrapper.get('accumulative_counts', 1)
        batch = cfg.train_dataloader.batch_size * step
        assert batch == reference.train_dataloader.batch_size
        assert cfg.train_cfg.max_iters == updates * step
        assert cfg.param_scheduler[-1].end == updates * step
        assert cfg.optim_wrapper.optimizer == reference.optim_wrapper.optimizer
        assert cfg.model.detector.backbone == reference.model.detector.backbone
        stage = run
        while stage is not None:
            assert stage.cfg.randomness.seed == 3
            stage = stage.start
        (ours,), (theirs,) = (
            c.train_dataloader.dataset.datasets for c in (cfg, reference.copy())
        )
        if run.method.task == 'vis':
            assert ours.ann_file == 'annotations/tiny_vis_train.json'  # with masks
        else:
            assert ours.ann_file == theirs.ann_file
        assert cfg.default_hooks.checkpoint.interval % step == 0
    sources = {m: r[0].cfg.model.get('prompt_predictor') for m, r in runs.items()}
    assert sources['single'] is None
    assert {s.type for s in sources.values() if s} == {
        'LearnedPrompts',
        'AveragePromptPredictor',
        'MixerPromptPredictor',
        'AttentionPromptPredictor',
    }


def test_trackers_test_the_weights_of_detectors(tmp_path: Path) -> None:
    found = plan(str(tmp_path), ['mot-single', 'vis-att'], [0], scale=0.01)
    for run in flat(found):
        stage = run
        while stage is not None:
            claim(stage, SETTINGS)
            stage = stage.start
    launch = FakeLaunch()
    assert not complete(found, launch)
    # backbone, detector, the single-frame detector; segmentation has its own weights
    assert sorted(launch.programs()) == ['test'] * 2 + ['train'] * 4
    (tracker,) = found['mot-single']
    (command,) = [c for c in launch.commands if f'{tracker.folder}/test' in c]
    assert Path(command[2]).parents[2].name == 'single'
    summary = summarize(found)
    assert summary['mot-single']['mean']['IDF1 deteriorated'] == 25
    assert summary['vis-att']['mean'] == {
        f'AP {frames}': 25 for frames in ('all', 'sharp', 'deteriorated')
    }
    report(found, str(tmp_path))
    table = (tmp_path / 'table.md').read_text()
    assert '| ByteTrack, single frame | 1 | 25.0' in table
    assert '| MaskTrack R-CNN, STPN | 1 | 25.0' in table
    assert not (tmp_path / 'figure.png').exists()  # it is of detectors
    again = FakeLaunch()
    assert not complete(found, again)
    assert not again.commands


def test_data_of_the_demo_are_not_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, 'ROOT', str(tmp_path))
    root = tmp_path / demo.DATA_ROOT

    def launch(command: Sequence[str], log: str) -> None:
        if 'generate.py' in command[0]:
            assert '--stills' not in command
            write_set(asdict(Settings()))
        commands.append(command)

    def write_set(settings: dict) -> None:
        (root / 'annotations').mkdir(parents=True, exist_ok=True)
        (root / 'annotations/tiny_vis_val.json').touch()
        (root / 'tiny_vid.json').write_text(json.dumps(dict(settings=settings)))

    for there in (None, dict(asdict(Settings()), stills=60)):
        if there is not None:
            write_set(there)
        commands: list[Sequence[str]] = []
        whole = running.prepare_data(str(tmp_path / 'work'), launch)
        assert whole == asdict(Settings())
        assert commands[0][:1] == ['projects/tiny_vid/generate.py']
        assert commands[-1][:2] == ['-m', 'projects.tiny_vid.tasks']
    commands = []
    running.prepare_data(str(tmp_path / 'work'), launch)
    assert not commands


def test_scale_shortens_the_whole_schedule(tmp_path: Path) -> None:
    (full,) = plan(str(tmp_path), ['selsa-att'], [0])['selsa-att']
    (short,) = plan(str(tmp_path), ['selsa-att'], [0], 0.1)['selsa-att']
    assert short.cfg.train_cfg.max_iters * 10 == full.cfg.train_cfg.max_iters
    for ours, theirs in zip(short.cfg.param_scheduler, full.cfg.param_scheduler):
        assert (ours.begin * 10, ours.end * 10) == (theirs.begin, theirs.end)
    backbones = short.start.start.cfg, full.start.start.cfg
    assert backbones[0].train_cfg.max_iters * 10 == backbones[1].train_cfg.max_iters


def test_stage_by_stage_and_nothing_twice(runs: dict[str, list[Run]]) -> None:
    launch = FakeLaunch()
    assert not complete(runs, launch)
    assert launch.programs()[:4] == ['train'] * 4
    assert all('stills' in command[1] for command in launch.commands[:2])
    assert sorted(launch.programs()[4:]) == ['test'] * 4 + ['train'] * 4
    for run in [run.start for run in flat(runs)] + flat(runs):
        (command,) = [c for c in launch.commands if f'{run.folder}/train' in c]
        (option,) = [part for part in command if part.endswith(run.start.checkpoint)]
        value = run.cfg
        for key in option.split('=')[0].split('.'):
            value = value[key]  # what the option replaces is there
        assert command[-1] == '--resume'

    again = FakeLaunch()
    assert not complete(runs, again)
    assert not again.commands


def test_resumes_where_it_stopped(runs: dict[str, list[Run]]) -> None:
    complete(runs, FakeLaunch())
    unscored, untested, untrained, _ = flat(runs)
    for run in (unscored, untested, untrained):
        Path(run.scores).unlink()
    for run in (untested, untrained):
        Path(run.results).unlink()
    train_dir = Path(untrained.checkpoint).parent
    for path in [*train_dir.iterdir()]:
        path.unlink()
    train_dir.rmdir()
    launch = FakeLaunch()
    assert not complete(runs, launch)
    assert sorted(launch.programs()) == ['test', 'test', 'train']
    assert all(Path(run.scores).is_file() for run in flat(runs))


def test_a_checkpoint_half_way_is_not_the_end(runs: dict[str, list[Run]]) -> None:
    run = runs['att'][0]
    folder = Path(run.checkpoint).parent
    folder.mkdir(parents=True)
    Path(run.checkpoint).touch()  # being written when the power went
    (folder / 'last_checkpoint').write_text(str(folder / 'iter_1.pth'))
    assert not run.is_trained
    (folder / 'last_checkpoint').write_text(run.checkpoint)
    assert run.is_trained


def test_a_failure_leaves_the_others_alone(runs: dict[str, list[Run]]) -> None:
    (failure,) = complete(runs, FakeLaunch('single/seed_1'))
    assert 'single, seed 1' in failure and 'log.txt' in failure
    summary = summarize(runs)
    assert list(summary['single']['seeds']) == [0]
    assert list(summary['att']['seeds']) == [0, 1]


@pytest.mark.parametrize('stage', ['backbone', 'detector'])
def test_nothing_without_the_stage_before(
    runs: dict[str, list[Run]], stage: str
) -> None:
    launch = FakeLaunch(f'{stage}/seed_0')
    (failure,) = complete(runs, launch)
    assert f'{stage}, seed 0' in failure
    assert [Path(r.scores).is_file() for r in flat(runs)] == [False, True] * 2


def test_runs_of_another_config_are_not_mixed_in(runs: dict[str, list[Run]]) -> None:
    run = runs['att'][0]
    claim(run, SETTINGS)
    with pytest.raises(ValueError, match='other.*data.*remove the folder'):
        claim(run, dict(train_videos=4))
    run.cfg.optim_wrapper.optimizer.lr = 1.0
    with pytest.raises(ValueError, match='another config'):
        claim(run, SETTINGS)


def test_table_and_figure(runs: dict[str, list[Run]], tmp_path: Path) -> None:
    complete(runs, FakeLaunch())
    Path(runs['single'][1].scores).unlink()
    report(runs, str(tmp_path))
    saved = json.loads((tmp_path / 'scores.json').read_text())
    assert saved['att']['mean']['deteriorated'] == 55
    assert saved['att']['std']['deteriorated'] == pytest.approx(50**0.5)
    assert saved['single']['std']['deteriorated'] is None
    table = (tmp_path / 'table.md').read_text().splitlines()
    assert table[4].startswith('| single frame | 1 | 40.0 | 40.0 |')
    assert table[5].startswith('| STPN, attention | 2 | 55.0 ± 7.1 |')
    figure = plot(saved)
    heights = [bar.get_height() for bar in figure.axes[1].patches]
    assert heights == [40, 40, 55, 55]
    assert (tmp_path / 'figure.png').read_bytes().startswith(b'\x89PNG')


def test_launcher_logs_and_tells_of_failure(tmp_path: Path) -> None:
    log = tmp_path / 'log.txt'
    launch = Launcher()
    launch(['-c', 'print(6 * 7)'], str(log))
    with pytest.raises(RuntimeError, match='exit status 3'):
        launch(['-c', 'raise SystemExit(3)'], str(log))
    text = log.read_text()
    assert '42\n' in text and text.count('$ python -c') == 2


def test_launcher_stops(tmp_path: Path) -> None:
    launch = Launcher()
    log = tmp_path / 'log.txt'
    program = 'import time; print(6 * 7, flush=True); time.sleep(600)'
    errors = []

    def work() -> None:
        with pytest.raises(RuntimeError) as caught:
            launch(['-c', program], str(log))
        errors.append(caught.value)

    thread = threading.Thread(target=work)
    thread.start()
    while not (log.is_file() and '42' in log.read_text()):
        time.sleep(0.01)
    launch.stop()
    thread.join(60)
    assert errors and 'exit status -15' in str(errors[0])
    with pytest.raises(RuntimeError, match='stopped'):
        launch(['-c', ''], str(log))


def test_bad_arguments(capsys: pytest.CaptureFixture) -> None:
    for argv in (['--jobs', '0'], ['--scale', '0'], ['--methods', 'magic']):
        with pytest.raises(SystemExit):
            parse_args(argv)
        assert argv[0] in capsys.readouterr().err
