"""Packages that only some functions need."""

from __future__ import annotations

import importlib
from typing import Any


class MissingPackageError(ImportError, ValueError):
    """An optional package is not installed."""


def import_extra(name: str, extra: str) -> Any:
    """Import an optional package.

    Args:
        name: Name of the package, as Python imports it.
        extra: The extra of this package that brings it.

    Returns:
        The package.

    Raises:
        MissingPackageError: It is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.split('.')[0]:
            raise
        raise MissingPackageError(
            f'this needs the package {name}, which is not installed: '
            f'pip install "stpn_plugin[{extra}]"'
        ) from error
