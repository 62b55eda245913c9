"""Images on the disk: which a video has, and how large they are."""

from __future__ import annotations

import os
import os.path as osp
import re
from typing import NamedTuple

from PIL import Image

from ..image_files import check_regular
from .report import ConversionError

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.ppm', '.tif', '.tiff', '.webp')
_ORIENTATION = 0x0112  # EXIF tag
_SIDEWAYS = (5, 6, 7, 8)  # its values that exchange width and height


class FrameFile(NamedTuple):
    """An image of a video.

    Attributes:
        name: Path below the root of images, with slashes.
        size: Width and height in pixels, as the image is shown.
    """

    name: str
    size: tuple[int, int]


def list_frames(root: str, video: str) -> list[FrameFile]:
    """Frames of a video, in the order of the numbers in their names.

    Args:
        root: Folder of all images.
        video: Folder of the video below it, ``''`` for the root itself. All frames
            have the size of the first: no more are opened.

    Returns:
        The frames.

    Raises:
        ConversionError: There is no such folder, or no image in it.
    """
    folder = osp.join(root, video)
    if not osp.isdir(folder):
        raise ConversionError(
            f'video {video or root} has no folder {folder} with its frames'
        )
    names = [n for n in os.listdir(folder) if n.lower().endswith(SUFFIXES)]
    if not names:
        raise ConversionError(f'{folder} has no images')
    names.sort(key=_by_number)
    size = image_size(osp.join(folder, names[0]))
    return [FrameFile('/'.join(filter(None, (video, name))), size) for name in names]


def image_size(path: str) -> tuple[int, int]:
    """Width and height of an image in pixels, as it is shown.

    Raises:
        ConversionError: It cannot be read, is no image, or damaged at its start.
    """
    try:
        check_regular(path)
        with Image.open(path) as image:
            width, height = image.size
            if image.getexif().get(_ORIENTATION) in _SIDEWAYS:
                return height, width
            return width, height
    except Exception as error:  # Pillow's readers of formats have errors of their own
        raise ConversionError(f'{path} is no image, or damaged: {error}') from error


def _by_number(name: str) -> list[tuple[int, str]]:
    parts = re.split(r'(\d+)', name)
    return [(int(p), '') if p.isdigit() else (0, p) for p in parts]
