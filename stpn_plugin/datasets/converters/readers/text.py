"""Reading of files that may hold anything."""

from __future__ import annotations

import csv
import math
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
                numbers = [finite(cell) for cell in row if cell.strip()]
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


def finite(text: str) -> float:
    """A number.

    Raises:
        ValueError: It is none, or not finite.
    """
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f'{text} is not finite')
    return number


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

    def number(self, key: str) -> float:
        """A finite number.

        Args:
            key: Its key.

        Raises:
            ConversionError: It is missing, or no such number.
        """
        return _number(self.get(key, (int, float)), f'{self._where}: {key!r}')

    def box(self, key: str) -> tuple[float, float, float, float]:
        """A box of four numbers.

        Args:
            key: Its key.

        Raises:
            ConversionError: It is missing, or no box.
        """
        return as_box(self.get(key, list), f'{self._where}: {key!r}')


def as_box(value: Any, where: str) -> tuple[float, float, float, float]:
    """Left, top, width and height.

    Args:
        value: What is to be a box.
        where: Where it stands, for errors.

    Raises:
        ConversionError: It is none.
    """
    if not isinstance(value, list) or len(value) != 4:
        raise ConversionError(f'{where} is {value!r:.60}, no four numbers')
    left, top, width, height = (_number(v, where) for v in value)
    return left, top, width, height


def _number(value: Any, where: str) -> float:
    # Whole numbers beyond those of floats are no sizes either.
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConversionError(f'{where} is {value!r:.40}, no number')
    if not abs(value) < 1e9:
        raise ConversionError(f'{where} is no number that fits an image')
    return value
