"""What all tests share: how they use the machine, and which of them can run on it."""

from __future__ import annotations

import os
import signal
from typing import Iterator

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')  # read when torch is imported

import pytest
import torch
from mmengine.registry import DefaultScope
from mmtrack.utils import register_all_modules

import stpn_plugin  # noqa: F401

# Asserts of the helpers tell their values, too.
pytest.register_assert_rewrite('tests.support')
pytest_plugins = ['tests.support.packages', 'tests.support.tiny_set']

# A finished training, and a copy of the files that packages are built from.
SLOW_FIXTURES = {'trained', 'source'}


def pytest_configure(config: pytest.Config) -> None:
    # Tests send Ctrl-C to themselves. What a shell runs in the background ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # The models are tiny: more threads cost more than they bring.
    torch.set_num_threads(min(2, torch.get_num_threads()))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SLOW_FIXTURES.intersection(getattr(item, 'fixturenames', ())):
            item.add_marker(pytest.mark.slow)
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason='needs a CUDA device')
    for item in items:
        if 'gpu' in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True, scope='session')
def mmtrack_scope() -> None:
    """Build from mmtrack's registries, as a config with its default scope does."""
    register_all_modules(init_default_scope=True)


@pytest.fixture(autouse=True)
def own_scope(mmtrack_scope: None) -> Iterator[None]:
    """Undo what a test does to the default scope, such as by running a config."""
    with DefaultScope.overwrite_default_scope('mmtrack'):
        yield
