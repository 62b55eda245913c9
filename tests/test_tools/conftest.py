from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import run_tool
from tests.support.tiny_configs import stpn_config
from tests.support.tiny_data import write_tiny_vid


@pytest.fixture(scope='session')
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_vid(tmp_path_factory.mktemp('tiny_vid'))


@pytest.fixture(scope='session')
def config(data_root: Path) -> Path:
    """File with the tiny STPN config."""
    path = data_root / 'stpn.py'
    stpn_config(data_root).dump(str(path))
    return path


@pytest.fixture(scope='session')
def trained(config: Path) -> Path:
    """Work dir of a finished training of the tiny STPN."""
    work_dir = config.parent / 'trained'
    run_tool('train.py', config, '--work-dir', work_dir)
    return work_dir


@pytest.fixture(scope='session')
def checkpoint(trained: Path) -> Path:
    return trained / 'epoch_3.pth'


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tools write to the current folder unless they are told otherwise."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('LOCAL_RANK', raising=False)
