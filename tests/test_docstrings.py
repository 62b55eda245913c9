"""Docstrings: their examples, run as they stand there, and what they leave out."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import pytest

import stpn_plugin
from tests.support.commands import ROOT
from tests.support.tiny_configs import stpn_config
from tests.support.tiny_data import HEIGHT, WIDTH, write_tiny_vid
from tests.support.video_models import save_weights


def find_examples() -> list[doctest.DocTest]:
    """Of all modules, those without an example in them left out."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = []
    for module in pkgutil.walk_packages(stpn_plugin.__path__, 'stpn_plugin.'):
        found += finder.find(importlib.import_module(module.name))
    return [test for test in found if test.examples]


EXAMPLES = find_examples()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """What the examples of whole videos start from: names, and what they stand for."""
    cfg = stpn_config(write_tiny_vid(tmp_path / 'tiny_vid'))
    path = tmp_path / 'stpn.py'
    cfg.dump(str(path))
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    (tmp_path / 'frames').mkdir()
    for i in range(3):
        mmcv.imwrite(frame, str(tmp_path / 'frames' / f'{i}.png'))
    checkpoint = save_weights(cfg, tmp_path / 'stpn.pth')
    return dict(config=str(path), checkpoint=checkpoint, frame=frame)


@pytest.mark.parametrize('example', EXAMPLES, ids=lambda example: example.name)
def test_example(
    example: doctest.DocTest,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert '+SKIP' not in example.docstring
    if example.name.endswith('.VideoDetector'):
        example.globs.update(request.getfixturevalue('files'))
    monkeypatch.chdir(tmp_path)  # an example writes to the current folder
    report: list[str] = []
    failed, _ = doctest.DocTestRunner().run(example, out=report.append)
    assert not failed, ''.join(report)


TYPED = re.compile(r'^ +\*{0,2}(\w+) \(.+\): ', re.MULTILINE)


def typed_twice(path: Path) -> list[str]:
    """Arguments whose type stands in the signature and in the docstring."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            continue
        functions = [node] if isinstance(node, ast.FunctionDef) else node.body
        annotated = {
            argument.arg
            for function in functions
            if isinstance(function, ast.FunctionDef)
            and (function is node or function.name == '__init__')
            for argument in [*function.args.args, *function.args.kwonlyargs]
            if argument.annotation
        }
        documented = (ast.get_docstring(node) or '').partition('Args:')[2]
        names = set(TYPED.findall(documented.partition('\n\n')[0]))
        found += [f'{path}:{node.lineno}: {name}' for name in annotated & names]
    return found


def test_types_stand_in_signatures_alone() -> None:
    paths = [
        path
        for folder in ('stpn_plugin', 'tools', 'projects')
        for path in (ROOT / folder).rglob('*.py')
    ]
    assert [line for path in paths for line in typed_twice(path)] == []


def test_examples_are_found() -> None:
    names = {example.name for example in EXAMPLES}
    assert 'stpn_plugin.models.backbones.stpn_swin.STPNSwinTransformer' in names
