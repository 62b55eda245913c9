from __future__ import annotations

import pytest

from stpn_plugin.utils import name_runs


@pytest.mark.parametrize(
    ('paths', 'names'),
    [
        (['a/results.pkl'], ['results']),
        (['a/results.pkl', 'b/other.json'], ['results', 'other']),
        (['x/a/results.pkl', 'x/b/results.pkl'], ['a/results', 'b/results']),
        (['x/a/c/r.pkl', 'x/b/c/r.pkl', 'x/b/d/r.pkl'], ['a/c/r', 'b/c/r', 'b/d/r']),
        (['a/r.pkl', 'a/r.json'], ['r.pkl', 'r.json']),
        (['/a', '/b/a'], ['/a', 'b/a']),
        (['a b/c d.pkl'], ['c d']),
    ],
)
def test_as_short_as_they_differ(paths: list, names: list) -> None:
    assert name_runs(paths) == names


def test_given_names() -> None:
    assert name_runs(['a', 'b'], ['x', 'y']) == ['x', 'y']
    with pytest.raises(ValueError, match='2 runs, but 1 names'):
        name_runs(['a', 'b'], ['x'])
    with pytest.raises(ValueError, match='name x is given more than once'):
        name_runs(['a', 'b'], ['x', 'x'])
    with pytest.raises(ValueError, match='r.pkl is given more than once'):
        name_runs(['a/r.pkl', 'a/../a/r.pkl'])
