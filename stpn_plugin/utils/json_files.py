"""JSON that every reader takes."""

from __future__ import annotations

import json
import math
from typing import Any

from .files import PathLike, whole_text


def write_json(path: PathLike, value: Any) -> None:
    """Write numbers to a JSON file, whole or not at all.

    Args:
        path: Path of the file. Missing folders are made.
        value: Dicts, lists and what JSON has. Numbers that are not finite become
            ``null``: JSON has none, and most readers refuse Python's ``NaN``.

    Raises:
        OSError: If the file cannot be written.
        TypeError: If JSON has nothing for a value.
    """
    text = json.dumps(_finite(value), indent=2, allow_nan=False)
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
