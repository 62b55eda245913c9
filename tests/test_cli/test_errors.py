"""What a user gets wrong is told in one line, with exit status 2, by every command."""

from __future__ import annotations

import importlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmtrack.registry import MODELS

import stpn_command
from stpn_plugin.apis import VideoError
from stpn_plugin.cli.command import BaseOptions, Command, flag, option
from stpn_plugin.datasets.checks import AnnotationError
from stpn_plugin.evaluation import MetricError
from tests.support.commands import ROOT

# Arguments of each command. CONFIG and FILE are there to be replaced.
ARGUMENTS = {
    'train': 'CONFIG',
    'test': 'CONFIG FILE',
    'eval': 'CONFIG FILE',
    'demo': 'FILE CONFIG FILE --out-csv found.csv',
    'check': 'FILE --config CONFIG',
    'init': 'FILE',
    'convert ilsvrc-vid': '-i FILE -o out',
    'convert ilsvrc-det': '-i FILE -o out',
    'convert cvat-video': 'FILE --images images -o out.json',
    'convert label-studio-video': 'FILE --images images -o out.json',
    'convert mot': 'FILE -o out.json',
    'convert visdrone': 'FILE -o out.json',
    'convert youtube-vis': 'FILE -o out.json',
    'convert yolo': 'FILE -o out.json',
    'convert coco': 'FILE -o out.json',
    'convert-checkpoint': 'FILE out.pth --config CONFIG',
    'publish': 'FILE out.pth',
    'export-results': 'FILE CONFIG --to csv -o out.csv',
    'export': 'CONFIG FILE -o exported',
    'report': 'CONFIG FILE',
    'plot-logs': 'FILE',
    'plot-pr': 'CONFIG FILE',
    'plot-confusion': 'CONFIG FILE',
    'plot-motion-ap': 'CONFIG FILE',
    'errors': 'CONFIG FILE',
    'worst-frames': 'CONFIG FILE',
    'attention': 'CONFIG FILE',
    'compare-prompts': 'CONFIG FILE',
    'browse': 'CONFIG',
    'count': 'CONFIG',
    'bench': '--parts metric --quick',
    'bench-metric': '--frames 9',
    'bench-backbone': '--repeats 1',
}
WITH_CONFIG = [name for name, words in ARGUMENTS.items() if 'CONFIG' in words]
WITH_FILES = [
    name for name, words in ARGUMENTS.items() if {'CONFIG', 'FILE'} & {*words.split()}
]
WITH_OVERRIDES = [name for name in WITH_CONFIG if name != 'convert-checkpoint']


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('LOCAL_RANK', '0')
    return tmp_path


def stpn(name: str, config: object = 'c.py', file: str = 'file', *more: object) -> int:
    """Run a command in this process; returns its exit status."""
    given = {'CONFIG': str(config), 'FILE': file}
    words = [given.get(word, word) for word in ARGUMENTS[name].split()]
    try:
        return stpn_command.main([*name.split(), *words, *map(str, more)])
    except SystemExit as stop:
        return int(stop.code or 0)


@pytest.fixture
def one_line(capsys: pytest.CaptureFixture) -> Callable[[str], str]:
    """Takes the one line that a command left on stderr."""

    def take(name: str) -> str:
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f'stpn {name}: error: ') and 'Traceback' not in line
        return line

    return take


def test_all_commands_are_tested() -> None:
    assert list(ARGUMENTS) == list(stpn_command.COMMANDS)
    modules = {path.stem for path in (ROOT / 'stpn_plugin/cli').glob('*.py')}
    commands = set(stpn_command.COMMANDS.values())
    assert commands <= modules
    shared = modules - commands
    for name in shared:
        module = importlib.import_module(f'stpn_plugin.cli.{name}')
        assert not hasattr(module, 'main'), f'no command leads to {name}'


