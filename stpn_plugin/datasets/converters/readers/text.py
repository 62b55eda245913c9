"""Reading of files that may hold anything."""

from __future__ import annotations

import csv
import os.path as osp
import xml.etree.ElementTree as ET
from glob import escape, glob
from typing import Any, Iterator

from ..report import ConversionError


def files_of(source: str, suffix: str) -> list[str]:
    """The file ``source``, or all files of a kind in the folder ``source``.

    Raises:
        ConversionError: There is none.
    """
    if not osp.isdir(source):
        if not osp.isfile(source):
            raise ConversionError(f'{source} does not exist')
        return [source]
    found = sorted(glob(osp.join(escape(source), f'*{suffix}')))
    if not found:
        raise ConversionError(f'{source} has no files *{suffix}')
    return found


def read_xml(path: str) -> ET.Element:
    """Root of an XML file.

    Raises:
        ConversionError: It is none.
        OSError: It cannot be read.
    """
    try:
        return ET.parse(path).getroot()
    except (ET.ParseError, LookupError, ValueError) as error:
        raise ConversionError(f'{path} is no XML file: {error}') from error


def read_rows(path: str, least: int) -> Iterator[tuple[int, list[float]]]:
    """Rows of numbers of a text file with commas.

    Args:
        path: The file.
        least: Numbers that a row has at least.

    Yields:
        The number of the line, from 1, and its numbers.

    Raises:
        ConversionError: A row has fewer numbers, or something else.
        OSError: It cannot be read.
    """
    with open(path, encoding='utf-8', errors='replace', newline='') as file:
        for line, row in enumerate(csv.reader(file), 1):
            if not any(cell.strip() for cell in row):
                continue
            try:
                numbers = [float(cell) for cell in row if cell.strip()]
            except ValueError:
                raise ConversionError(
                    f'{path}, line {line}: {",".join(row)[:60]!r} are no numbers'
                ) from None
            if len(numbers) < least:
                raise ConversionError(
                    f'{path}, line {line}: {len(numbers)} numbers, at least {least} '
                    'are needed'
                )
            yield line, numbers


class Fields:
    """Entries of a JSON object, with errors that say where one is missing.

    Args:
        path: The file.
        place: Where in the file the object is.
        entries: The object.

    Raises:
        ConversionError: It is no object.
    """

    def __init__(self, path: str, place: str, entries: Any) -> None:
        if not isinstance(entries, dict):
            raise ConversionError(f'{path}: {place} is no object with keys')
        self._where = f'{path}: {place}'
        self._entries = entries

    def get(self, key: str, kind: type | tuple[type, ...], default: Any = ...) -> Any:
        """An entry.

        Args:
            key: Its key.
            kind: What it has to be.
            default: In place of a missing one; by default it may not be missing.

        Raises:
            ConversionError: It is missing, or of another kind.
        """
        if key not in self._entries and default is not ...:
            return default
        value = self._entries.get(key)
        if not isinstance(value, kind):
            what = 'is missing' if key not in self._entries else f'is {value!r:.40}'
            raise ConversionError(f'{self._where}: {key!r} {what}')
        return value
