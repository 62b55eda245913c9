"""Image files that are whole, and of the size that their annotations are for.

Decoders are more lenient: of half a JPEG file OpenCV 4 makes an image, grey below.
"""

from __future__ import annotations

import io
import os.path as osp
import struct
from typing import Any, Mapping

import mmcv
import numpy as np

# Tag of the orientation in EXIF; from 5 on, width and height are swapped.
_ORIENTATION = 0x0112
_FIRST_TURNED = 5


class ImageError(ValueError):
    """An image file cannot be used."""


def check_regular(path: str) -> None:
    """Raise unless a path is a file: a pipe, for one, would be read forever.

    Raises:
        ImageError: It is something else. What does not exist is no concern here.
    """
    if '://' not in path and osp.exists(path) and not osp.isfile(path):
        what = 'a folder' if osp.isdir(path) else 'no regular file'
        raise ImageError(f'it is {what}')


def decode_image(content: bytes, flag: str = 'color', backend: str = 'cv2') -> Any:
    """Decode an image that is whole.

    Args:
        content: The bytes of its file.
        flag: As for ``mmcv.imfrombytes``.
        backend: As for ``mmcv.imfrombytes``.

    Returns:
        The image, (H, W, 3) for ``flag='color'``.

    Raises:
        ImageError: The file is empty, cut short, or no image.
    """
    if not content:
        raise ImageError('it is empty')
    if not is_whole(content):
        raise ImageError('it is cut short')
    try:
        image = mmcv.imfrombytes(content, flag=flag, backend=backend)
    except Exception as error:  # each backend has errors of its own
        raise ImageError(f'it cannot be decoded: {error}') from error
    if image is None:
        raise ImageError('it is no image, or in a format that is not supported')
    return image


def check_size(image: np.ndarray, content: bytes, info: Mapping[str, Any]) -> None:
    """Raise if an image is not of the size that its annotations are for.

    Args:
        image: The image, (H, W) or (H, W, C).
        content: The bytes of its file.
        info: ``height`` and ``width`` in pixels, where they are known.

    Raises:
        ImageError: It is of another size. One that its EXIF data turns may have either.
    """
    height, width = image.shape[:2]
    wanted = info.get('height'), info.get('width')
    if None in wanted or wanted == (height, width):
        return
    if wanted == (width, height) and _is_turned(content):
        return
    raise ImageError(
        f'it is {width} x {height}, but {wanted[1]} x {wanted[0]} in the annotation '
        'file, whose boxes are those of an image of that size'
    )


def is_whole(content: bytes) -> bool:
    """Whether an image file goes on to its end, as far as its format tells."""
    if content[:2] == b'\xff\xd8':
        return _is_whole_jpeg(content)
    if content[:8] == b'\x89PNG\r\n\x1a\n':
        return b'IEND' in content[-64:] or content.rfind(b'IEND') > 0
    if content[:4] == b'RIFF' and content[8:12] == b'WEBP':
        return len(content) >= 8 + struct.unpack('<I', content[4:8])[0]
    if content[:2] == b'BM' and len(content) >= 6:
        return len(content) >= struct.unpack('<I', content[2:6])[0]
    return True


def _is_whole_jpeg(content: bytes) -> bool:
    """Whether the end marker follows the pixels; a preview before them has one too."""
    position = 2
    while position + 4 <= len(content):
        if content[position] != 0xFF:
            return True  # garbled: the decoder decides
        marker = content[position + 1]
        if marker == 0xDA:  # where the pixels begin
            return content.find(b'\xff\xd9', position) > 0
        if marker == 0xFF:  # filling
            position += 1
        elif 0xD0 <= marker <= 0xD9 or marker == 0x01:  # alone, without a length
            position += 2
        else:
            position += 2 + int.from_bytes(content[position + 2 : position + 4], 'big')
    return False


def _is_turned(content: bytes) -> bool:
    from PIL import Image  # for the rare image that is

    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.getexif().get(_ORIENTATION, 1) >= _FIRST_TURNED
    except Exception:  # what its EXIF data says cannot be told
        return False
