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


# A part of a docstring that stands at its left edge, and its lines.
SECTION = re.compile(
    r'^(Args|Attributes|Returns|Yields):\n((?:(?: {4}.*)?(?:\n|\Z))+)', re.MULTILINE
)
TYPED_NAME = re.compile(r'^ {4}(\*{0,2}\w+ \(.+?\)): ', re.MULTILINE)
PROPERTIES = ('property', 'cached_property')
TYPES = (ast.Name, ast.Attribute, ast.Subscript, ast.BinOp, ast.Tuple)


def leading_type(text: str) -> list[str]:
    """What stands before the first colon, or alone, if Python takes it for a type."""
    head = re.split(r':(?:\s|\Z)', text.strip(), maxsplit=1)[0]
    try:
        tree = ast.parse(head, mode='eval')
    except SyntaxError:  # words
        return []
    return [head] if isinstance(tree.body, TYPES) else []


def types_in(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[str]:
    """The types that a docstring repeats from the signature."""
    doc = ast.get_docstring(node) or ''
    found = []
    for title, lines in SECTION.findall(doc):
        if title in ('Args', 'Attributes'):
            found += TYPED_NAME.findall(lines)
        else:
            found += leading_type(lines)
    decorators = node.decorator_list
    names = {getattr(each, 'attr', getattr(each, 'id', None)) for each in decorators}
    if names.intersection(PROPERTIES):
        found += leading_type(doc)
    return found


@pytest.mark.parametrize(
    ('code', 'types'),
    [
        (
            'def f():\n  """F.\n\n  Args:\n      a (int): A.\n      b: B.\n  """',
            ['a (int)'],
        ),
        ('class A:\n  """A.\n\n  Attributes:\n      a (A, B): A.\n  """', ['a (A, B)']),
        ('def f():\n  """F.\n\n  Returns:\n      list[int]: A.\n  """', ['list[int]']),
        ('def f():\n  """F.\n\n  Yields:\n      np.ndarray\n  """', ['np.ndarray']),
        ('@property\ndef f():\n  """bool: F."""', ['bool']),
        ('@property\ndef f():\n  """There is one: F."""', []),
        ('def f():\n  """F.\n\n  Returns:\n      The sum: of all.\n  """', []),
        ('def f():\n  """F.\n\n  Raises:\n      ValueError: No.\n  """', []),
    ],
)
def test_finds_types(code: str, types: list[str]) -> None:
    (node,) = ast.parse(code).body
    assert isinstance(node, (ast.FunctionDef, ast.ClassDef))
    assert types_in(node) == types


def test_types_stand_in_signatures_alone() -> None:
    folders = ('stpn_plugin', 'tools', 'projects', 'tests', '.dev_scripts')
    paths = [path for folder in folders for path in (ROOT / folder).rglob('*.py')]
    found = [
        f'{path}:{node.lineno}: {text}'
        for path in [ROOT / 'stpn_command.py', *paths]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        for text in types_in(node)
    ]
    assert found == []


def test_examples_are_found() -> None:
    names = {example.name for example in EXAMPLES}
    assert 'stpn_plugin.models.backbones.stpn_swin.STPNSwinTransformer' in names
