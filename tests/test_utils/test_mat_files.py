"""MATLAB files are read as scipy reads them, and refused if they lie."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from stpn_plugin.utils.mat_files import MatError, read_mat


def cells(rng: np.random.Generator, count: int) -> np.ndarray:
    """A row of cells, each with a row of numbers of some type."""
    made = np.empty((1, count), object)
    for i in range(count):
        dtype = rng.choice(['f8', 'f4', 'i1', 'u1', 'i2', 'u2', 'i4', 'u4', 'i8'])
        made[0, i] = (100 * rng.random((1, rng.integers(0, 4)))).astype(dtype)
    return made


@pytest.mark.parametrize('compressed', [False, True])
def test_as_scipy_reads_them(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / 'a.mat'
    rng = np.random.default_rng(0)
    content = dict(first='text', table=cells(rng, 50), rows=np.arange(6).reshape(2, 3))
    savemat(path, content, do_compression=compressed)
    expected = loadmat(path)
    table = read_mat(path, 'table')
    assert len(table) == 50
    for actual, row in zip(table, expected['table'][0]):
        assert actual.tolist() == row.ravel().tolist()
    assert read_mat(path, 'rows').tolist() == [0, 3, 1, 4, 2, 5]  # column by column
    with pytest.raises(MatError, match="no variable 'other'"):
        read_mat(path, 'other')
    with pytest.raises(MatError, match='class 4, not of numbers'):
        read_mat(path, 'first')


def test_sizes_are_not_believed(tmp_path: Path) -> None:
    path = tmp_path / 'a.mat'
    savemat(path, dict(table=cells(np.random.default_rng(0), 3)))
    whole = path.read_bytes()
    shape = struct.pack('<ii', 1, 3)
    for other, text in (
        (struct.pack('<ii', 2**15, 2**15), 'a cell of 1073741824 elements'),
        (struct.pack('<ii', 1, -3), 'negative size'),
        (struct.pack('<ii', 1, 4), 'a cell of 4 elements has 3'),
    ):
        assert whole.count(shape) >= 1
        place = whole.index(shape)
        path.write_bytes(whole[:place] + other + whole[place + len(shape) :])
        with pytest.raises(MatError, match=text):
            read_mat(path, 'table')
    path.write_bytes(whole[:-5])
    with pytest.raises(MatError, match='cut short'):
        read_mat(path, 'table')
    path.write_bytes(b'MATLAB 7.3 MAT-file'.ljust(600))
    with pytest.raises(MatError, match='version 5 to 7'):
        read_mat(path, 'table')
