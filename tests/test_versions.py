"""What is said and done about versions of Python and torch, without installing any."""

from __future__ import annotations

import configparser
import io
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support.commands import ROOT, run_command

SCRIPTS = ROOT / '.dev_scripts'
LOCKS = ROOT / 'requirements/lock'
PYTHONS = [f'3.{minor}' for minor in range(8, 15)]
LOCK = f'py3{sys.version_info[1]}.txt'
MAKE = pytest.mark.skipif(shutil.which('make') is None, reason='make is not here')


def plan(folder: Path, *options: str, status: int = 0) -> list[list[str]]:
    """Commands of the set-up's plan."""
    command = [sys.executable, SCRIPTS / 'setup_env.py', '--plan', '--folder', folder]
    shown = run_command(*command, *options, cwd=folder.parent, status=status)
    assert 'Traceback' not in shown
    lines = (line.strip() for line in shown.splitlines())
    return [shlex.split(line[2:]) for line in lines if line.startswith('$ ')]


def installs(commands: list[list[str]]) -> list[list[str]]:
    """What pip is told to install, command by command."""
    return [words[words.index('install') :] for words in commands if 'install' in words]


def remember(folder: Path, **build: str) -> None:
    """Let an environment be one that another torch was asked for."""
    folder.mkdir()
    python = f'{sys.base_prefix}/bin/python3.{sys.version_info[1]}'
    made = f'{folder} {python} {tuple(sys.version_info[:2])}'
    steps = {'create the environment': made}
    (folder / 'setup_steps.json').write_text(json.dumps(steps))
    (folder / 'setup_torch.json').write_text(json.dumps(build))


def test_lock_files_of_all_pythons() -> None:
    locks = {
        path.name for path in LOCKS.glob('py3*.txt') if 'compiled' not in path.name
    }
    assert locks == {f'py{python.replace(".", "")}.txt' for python in PYTHONS}
    setup = configparser.ConfigParser()
    setup.read(ROOT / 'setup.cfg')
    classifiers = setup['metadata']['classifiers'].split('\n')
    named = [line.split(':: ')[-1] for line in classifiers if 'Python :: 3.' in line]
    assert named == PYTHONS
    assert setup['options']['python_requires'] == '>=3.8'
    readme = (ROOT / 'README.md').read_text()
    assert f'{PYTHONS[0]} to {PYTHONS[-1]}' in readme
    workflow = (ROOT / '.github/workflows/ci.yml').read_text()
    for python in PYTHONS:
        assert f"'{python}'" in workflow, python


def test_plan_of_the_lock_file(tmp_path: Path) -> None:
    commands = plan(tmp_path / 'env')
    assert not (tmp_path / 'env').exists()
    assert any(words[-1].endswith(LOCK) for words in installs(commands))
    assert not any('uninstall' in words for words in commands)


@pytest.mark.parametrize(
    ('choice', 'torch', 'vision', 'index'),
    [
        ('2.6.0', '2.6.0', '0.21.*', None),
        (
            '2.6.0+cu126',
            '2.6.0+cu126',
            '0.21.*',
            'https://download.pytorch.org/whl/cu126',
        ),
        ('2.4.1+cpu', '2.4.1+cpu', '0.19.*', 'https://download.pytorch.org/whl/cpu'),
    ],
)
def test_plan_of_another_torch(
    choice: str, torch: str, vision: str, index: str | None, tmp_path: Path
) -> None:
    commands = plan(tmp_path / 'env', '--torch', choice)
    (uninstall,) = (words for words in commands if 'uninstall' in words)
    (at,) = (i for i, words in enumerate(commands) if f'torch=={torch}' in words)
    # Another build of the same version would stay.
    assert commands.index(uninstall) < at
    assert f'torchvision=={vision}' in commands[at]
    assert '--no-deps' not in commands[at]
    assert commands[at][-2:] == ['--index-url', index] if index else True
    # The rest comes from the lock file, less what belongs to its torch.
    assert any('setup_rest.txt' in words[-1] for words in commands)
    assert not any(words[-1].endswith(LOCK) for words in installs(commands))


