"""Configs as data: those that set variables to plain values, without running them."""

from __future__ import annotations

import ast
import re
from typing import Any

# With a scope, or as mmcv names some: `mmdet.FPN`, `nms`. Others would be imported.
_TYPE = re.compile(r'(mm\w+\.)?[A-Z]\w*|[a-z]\w*')


def parse_literal_config(text: str, name: str) -> dict[str, Any]:
    """Read a config as mmengine's ``Config.dump`` writes it, and run nothing.

    Args:
        text: Python assignments of ``dict(...)``, lists, numbers, text.
        name: What to call it in errors.

    Returns:
        The values by the names of the variables.

    Raises:
        ValueError: It has anything else, or a ``type`` that is none of a registry.
    """
    try:
        values = {}
        for line in ast.parse(text).body:
            if not isinstance(line, ast.Assign) or len(line.targets) != 1:
                raise _Refused(line)
            (target,) = line.targets
            if not isinstance(target, ast.Name):
                raise _Refused(line)
            values[target.id] = _value(line.value)
    except _Refused as refused:
        raise ValueError(
            f'{name}, line {refused.line}: only plain values are read from it'
        ) from refused
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f'{name} is no config: {error}') from error
    for kind in _types(values):
        if not _TYPE.fullmatch(kind):
            raise ValueError(f'{name} has the type {kind!r:.60}, which is not taken')
    return values


class _Refused(Exception):
    """Something is no plain value."""

    def __init__(self, node: Any) -> None:
        super().__init__()
        self.line = node.lineno


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple)):
        items = [_value(item) for item in node.elts]
        return items if isinstance(node, ast.List) else tuple(items)
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {_value(k): _value(v) for k, v in zip(node.keys, node.values) if k}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _value(node.operand)
        if isinstance(value, (int, float)):
            return -value
    if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'dict':
        if not node.args and all(pair.arg for pair in node.keywords):
            return {str(pair.arg): _value(pair.value) for pair in node.keywords}
    raise _Refused(node)


def _types(value: Any) -> list[str]:
    """All that is to be built."""
    if isinstance(value, dict):
        found = [str(value['type'])] if value.get('type') is not None else []
        return found + [kind for item in value.values() for kind in _types(item)]
    if isinstance(value, (list, tuple)):
        return [kind for item in value for kind in _types(item)]
    return []
