"""The scripts whose figures the README tells, scaled down."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from tests.support.commands import ROOT, run_command


@pytest.mark.slow
def test_kill_and_resume(tmp_path: Path) -> None:
    shown = run_command(
        *(sys.executable, ROOT / 'tools/dev/kill_and_resume.py'),
        *('--kills', 2, '--kills-in-writes', 3),
        cwd=tmp_path,
    )
    told = '2 SIGKILLs at random moments, 3 while a checkpoint was written'
    assert told in shown and '5 of 5 resumes were clean' in shown
    assert 'all equal: yes' in shown


@pytest.mark.slow
def test_long_run(capsys: pytest.CaptureFixture) -> None:
    main = runpy.run_path(str(ROOT / 'tools/dev/long_run.py'))['main']
    status = main(['--iterations', '4', '--frames', '8'])
    shown = capsys.readouterr().out
    assert status in (0, 1)  # so short a run is mostly the beginning
    assert shown.count('flat') == 2
    assert 'iteration      4' in shown and 'frame      8' in shown


@pytest.mark.parametrize(('rise', 'flat'), [(0.0, True), (0.01, True), (1.0, False)])
def test_what_is_flat(rise: float, flat: bool, capsys: pytest.CaptureFixture) -> None:
    is_flat = runpy.run_path(str(ROOT / 'tools/dev/long_run.py'))['is_flat']
    start = [(1, 500.0), (2, 800.0)]  # the beginning does not count
    curve = start + [(i, 1000 + rise * i * 10) for i in range(3, 20)]
    assert is_flat(curve, 'frame') is flat
    assert ('NOT flat' in capsys.readouterr().out) is not flat