def test_plan_of_a_build_of_the_locked_version(tmp_path: Path) -> None:
    pin = re.search('^torch==(.*)$', (LOCKS / LOCK).read_text(), re.M).group(1)
    options = ('--torch', 'cpu', '--torch-index', 'https://mirror.example/cpu')
    commands = plan(tmp_path / 'env', *options)
    (torch,) = (words for words in commands if f'torch=={pin}+cpu' in words)
    assert torch[-2:] == ['--index-url', 'https://mirror.example/cpu']


def test_plan_of_a_torch_that_wants_numpy_1(tmp_path: Path) -> None:
    commands = installs(plan(tmp_path / 'env', '--torch', '2.0.1'))
    (resolved,) = (words for words in commands if str(LOCKS / 'old-torch.in') in words)
    assert {'torch==2.0.1', 'torchvision==0.15.*'} <= {*resolved}
    assert str(LOCKS / 'default.in') in resolved
    assert 'numpy<2' in (LOCKS / 'old-torch.in').read_text().splitlines()


@pytest.mark.parametrize(
    ('options', 'told'),
    [
        (('--torch', 'newest'), 'TORCH=newest is no build'),
        (('--torch', '2.6'), 'TORCH=2.6 is no build'),
        (('--torch', '1.13.1'), 'before 2.0 is not supported'),
        (('--torch-index', 'https://mirror.example'), 'TORCH_INDEX needs'),
    ],
)
def test_no_such_torch(options: tuple, told: str, tmp_path: Path) -> None:
    command = [sys.executable, SCRIPTS / 'setup_env.py', '--folder', tmp_path / 'env']
    shown = run_command(*command, *options, cwd=tmp_path, status=1)
    assert told in shown and 'Traceback' not in shown
    assert not (tmp_path / 'env').exists()


def test_another_torch_stays_until_the_lock_is_asked_for(tmp_path: Path) -> None:
    env = tmp_path / 'env'
    remember(env, version='2.6.0', label='cpu', index='https://mirror.example')
    assert any('torch==2.6.0+cpu' in words for words in plan(env))
    commands = plan(env, '--torch', 'lock')
    (uninstall,) = (i for i, words in enumerate(commands) if 'uninstall' in words)
    assert commands[uninstall + 1][-1].endswith(LOCK)


@MAKE
def test_make_hands_torch_over() -> None:
    command = ['make', '-n', 'setup', 'TORCH=2.6.0+cpu', 'TORCH_INDEX=https://a.b/c']
    shown = subprocess.check_output(command, cwd=ROOT, encoding='utf-8')
    assert "--torch '2.6.0+cpu' --torch-index 'https://a.b/c'" in shown


SETUP = """
from setuptools import setup
locals = dict  # what functions find there since Python 3.13: nothing of `exec`

def get_version():
    version_file = 'mmcv/version.py'
    with open(version_file, encoding='utf-8') as f:
        exec(compile(f.read(), version_file, 'exec'))
    return locals()['__version__']

setup(name='mmcv-lite', version=get_version(), packages=['mmcv'])
"""


def write_sdist(folder: Path, setup: str) -> None:
    """An mmcv-lite whose set-up fails as the real one does."""
    files = {
        'setup.py': setup,
        'setup.cfg': '[bdist_wheel]\nuniversal = 1\n',
        'PKG-INFO': 'Metadata-Version: 2.1\nName: mmcv-lite\nVersion: 2.0.0rc4\n',
        'mmcv/__init__.py': '',
        'mmcv/version.py': "__version__ = '2.0.0rc4'\n",
    }
    folder.mkdir()
    with tarfile.open(folder / 'mmcv-lite-2.0.0rc4.tar.gz', 'w:gz') as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f'mmcv-lite-2.0.0rc4/{name}')
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))


