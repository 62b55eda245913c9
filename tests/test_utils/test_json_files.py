from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stpn_plugin.utils import write_json


def test_what_is_not_finite_becomes_null(tmp_path: Path) -> None:
    path = tmp_path / 'new folder/a.json'
    write_json(path, {'a': float('nan'), 'b': [1, np.float64('inf'), {'c': 0.5}]})
    text = path.read_text()
    assert 'NaN' not in text and 'Infinity' not in text
    assert json.loads(text) == {'a': None, 'b': [1, None, {'c': 0.5}]}


def test_file_stays_if_a_value_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / 'a.json'
    write_json(path, 1)
    with pytest.raises(TypeError):
        write_json(path, object())
    assert path.read_text() == '1\n'
    assert [other.name for other in tmp_path.iterdir()] == ['a.json']
