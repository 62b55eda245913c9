"""Modules import each other in one direction; import-linter checks who whom."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support.commands import ROOT


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def imports(path: Path, modules: set[str]) -> set[str]:
    """Modules of the package that a file imports, also within functions."""
    package = module_name(path).split('.')
    if path.name != '__init__.py':
        package = package[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = '.'.join([*base, *filter(None, [node.module])])
            names = {f'{source}.{alias.name}' for alias in node.names}
            # `from package import module` is no use of what the package gathers.
            found |= (names & modules) or {source}
    return found & modules


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle; none if there is none."""
    done: set[str] = set()

    def visit(module: str, way: list[str]) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module not in done:
            for other in sorted(graph[module]):
                circle = visit(other, [*way, module])
                if circle:
                    return circle
            done.add(module)
        return []

    for module in graph:
        circle = visit(module, [])
        if circle:
            return circle
    return []


def test_find_circle() -> None:
    assert find_circle(dict(a={'b'}, b={'c', 'd'}, c={'d'}, d=set())) == []
    assert find_circle(dict(a={'b'}, b={'c'}, c={'d'}, d={'b'})) == list('bcdb')


def test_no_circles() -> None:
    files = {
        module_name(path): path
        for folder in ('stpn_plugin', 'tools', 'projects', 'tests')
        for path in (ROOT / folder).rglob('*.py')
    }
    graph = {name: imports(path, set(files)) for name, path in files.items()}
    assert 'stpn_plugin.models.prompts.base' in graph['stpn_plugin.models.prompts']
    assert find_circle(graph) == []
