from __future__ import annotations

from typing import Iterator

import pytest

from tests.support.toy_runs import Forker


@pytest.fixture(scope='session')
def forker() -> Iterator[Forker]:
    with Forker() as forker:
        yield forker
