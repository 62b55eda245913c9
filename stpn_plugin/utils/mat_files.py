"""Cells of numbers from a MATLAB file of version 5 (MATLAB 5 to 7, not 7.3).

Of a mutated file, scipy's reader ends the process or fills the memory. This one reads
less, and believes no size that it has not compared with the file. What it reads is
described in "MAT-File Format" by The MathWorks.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any, Iterator, Union

import numpy as np

from .files import PathLike
from .json_files import check_regular_file

#: What a variable holds: numbers, in the order of the file, or a cell of others.
Value = Union[np.ndarray, list]

_NUMBERS = {
    1: 'i1',
    2: 'u1',
    3: 'i2',
    4: 'u2',
    5: 'i4',
    6: 'u4',
    7: 'f4',
    9: 'f8',
    12: 'i8',
    13: 'u8',
}
_MATRIX, _COMPRESSED = 14, 15
_CELL = 1
_NUMERIC = range(6, 16)  # classes of arrays of numbers
_DEEPEST = 8
_LARGEST = 1 << 29  # bytes of a variable; that of ImageNet VID has 40 million


class MatError(ValueError):
    """A file is no MATLAB file, or holds what is not supported."""


def read_mat(path: PathLike, variable: str) -> Value:
    """Read a variable.

    Args:
        path: Path of the file.
        variable: Its name.

    Returns:
        The numbers, or the list of a cell's elements, in the order of the file.

    Raises:
        OSError: The file cannot be read.
        MatError: It is no such file, or has no such variable of cells and numbers.
    """
    check_regular_file(path)
    with open(path, 'rb') as file:
        content = file.read()
    order = {b'IM': '<', b'MI': '>'}.get(content[126:128])
    if order is None:
        raise MatError('it is no MATLAB file of version 5 to 7')
    reader = _Reader(order)
    for kind, data in reader.elements(memoryview(content)[128:]):
        if kind == _COMPRESSED:
            unpacked = _decompress(data)
            (kind, data), *_ = [*reader.elements(memoryview(unpacked)), (0, b'')]
        if kind != _MATRIX:
            continue
        name, value = reader.matrix(data, variable)
        if name == variable:
            return value
    raise MatError(f'it has no variable {variable!r}')


def _decompress(data: memoryview) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(data, _LARGEST)
    except zlib.error as error:
        raise MatError(f'it is garbled: {error}') from error
    if not unpacker.eof:
        raise MatError('it is cut short, or too large')
    return unpacked


class _Reader:
    """Reads the elements of a file.

    Args:
        order: The byte order, as of ``struct``.
    """

    def __init__(self, order: str) -> None:
        self.order = order

    def elements(self, data: memoryview) -> Iterator[tuple[int, memoryview]]:
        """The elements in some bytes, one after the other: type and content."""
        position = 0
        while position < len(data):
            if position + 8 > len(data):
                raise MatError('it is cut short')
            kind, size = struct.unpack_from(f'{self.order}II', data, position)
            if kind >> 16:  # up to four bytes, within the tag
                kind, size = kind & 0xFFFF, kind >> 16
                if size > 4:
                    raise MatError('it is garbled')
                start, position = position + 4, position + 8
            else:
                start = position + 8
                padding = 0 if kind == _COMPRESSED else -size % 8
                position = start + size + padding
            if start + size > len(data):
                raise MatError('it is cut short')
            yield kind, data[start : start + size]

    def matrix(
        self, data: memoryview, wanted: str | None = None, depth: int = 0
    ) -> tuple[str, Value]:
        """Name and value of an array.

        Args:
            data: Its content.
            wanted: The name that it has to have to be read on.
            depth: Number of cells around it.

        Raises:
            MatError: It is neither a cell nor numbers, or its sizes are not its own.
        """
        if not data:  # an empty element of a cell
            return '', np.zeros(0)
        parts = self.elements(data)
        (_, flags), (_, sizes), (_, label) = (
            next(parts, (0, memoryview(b''))) for _ in range(3)
        )
        if len(flags) < 4 or len(sizes) % 4 or len(sizes) > 4 * 32:
            raise MatError('it is garbled')
        name = bytes(label).decode('latin-1')
        if wanted is not None and name != wanted:
            return name, []
        (word,) = struct.unpack_from(f'{self.order}I', flags)
        shape = struct.unpack(f'{self.order}{len(sizes) // 4}i', sizes)
        if any(size < 0 for size in shape):
            raise MatError('it has an array of a negative size')
        count = math.prod(shape)
        if word & 0xFF == _CELL:
            return name, self._cell(parts, count, len(data), depth)
        if word & 0xFF not in _NUMERIC:
            raise MatError(f'it has an array of class {word & 0xFF}, not of numbers')
        kind, numbers = next(parts, (0, memoryview(b'')))
        if count == 0:
            return name, np.zeros(0)
        dtype = np.dtype(_NUMBERS.get(kind, 'V1')).newbyteorder(self.order)
        if dtype.kind == 'V' or count * dtype.itemsize != len(numbers):
            raise MatError(f'an array of {count} numbers does not have its bytes')
        return name, np.frombuffer(numbers, dtype).astype(np.float64)

    def _cell(
        self, parts: Iterator[tuple[int, Any]], count: int, length: int, depth: int
    ) -> list:
        if depth >= _DEEPEST:
            raise MatError('its cells are nested too deeply')
        if count > length // 8:  # an element has a tag of eight bytes
            raise MatError(f'a cell of {count} elements does not have them')
        elements = []
        for kind, data in parts:
            if kind != _MATRIX:
                raise MatError('a cell has something else than arrays')
            elements.append(self.matrix(data, depth=depth + 1)[1])
        if len(elements) != count:
            raise MatError(f'a cell of {count} elements has {len(elements)}')
        return elements
