"""What runs are called that nobody has named."""

from __future__ import annotations

import os.path as osp
from typing import Sequence


def name_runs(paths: Sequence[str], names: Sequence[str] | None = None) -> list[str]:
    """Names for runs that differ, as figures and tables tell runs by their names.

    Args:
        paths: File or folder of every run.
        names: Names that the user gave. Defaults to as many last parts of the paths as
            it takes to tell them apart, without the ending of a file.

    Returns:
        A name for each path.

    Raises:
        ValueError: If there are not as many names as paths, if two names are equal, or
            if a path is given twice without names.
    """
    if names is not None:
        if len(names) != len(paths):
            raise ValueError(
                f'{len(paths)} runs, but {len(names)} names: give each run one'
            )
        return _distinct(list(names), 'name')
    full = [osp.abspath(path) for path in paths]
    _distinct(full, 'run')
    stems = [path if osp.isdir(path) else osp.splitext(path)[0] for path in full]
    if len(set(stems)) < len(stems):  # a.json beside a.pkl
        stems = full
    parts = [stem.split(osp.sep) for stem in stems]
    found: list[str] = []
    for depth in range(1, max(map(len, parts), default=0) + 1):
        found = ['/'.join(part[-depth:]) for part in parts]
        if len(set(found)) == len(found):
            break
    return found


def _distinct(values: list[str], what: str) -> list[str]:
    double = sorted({value for value in values if values.count(value) > 1})
    if double:
        raise ValueError(f'the {what} {double[0]} is given more than once')
    return values
