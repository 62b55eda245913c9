"""The programs in ``tools`` are ways to call commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import ROOT

PROGRAMS = [
    path
    for path in sorted((ROOT / 'tools').rglob('*.py'))
    if path.parent.name != 'dev'  # those are for developers of this project
]


@pytest.mark.parametrize('path', PROGRAMS, ids=lambda path: path.name)
def test_tools_are_their_commands(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len([line for line in lines if line]) == 5
    assert any(line.startswith('from stpn_plugin.cli.') for line in lines)
