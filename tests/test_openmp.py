"""Threads of torch that wait do not keep a processor busy."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stpn_plugin import openmp

ROOT = Path(__file__).parents[1]
# Says how threads wait at the moment that torch is imported.
SPY = """
import os, sys
class Spy:
    def find_spec(self, name, path=None, target=None):
        if name == 'torch':
            print('torch finds', os.environ.get('OMP_WAIT_POLICY'))
sys.meta_path.insert(0, Spy())
"""
# Programs of users that compute with torch in their own process.
PROGRAMS = [
    *(p for p in sorted((ROOT / 'tools').rglob('*.py')) if p.parent.name != 'dev'),
    ROOT / 'projects' / 'tiny_vid' / 'demo.py',
    ROOT / 'projects' / 'tiny_vid' / 'probe.py',
]


@pytest.mark.slow
def test_set_before_torch_is_loaded() -> None:
    environment = {k: v for k, v in os.environ.items() if k != 'OMP_WAIT_POLICY'}
    done = subprocess.run(
        [sys.executable, '-c', f'{SPY}\nimport stpn_plugin'],
        cwd=ROOT,
        env={**environment, 'PYTHONPATH': str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == 'torch finds PASSIVE'


def test_the_users_setting_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OMP_WAIT_POLICY', 'ACTIVE')
    openmp.use_passive_waiting()
    assert os.environ['OMP_WAIT_POLICY'] == 'ACTIVE'


@pytest.mark.parametrize('program', PROGRAMS, ids=lambda path: path.stem)
def test_programs_import_the_package_before_what_imports_torch(program: Path) -> None:
    """Only of some modules is it known that they do not import torch."""
    harmless = {'__future__', 'argparse', 'multiprocessing', 'os', 'runpy', 'shlex'}
    harmless |= {'sys', 'time', 'typing'}
    for statement in ast.parse(program.read_text()).body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            names = [
                getattr(statement, 'module', None) or alias.name
                for alias in statement.names
            ]
            packages = {name.split('.')[0] for name in names} - harmless
            if packages:
                assert packages == {'stpn_plugin'}
                return
    pytest.fail(f'{program} does not import stpn_plugin')