@pytest.mark.parametrize('name', ARGUMENTS)
def test_help(name: str, capsys: pytest.CaptureFixture) -> None:
    assert stpn(name, 'c.py', 'file', '--help') == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f'usage: stpn {name} ')
    assert '--debug' in shown
    # mim passes GPU counts of its own to scripts whose help has this option.
    assert '--gpus' not in shown


@pytest.mark.parametrize('name', ARGUMENTS)
def test_unknown_option(name: str, one_line: Callable[[str], str]) -> None:
    assert stpn(name, 'c.py', 'file', '--no-such-option') == 2
    assert '--no-such-option' in one_line(name)


@pytest.mark.parametrize('name', WITH_FILES)
def test_missing_file(name: str, one_line: Callable[[str], str]) -> None:
    assert stpn(name, 'no/such', 'no/such') == 2
    assert 'no/such' in one_line(name)


@pytest.mark.parametrize('name', WITH_OVERRIDES)
def test_options_that_are_no_overrides(
    name: str, one_line: Callable[[str], str]
) -> None:
    for value in ('batch_size', '=2', 'a=[(1,2'):
        assert stpn(name, 'c.py', 'file', '--cfg-options', value) == 2
        line = one_line(name)
        assert '--cfg-options' in line and value.split('=')[-1] in line


# What a config has, and what is told of it.
CONFIGS = {
    'model = dict(': 'SyntaxError',
    'model = undefined': 'undefined',
    "_base_ = 'no_base.py'": 'no_base.py',
    '1 / 0': 'ZeroDivisionError',
    "custom_imports = dict(imports=['no_such_module'])": 'no_such_module',
}


@pytest.mark.parametrize('text', CONFIGS)
@pytest.mark.parametrize('name', WITH_CONFIG)
def test_faulty_config(name: str, text: str, one_line: Callable[[str], str]) -> None:
    file = make_inputs(name, text)
    assert stpn(name, 'c.py', file) == 2
    assert CONFIGS[text] in one_line(name)


def make_inputs(name: str, config: str) -> str:
    """A config, and a file that is good enough for the command to look at it."""
    Path('c.py').write_text(config)
    if name == 'demo':
        Path('frames').mkdir()
        Path('frames/0.jpg').touch()
        return 'frames'
    if name == 'convert-checkpoint':
        torch.save(dict(state_dict={'a': torch.zeros(1)}), 'file.pth')
        return 'file.pth'
    Path('file').write_text('{"images": []}')
    return 'file'


@pytest.mark.parametrize('name', WITH_CONFIG)
def test_config_without_anything(name: str, one_line: Callable[[str], str]) -> None:
    if name == 'export':
        pytest.importorskip('onnxscript')  # which it asks for first
    file = make_inputs(name, 'a = 1')
    assert stpn(name, 'c.py', file) == 2
    line = one_line(name)
    assert 'c.py' in line or file in line


MODEL = dict(
    test_cfg=dict(),
    train_cfg=dict(),
    optim_wrapper=dict(),
    test_evaluator=dict(type='CocoVideoMetric', ann_file='file'),
    train_dataloader=dict(dataset=dict(type='BaseVideoDataset', ann_file='file')),
    test_dataloader=dict(dataset=dict(type='BaseVideoDataset', ann_file='file')),
)


@pytest.mark.parametrize(
    'model, told',
    [
        (dict(type='NoSuchModel'), 'NoSuchModel is not in the'),
        (dict(type='STPNSwinTransformer', no_such_argument=1), 'no_such_argument'),
        (dict(), 'type'),
        ('STPN', 'should be a dict'),
    ],
)
@pytest.mark.parametrize('name', ['count', 'attention', 'convert-checkpoint'])
def test_models_that_cannot_be_built(
    name: str, model: object, told: str, one_line: Callable[[str], str]
) -> None:
    file = make_inputs(name, '')
    Config(dict(MODEL, model=model)).dump('c.py')
    assert stpn(name, 'c.py', file) == 2
    line = one_line(name)
    assert told in line and '--debug' in line


