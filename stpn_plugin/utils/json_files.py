"""JSON that every reader takes, and reading that which others wrote."""

from __future__ import annotations

import json
import math
import os
import os.path as osp
from typing import Any

from .files import PathLike, whole_text


def read_json(path: PathLike) -> Any:
    """Read a JSON file.

    Args:
        path: Path of the file.

    Returns:
        What it holds.

    Raises:
        OSError: It does not exist, or cannot be read.
        ValueError: It is no JSON, or no regular file.
    """
    check_regular_file(path)
    with open(path, encoding='utf-8') as file:
        try:
            return json.load(file)
        except RecursionError as error:
            raise ValueError(f'{os.fspath(path)} is nested too deeply') from error
        except ValueError as error:  # also of text that is not UTF-8
            raise ValueError(f'{os.fspath(path)} is no JSON: {error}') from error


def check_regular_file(path: PathLike) -> None:
    """Raise unless a path is a file, not a folder, or a pipe that would be read on.

    Raises:
        OSError: There is nothing, or it is a folder.
        ValueError: It is something else.
    """
    if osp.isfile(path):
        return
    os.stat(path)
    if osp.isdir(path):
        raise IsADirectoryError(f'{os.fspath(path)} is a folder')
    raise ValueError(f'{os.fspath(path)} is no regular file')


def write_json(path: PathLike, value: Any, indent: int | None = 2) -> None:
    """Write numbers to a JSON file, whole or not at all.

    Args:
        path: Path of the file. Missing folders are made.
        value: Dicts, lists and what JSON has. Numbers that are not finite become
            ``null``: JSON has none, and most readers refuse Python's ``NaN``.
        indent: As for ``json.dump``. None puts all into one line.

    Raises:
        OSError: If the file cannot be written.
        TypeError: If JSON has nothing for a value.
    """
    text = json.dumps(_finite(value), indent=indent, allow_nan=False)
    with whole_text(path) as file:
        file.write(f'{text}\n')


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
