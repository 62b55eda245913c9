"""Frames on the disk, images or in video files: which there are, and how large."""

from __future__ import annotations

import os
import os.path as osp
import re
from typing import Mapping, NamedTuple, Sequence

from PIL import Image

from ..image_files import ImageError, check_regular
from ..video_frames import VideoFrame, VideoFrames, as_video_frame
from .report import ConversionError

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.ppm', '.tif', '.tiff', '.webp')
_ORIENTATION = 0x0112  # EXIF tag
_SIDEWAYS = (5, 6, 7, 8)  # its values that exchange width and height


class FrameFile(NamedTuple):
    """A frame of a video.

    Attributes:
        name: Path below the root of images, with slashes; of a frame of a video file
            as :class:`~stpn_plugin.datasets.VideoFrame` has it.
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


def list_video_frames(root: str, path: str) -> list[FrameFile]:
    """Frames of a video file that are read from there, not extracted.

    Args:
        root: Folder of all images and videos, to which names are relative.
        path: The video file. It is decoded once, to count its frames.

    Returns:
        The frames.

    Raises:
        ConversionError: It is no video, damaged, or of another ending than those of
            :data:`~stpn_plugin.datasets.VIDEO_SUFFIXES`.
    """
    name = osp.relpath(path, root).replace(os.sep, '/')
    if as_video_frame(str(VideoFrame(name, 0))) is None:
        raise ConversionError(f'{path} has not the name of a video file, such as x.mp4')
    try:
        video = VideoFrames(path, count=True)
        height, width = video.read(0).shape[:2]
    except ImageError as error:
        raise ConversionError(f'video {path}: {error}') from error
    video.close()
    size = (width, height)
    return [FrameFile(str(VideoFrame(name, i)), size) for i in range(len(video))]


def find_frames(
    root: str,
    names: Sequence[str],
    in_place: Mapping[str, list[FrameFile]] | None = None,
) -> tuple[str, list[FrameFile]]:
    """Find the frames of a video by what it may be called.

    Args:
        root: Folder of all images.
        names: Names that it may have, without ending.
        in_place: Frames that are read from video files, by the names of these. Defaults
            to looking for a folder below ``root``, or the images in it.

    Returns:
        The name found, ``''`` for the images in ``root``, and the frames.

    Raises:
        ConversionError: There are none.
    """
    if in_place is None:
        folders = (n for n in names if n and osp.isdir(osp.join(root, n)))
        folder = next(folders, '')
        return folder, list_frames(root, folder)
    for name in names:
        if name in in_place:
            return name, in_place[name]
    raise ConversionError(
        f'none of the videos ({", ".join(in_place)}) is called '
        f'{" or ".join(dict.fromkeys(filter(None, names)))}'
    )


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
