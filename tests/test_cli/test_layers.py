"""Command lines are read in ``cli`` and nowhere below."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.commands import ROOT

PACKAGE = ROOT / 'stpn_plugin'
BELOW = [
    path
    for path in sorted(PACKAGE.rglob('*.py'))
    if not {'cli', '.mim'} & {*path.relative_to(PACKAGE).parts}
]


def imports(path: Path) -> set[str]:
    """Last parts of the modules that a file imports, and all names from them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.update(alias.name for alias in node.names)
            names.add(node.module or '')
    return names


@pytest.mark.parametrize('path', BELOW, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_command_lines_below_cli(path: Path) -> None:
    names = imports(path)
    assert 'argparse' not in names and 'DictAction' not in names
    assert not any(name.split('.')[0] == 'cli' for name in names)


@pytest.mark.parametrize(
    'path', sorted((ROOT / 'tools').rglob('*.py')), ids=lambda path: path.name
)
def test_tools_are_their_commands(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len([line for line in lines if line]) == 5
    assert any(line.startswith('from stpn_plugin.cli.') for line in lines)
