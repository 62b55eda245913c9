"""numpy arrays of plain numbers or text from what a file says of them.

numpy's own way from a pickle to an array (``_reconstruct``, ``dtype``, and
``__setstate__`` of both) believes the file: an array of objects takes the file's bytes
for addresses. Here a dtype is one of a closed list, and an array has exactly the bytes
that its shape and dtype need.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

_NUMBERS = frozenset('b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8 c8 c16'.split())
_TEXT = re.compile('[SU][1-9][0-9]{0,5}')
_LAST_CHARACTER = 0x10FFFF


def plain_dtype(code: Any) -> np.dtype:
    """Make a dtype from its code, as pickles of dtypes have it.

    Args:
        code: Such as ``'f4'``, without a byte order.

    Returns:
        The dtype, in the machine's byte order.

    Raises:
        ValueError: It is no code of booleans, numbers or text.
    """
    if isinstance(code, str) and (code in _NUMBERS or _TEXT.fullmatch(code)):
        return np.dtype(code)
    raise ValueError(f'arrays of dtype {code!r} are not allowed in it')


def with_dtype_state(dtype: np.dtype, state: Any) -> np.dtype:
    """Apply what a pickle sets in a dtype: the byte order, and nothing else.

    Args:
        dtype: A dtype of :func:`plain_dtype`.
        state: ``(3, byte order, None, None, None, size, alignment, flags)``.

    Returns:
        The dtype in that byte order.

    Raises:
        ValueError: The state has fields, a shape, metadata, or another size.
    """
    # Flags say how to treat an element, e.g. as the address of an object. numpy keeps
    # them; here they are the dtype's own.
    sizes = (-1, -1, 0)
    if dtype.kind in 'SU':
        sizes = (dtype.itemsize, dtype.alignment, dtype.flags)
    if (
        not isinstance(state, tuple)
        or len(state) != 8
        or state[0] != 3
        or state[1] not in ('<', '>', '|', '=')
        or any(item is not None for item in state[2:5])
        or state[5:] != sizes
    ):
        raise ValueError(f'the state {state!r:.100} of a dtype is not allowed in it')
    return dtype if state[1] == '|' else dtype.newbyteorder(state[1])


def plain_array(
    dtype: np.dtype, shape: Any, data: Any, fortran: bool = False
) -> np.ndarray:
    """Make an array that owns its memory, in the machine's byte order.

    Args:
        dtype: A dtype of the functions above.
        shape: Sizes of its dimensions.
        data: Its bytes.
        fortran: Whether the first index is the fastest.

    Returns:
        The array.

    Raises:
        ValueError: Shape and bytes do not fit each other, or are none.
    """
    if not isinstance(dtype, np.dtype) or dtype.kind not in 'biufcSU':
        raise ValueError(f'arrays of dtype {dtype!r:.100} are not allowed in it')
    shape = (shape,) if type(shape) is int else shape
    if (
        not isinstance(shape, tuple)
        or len(shape) > 32
        or not all(type(size) is int and size >= 0 for size in shape)
        or not isinstance(data, (bytes, bytearray))
        or math.prod(shape) * dtype.itemsize != len(data)
    ):
        raise ValueError(f'an array of shape {shape!r:.100} does not have its bytes')
    if not data:
        return np.empty(shape, dtype.newbyteorder('='))
    array = np.frombuffer(data, dtype)
    if dtype.kind == 'U':
        points = array.view(np.dtype('u4').newbyteorder(dtype.byteorder))
        if (points > _LAST_CHARACTER).any():
            raise ValueError('an array has text that is no Unicode')
    array = array.reshape(shape, order='F' if fortran else 'C')
    return array.astype(dtype.newbyteorder('='))