@pytest.mark.parametrize(
    'entry, told',
    [
        (dict(custom_hooks=3), 'custom_hooks has to be a list'),
        (dict(custom_hooks=['EMAHook']), 'custom_hooks has to be a list'),
        (dict(randomness=dict(seed='x')), 'TypeError: '),
        (dict(visualizer=dict(type='NoSuchVisualizer')), 'NoSuchVisualizer'),
        (dict(optim_wrapper=None), 'c.py has no optim_wrapper'),
        (dict(train_dataloader=None), 'c.py has no train_dataloader'),
    ],
)
def test_runners_that_cannot_be_built(
    entry: dict, told: str, one_line: Callable[[str], str]
) -> None:
    model = dict(type='SingleFrameDetector', detector=dict(type='no'))
    Config({**MODEL, 'model': model, **entry}).dump('c.py')
    assert stpn('train') == 2
    assert told in one_line('train')


def test_overrides_that_do_not_fit(one_line: Callable[[str], str]) -> None:
    Path('c.py').write_text('model = dict(type="STPN", stages=[1, 2])')
    for value in ('model.type.a=1', 'model.stages.5=1', 'model.stages.a=1', 'modle=1'):
        assert stpn('count', 'c.py', '', '--cfg-options', value) == 2
        assert value.split('=')[0] in one_line('count')


@pytest.mark.parametrize(
    'name, option, value',
    [
        ('demo', '--batch-size', '0'),
        ('demo', '--score-thr', 'half'),
        ('demo', '--score-thr', 'nan'),
        ('demo', '--fps', '-3'),
        ('demo', '--device', 'no_such_device'),
        ('report', '--device', 'cuda:99'),
        ('attention', '--frames', 'first'),
        ('browse', '--number', '0'),
        ('browse', '--phase', 'test'),
        ('errors', '--iou-thr', '50'),
        ('plot-logs', '--smooth', 'much'),
        ('test', '--out', 'results.json'),
        ('test', '--eval', 'mAP'),
        ('train', '--launcher', 'mim'),
        ('convert ilsvrc-vid', '--jobs', 'all'),
        ('bench', '--batches', '0'),
        ('bench', '--parts', 'all'),
        ('bench-metric', '--videos', '-1'),
        ('bench-metric', '--boxes', '-1'),
        ('bench-backbone', '--size', '0 9'),
    ],
)
def test_wrong_values(
    name: str, option: str, value: str, one_line: Callable[[str], str]
) -> None:
    assert stpn(name, 'c.py', 'file', option, *value.split()) == 2
    assert option in one_line(name)


@pytest.mark.parametrize('name', WITH_FILES)
def test_debug(name: str, capsys: pytest.CaptureFixture) -> None:
    assert stpn(name, 'no/such', 'no/such', '--debug') == 2
    shown = capsys.readouterr().err
    assert shown.startswith('Traceback')
    assert shown.splitlines()[-1].startswith(f'stpn {name}: error: ')


@dataclass
class Options(BaseOptions):
    loud: bool = flag('a flag')
    number: int = option('a number', default=1)


