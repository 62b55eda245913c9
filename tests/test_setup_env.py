"""The set-up of environments, as far as it needs no network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import ROOT

SCRIPT = '.dev_scripts/setup_env.py'
OTHER = '/opt/other python/bin/python3.7'


def run(checkout: Path, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, SCRIPT, *options],
        cwd=checkout,
        env={**os.environ, 'PIP_NO_INDEX': '1'},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding='utf-8',
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the set-up needs of a checkout, in a folder with a space."""
    checkout = tmp_path / 'a checkout'
    for name in ('.dev_scripts', 'requirements'):
        shutil.copytree(ROOT / name, checkout / name)
    return checkout


@pytest.fixture
def mine(checkout: Path) -> Path:
    """A file of the user in the environment that is there."""
    path = checkout / '.venv/mine.txt'
    path.parent.mkdir()
    path.write_text('installed by hand')
    return path


def write_steps(checkout: Path, made: str) -> None:
    steps = {'create the environment': made}
    (checkout / '.venv/setup_steps.json').write_text(json.dumps(steps))


def test_environment_of_another_python_stays(checkout: Path, mine: Path) -> None:
    write_steps(checkout, f'{checkout}/.venv {OTHER} (3, 7)')
    done = run(checkout)
    assert done.returncode == 1 and mine.is_file()
    assert 'made by another Python' in done.stdout
    assert f"make PYTHON='{OTHER}' " in done.stdout
    assert f"rm -rf '{checkout}/.venv'" in done.stdout
    assert 'Traceback' not in done.stdout


def test_moved_environment_stays(checkout: Path, mine: Path) -> None:
    write_steps(checkout, f'/elsewhere/.venv {OTHER} (3, 7)')
    done = run(checkout)
    assert done.returncode == 1 and mine.is_file()
    assert 'was moved here' in done.stdout


def test_foreign_environment_stays(checkout: Path, mine: Path) -> None:
    done = run(checkout)
    assert done.returncode == 1 and mine.is_file()
    assert 'not made by this set-up' in done.stdout


def test_mim_needs_an_environment(checkout: Path) -> None:
    done = run(checkout, '--mim')
    assert done.returncode == 1 and 'run make setup first' in done.stdout


@pytest.mark.slow
def test_mim_environment(source: Path) -> None:
    """It shares packages, holds the package itself, and follows changes."""
    shutil.copytree(ROOT / '.dev_scripts', source / '.dev_scripts', dirs_exist_ok=True)
    (source / '.venv').symlink_to(sys.prefix)
    done = run(source, '--mim')
    assert done.returncode == 0, done.stdout
    python = source / '.venv-mim/bin/python'
    ask = 'import distutils, stpn_plugin, torch\n'  # mmengine imports distutils, too
    ask += 'print(stpn_plugin.__file__, torch.__file__)'

    def imported() -> list:
        environ = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
        shown = subprocess.check_output([str(python), '-c', ask], cwd='/', env=environ)
        return shown.decode().split()

    own, shared = imported()
    assert '.venv-mim/' in own and '.venv-mim' not in shared
    assert (Path(own).parent / '.mim/model-index.yml').is_file()
    assert not run(source, '--mim').stdout  # nothing to do
    (source / 'configs/new.py').write_text('')
    (source / 'configs/_base_/default_runtime.py').unlink()
    assert 'ready after' in run(source, '--mim').stdout
    installed = Path(imported()[0]).parent / '.mim/configs'
    assert (installed / 'new.py').is_file()
    assert not (installed / '_base_/default_runtime.py').exists()
