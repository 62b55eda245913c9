"""Faults of the images that an annotation file names: each of them is read."""

from __future__ import annotations

import os
import os.path as osp
from functools import partial
from typing import Any, Callable, Iterator, NamedTuple

import numpy as np

from ..converters.ordered_map import ordered_map
from ..image_files import ImageError, check_regular, check_size, decode_image
from ..video_frames import VideoFrameReader, as_video_frame
from .faults import Fault, FaultKind, Places

_CHUNK = 32  # images a task, so that tasks are worth their way to another process


class _Image(NamedTuple):
    """An image to be read; its place is that in the section."""

    place: int
    name: str
    height: Any
    width: Any


def find_image_faults(
    content: dict,
    file: str,
    folder: str,
    as_video: bool = True,
    jobs: int = 1,
    progress: Callable[[int], Any] = lambda done: None,
) -> Iterator[Fault]:
    """Read all images of a set and find those that cannot be used.

    Args:
        content: Content of its annotation file. Images without a file name are passed
            by.
        file: Name of the annotation file.
        folder: Folder of the images, such as ``data_prefix=dict(img_path=...)``.
        as_video: Whether its images are frames of videos.
        jobs: Number of processes.
        progress: Is told how many more images have been read.

    Yields:
        Faults of the kinds ``IMAGE_FILE`` and ``IMAGE_SIZE``, in the order of the file.
    """
    places = Places(content, file, as_video)
    images = content['images']
    tasks = [
        _Image(place, image['file_name'], image.get('height'), image.get('width'))
        for place, image in enumerate(images)
        if isinstance(image.get('file_name'), str) and '\0' not in image['file_name']
    ]
    chunks = [tasks[i : i + _CHUNK] for i in range(0, len(tasks), _CHUNK)]
    for chunk, found in zip(
        chunks, ordered_map(partial(_check_images, folder), chunks, jobs)
    ):
        progress(len(chunk))
        for place, kind, text in found:
            entries = [('images', place)]
            yield places.fault(kind, text, images[place], None, entries)


def _check_images(
    folder: str, images: list[_Image]
) -> list[tuple[int, FaultKind, str]]:
    """Faults of some images: place, kind and text."""
    faults = []
    videos = VideoFrameReader(max_open=1)
    for image in images:
        kind = FaultKind.IMAGE_FILE
        path = osp.join(folder, image.name)
        try:
            pixels, content = _read(path, videos)
            kind = FaultKind.IMAGE_SIZE
            check_size(pixels, content, dict(height=image.height, width=image.width))
        except ImageError as error:
            faults.append((image.place, kind, f'{path}: {error}'))
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            faults.append((image.place, kind, f'{path}: {reason}'))
    return faults


def _read(path: str, videos: VideoFrameReader) -> tuple[np.ndarray, bytes]:
    """An image, and the content of its file if it has one of its own."""
    frame = as_video_frame(path)
    if frame is not None:
        return videos.read(frame), b''
    check_regular(path)
    with open(path, 'rb') as file:
        content = file.read()
    return decode_image(content), content
