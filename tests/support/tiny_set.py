"""Fixtures of a small video set, for tests that only read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tiny_data import write_tiny_vid


@pytest.fixture(scope='session')
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_vid(tmp_path_factory.mktemp('tiny_vid'), num_frames=6)


@pytest.fixture(scope='session')
def video_dir(data_root: Path) -> Path:
    """Folder with the six frames of the first val video."""
    return data_root / 'Data/VID/val/ILSVRC2015_val_00000000'
