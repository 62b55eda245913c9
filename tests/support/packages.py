"""What gets distributed, built from the files of this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import ROOT

OFFLINE = ('--quiet', '--no-deps', '--no-build-isolation', '--no-index')


@pytest.fixture(scope='module')
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files, links kept, since building writes into the tree."""
    source = tmp_path_factory.mktemp('source')
    names = subprocess.run(
        ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if names.returncode != 0:
        pytest.skip('not a git checkout')
    for name in filter(None, names.stdout.split('\0')):
        path, copy = ROOT / name, source / name
        if name.startswith(('tests/', 'projects/')) or not os.path.lexists(path):
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            copy.symlink_to(os.readlink(path))
        else:
            copy.write_bytes(path.read_bytes())
    return source


@pytest.fixture(scope='module')
def wheel(source: Path) -> Path:
    dist = source / 'dist'
    run('-m', 'pip', 'wheel', *OFFLINE, '--wheel-dir', str(dist), str(source))
    return next(dist.glob('*.whl'))


@pytest.fixture(scope='module')
def sdist(source: Path) -> Path:
    build = 'from setuptools.build_meta import build_sdist; build_sdist("dist")'
    run('-c', build, cwd=source)
    return next((source / 'dist').glob('*.tar.gz'))


def run(*arguments: str, cwd: Path = ROOT) -> str:
    """Run Python and return what it printed."""
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        # What a user has, who does not work inside the checkout.
        env={k: v for k, v in os.environ.items() if k != 'PYTHONPATH'},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