def make_wheel(folder: Path, status: int = 0) -> str:
    """Run the script in a folder whose ``index`` is all that pip knows."""
    script = SCRIPTS / 'mmcv_lite_wheel.py'
    environ = dict(PIP_NO_INDEX='1', PIP_NO_CACHE_DIR='1')
    environ['PIP_FIND_LINKS'] = str(folder / 'index')
    command = [sys.executable, script, folder / 'wheels']
    return run_command(*command, cwd=folder, status=status, **environ)


@pytest.mark.slow
def test_wheel_of_mmcv_lite(tmp_path: Path) -> None:
    write_sdist(tmp_path / 'index', SETUP)
    assert 'made' in make_wheel(tmp_path)
    (wheel,) = (tmp_path / 'wheels').iterdir()
    assert wheel.name.startswith('mmcv_lite-2.0.0rc4-') and 'none-any' in wheel.name
    assert make_wheel(tmp_path) == ''  # it is there
    assert [*(tmp_path / 'wheels').iterdir()] == [wheel]


@pytest.mark.slow
def test_wheel_of_another_mmcv_lite(tmp_path: Path) -> None:
    write_sdist(tmp_path / 'index', SETUP.replace("['__version__']", "['version']"))
    shown = make_wheel(tmp_path, status=1)
    assert 'is it 2.0.0rc4?' in shown
    assert not [*(tmp_path / 'wheels').iterdir()]


def matrix(folder: Path, *options: object) -> str:
    """Run it on a machine without any other Python."""
    command = [sys.executable, SCRIPTS / 'matrix.py', '--folder', folder, *options]
    nowhere = str(folder.parent)
    return run_command(*command, cwd=folder.parent, PATH=nowhere, PYENV_ROOT=nowhere)


def test_smoke_of_the_matrix_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    smoke = runpy.run_path(str(SCRIPTS / 'matrix.py'))['SMOKE']
    subjects = {'registry', 'parity', 'train', 'test', 'resume', 'mim', 'video demo'}
    assert smoke.keys() == subjects
    for test in smoke.values():
        file, _, name = test.partition('::')
        assert f'def {name.split("[")[0]}' in (ROOT / file).read_text(), test


def test_matrix_goes_on_and_says_why(tmp_path: Path) -> None:
    python = tmp_path / 'python'
    # A Python 3.8 of which no environment can be made.
    python.write_text(
        '#!/bin/sh\n[ "$1" = -c ] && { echo 8; exit; }\n'
        'echo; echo ERROR: no wheel for you; exit 1\n'
    )
    python.chmod(0o755)
    folder = tmp_path / 'matrix'
    shown = matrix(folder, '--python', python, '--rows', '3.8')
    assert '3.8/2.0.1: set-up: ERROR: no wheel for you' in shown
    assert '3.8/lock: set-up: ERROR: no wheel for you' in shown
    assert shown.count('| 3.') == 2 * len(PYTHONS)
    assert {path.suffix for path in folder.iterdir()} == {'.log', '.json'}
    # Rows that are done are not run again; of the others it says why not.
    again = matrix(folder, '--python', python)
    assert '...' not in again and 'ERROR: no wheel for you |' in again
    assert again.count('not run: no Python 3.9 there') == 2


def test_dockerfile_names_what_is_there() -> None:
    text = (ROOT / 'Dockerfile').read_text()
    text = re.sub('(?m)^#.*$', '', text)
    (target,) = re.findall(r'make (\w+) ', text)
    assert re.search(f'^{target}:', (ROOT / 'Makefile').read_text(), re.M)
    (python,) = re.findall(r'^FROM python:([\d.]+)-', text, re.M)
    assert python in PYTHONS
    assert 'USER root' not in text
    assert text.index('USER stpn') < text.index(f'make {target}')
    ignored = (ROOT / '.dockerignore').read_text().split()
    assert {'.venv*', 'data', 'work_dirs'} <= {*ignored}


def test_ci_tries_the_newest_python() -> None:
    assert 'make test-newest' in (ROOT / '.ci/run').read_text()
    makefile = (ROOT / 'Makefile').read_text()
    assert re.search('^test-newest:.*\n.*matrix.py --newest', makefile, re.M)
    assert os.access(ROOT / '.ci/run', os.X_OK)
