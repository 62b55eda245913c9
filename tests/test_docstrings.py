"""The examples in docstrings, run as they stand there."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from pathlib import Path
from typing import Any, Dict, List

import mmcv
import numpy as np
import pytest

import stpn_plugin
from tests.support.tiny_configs import stpn_config
from tests.support.tiny_data import HEIGHT, WIDTH, write_tiny_vid
from tests.support.video_models import save_weights


def find_examples() -> List[doctest.DocTest]:
    """Of all modules, those without an example in them left out."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = []
    for module in pkgutil.walk_packages(stpn_plugin.__path__, 'stpn_plugin.'):
        found += finder.find(importlib.import_module(module.name))
    return [test for test in found if test.examples]


EXAMPLES = find_examples()


@pytest.fixture
def files(tmp_path: Path) -> Dict[str, Any]:
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
    report: List[str] = []
    failed, _ = doctest.DocTestRunner().run(example, out=report.append)
    assert not failed, ''.join(report)


def test_examples_are_found() -> None:
    names = {example.name for example in EXAMPLES}
    assert 'stpn_plugin.models.backbones.stpn_swin.STPNSwinTransformer' in names
