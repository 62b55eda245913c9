"""Puts the operators under test behind ``mmcv.ops``, whatever mmcv is installed."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Callable, ContextManager, Iterator

import mmcv.ops  # noqa: F401
import pytest
import torch

PROJECT = Path(__file__).parents[3] / 'projects' / 'mmcv_torchvision_ops'


@pytest.fixture(scope='session')
def project() -> Path:
    return PROJECT


@pytest.fixture(scope='session')
def backend() -> ModuleType:
    """The module under test, loaded from its file, over the operators beside it."""
    spec = importlib.util.spec_from_file_location(
        'backend_under_test', PROJECT / 'mmcv' / '_ext.py'
    )
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for name in list(sys.modules):  # of the installed distribution
            if name.split('.')[0] == 'mmcv_torchvision_ops':
                patch.delitem(sys.modules, name)
        patch.syspath_prepend(PROJECT)
        spec.loader.exec_module(module)
    return module


@contextmanager
def _operators_of(extension: ModuleType) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith('mmcv.ops.') and hasattr(module, 'ext_module'):
                patch.setattr(module, 'ext_module', extension)
        yield


@pytest.fixture
def operators_of() -> Callable[[ModuleType], ContextManager[None]]:
    """Lets ``mmcv.ops`` use the extension module given, as a context manager."""
    return _operators_of


@pytest.fixture(autouse=True)
def _use_backend(backend: ModuleType) -> Iterator[None]:
    with _operators_of(backend):
        yield


@pytest.fixture(params=['cpu', pytest.param('cuda', marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.param)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)