def command(act: Callable[[], object]) -> Command[Options]:
    def run(options: Options) -> None:
        act()

    return Command('Act.', Options, run)


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    'error, told',
    [
        (ValueError('two\n  lines:\n  here'), 'two; lines: here'),
        (AnnotationError('a.json has 1 fault:\n  x\n  -> y'), '1 fault: x; -> y'),
        (VideoError('cut.avi is truncated'), 'cut.avi is truncated'),
        (MetricError({'AP': 'KeyError: 3'}, {}), 'these metrics failed: AP: KeyError'),
        (OSError(28, 'No space left on device', 'a.json'), 'a.json: No space left'),
        (TypeError('not one of our models'), 'TypeError: not one of our models'),
        (KeyError('There is no metric X'), 'KeyError: There is no metric X (--debug'),
        (MemoryError(), 'MemoryError'),
        (RuntimeError("can't allocate memory: 9 bytes"), "can't allocate memory"),
        (
            OSError('Caught FileNotFoundError in DataLoader worker process 0.\n'
                    'Original Traceback (most recent call last):\n  File "a.py"\n'
                    'FileNotFoundError: no b.jpg\n'),
            ': error: FileNotFoundError: no b.jpg',
        ),
    ],
)  # fmt: skip
def test_errors_of_users(
    error: BaseException, told: str, capsys: pytest.CaptureFixture
) -> None:
    assert command(raising(error))([], prog='act') == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('act: error: ') and told in line


def test_interrupted(capsys: pytest.CaptureFixture) -> None:
    assert command(raising(KeyboardInterrupt()))([], prog='act') == 130
    assert capsys.readouterr().err == 'act: stopped\n'


BUGS: dict[str, Callable[[], object]] = {
    'TypeError': lambda: len(3),  # type: ignore[arg-type]
    'KeyError': lambda: {}['key'],
    'AttributeError': lambda: np.no_such_function,
    'RuntimeError': raising(RuntimeError('shapes do not match')),
    'AssertionError': raising(AssertionError()),
}


@pytest.mark.parametrize('kind', BUGS)
def test_bugs_keep_their_traceback(kind: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(Exception) as raised:
        command(BUGS[kind])([])
    assert type(raised.value).__name__ == kind
    assert command(BUGS[kind])(['--debug']) == 1
    assert 'Traceback' in capsys.readouterr().err


def test_bugs_behind_a_registry_are_told_as_the_configs() -> None:
    """What a constructor raises is the config's until somebody looks closer."""

    @MODELS.register_module(force=True)
    class Fussy:
        def __init__(self) -> None:
            raise RuntimeError('odd')

    assert command(lambda: MODELS.build(dict(type='Fussy')))([]) == 2


def test_each_process_says_which_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv('WORLD_SIZE', '2')
    monkeypatch.setenv('RANK', '1')
    assert command(raising(ValueError('bad')))([], prog='act') == 2
    assert capsys.readouterr().err == '[process 1] act: error: bad\n'


def test_options_are_typed() -> None:
    options = command(lambda: None).parse(['--number', '3'])
    assert options == Options(debug=False, loud=False, number=3)


@pytest.mark.parametrize('words', ['trian', 'convert cocos', 'trian --help'])
def test_no_such_command(words: str, capsys: pytest.CaptureFixture) -> None:
    assert stpn_command.main(words.split()) == 2
    shown = capsys.readouterr().err
    assert shown.startswith('stpn: error: ') and shown.count('\n') == 1


def test_list_of_commands_comes_at_once() -> None:
    """Without the package, which takes seconds."""
    code = (
        'import sys, stpn_command\n'
        'assert stpn_command.main(["--help"]) == 0\n'
        'heavy = {"torch", "mmengine", "numpy", "stpn_plugin"} & set(sys.modules)\n'
        'assert not heavy, heavy'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    shown = done.stdout.splitlines()
    for name in stpn_command.COMMANDS:
        (line,) = (line for line in shown if line.startswith(f'  {name} '))
        assert line.endswith('.')
    assert all(len(line) <= 110 for line in shown)


@pytest.mark.slow
def test_as_programs(tmp_path: Path) -> None:
    """Exit statuses and streams of a tool and of ``stpn`` in processes of their own."""
    for program in ([ROOT / 'tools/train.py'], ['-m', 'stpn_command', 'train']):
        done = subprocess.run(
            [sys.executable, *map(str, program), 'no/such.py'],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        assert done.stdout == ''
        assert done.stderr.splitlines()[-1].split(':')[1] == ' error'
        assert 'Traceback' not in done.stderr
