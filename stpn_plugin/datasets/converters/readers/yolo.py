"""YOLO: a text file an image, with boxes in parts of the image."""

from __future__ import annotations

import os
import os.path as osp
from typing import Any

import yaml

from ..clips import Clip, LabelledImage, LabelledObject, Source
from ..frames import SUFFIXES, image_size, list_frames
from ..report import ConversionError
from .text import finite


def read_yolo(source: str, images: str | None = None, videos: bool = False) -> Source:
    """Read annotations in the layout of Ultralytics' YOLO.

    ``labels/NAME.txt`` goes with ``images/NAME.jpg``. A line is ``class x y w h``, the
    box's centre and size in parts of the image's; with a track id behind it; or
    ``class x1 y1 x2 y2 x3 y3 ...``, a polygon. Classes are named in a ``*.yaml`` file
    of the folder.

    Args:
        source: Folder with ``images``, ``labels`` and a YAML file.
        images: Folder of the images. Defaults to ``source/images``.
        videos: Whether each folder of images is a video. By default all are still
            images.

    Returns:
        The images.

    Raises:
        ConversionError: A file is malformed or missing.
        OSError: It cannot be read.
    """
    root = images or osp.join(source, 'images')
    names = _names(source)
    clips = []
    for folder, folders, files in os.walk(root):
        folders.sort()
        if not any(name.lower().endswith(SUFFIXES) for name in files):
            continue
        below = osp.relpath(folder, root)
        below = '' if below == '.' else below
        found = []
        for frame in list_frames(root, below):
            size = frame.size if videos else image_size(osp.join(root, frame.name))
            labels = osp.join(source, 'labels', osp.splitext(frame.name)[0] + '.txt')
            found.append(LabelledImage(frame.name, *size, _read(labels, names, size)))
        if videos:
            clips.append(Clip(below or osp.basename(osp.abspath(root)), found))
        else:
            clips += [Clip(image.file_name, [image], False) for image in found]
    if not clips:
        raise ConversionError(f'{root} has no images')
    return Source(clips, list(names.values()))


def _names(source: str) -> dict[int, str]:
    files = sorted(
        name
        for name in (os.listdir(source) if osp.isdir(source) else ())
        if name.endswith(('.yaml', '.yml'))
    )
    if not files:
        raise ConversionError(f'{source} has no *.yaml that names the classes')
    path = osp.join(source, files[0])
    try:
        with open(path, encoding='utf-8') as file:
            content = yaml.safe_load(file)
    except (yaml.YAMLError, UnicodeError) as error:
        raise ConversionError(f'{path} is no YAML file: {error}') from error
    names: Any = content.get('names') if isinstance(content, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not all(isinstance(key, int) for key in names):
        raise ConversionError(f'{path}: names is no list of classes')
    return {key: str(name) for key, name in names.items()}


def _read(
    path: str, names: dict[int, str], size: tuple[int, int]
) -> list[LabelledObject]:
    """Objects of an image; without a file it has none."""
    if not osp.isfile(path):
        return []
    width, height = size
    found = []
    with open(path, encoding='utf-8', errors='replace') as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                values = [finite(word) for word in line.split()]
                category = names[int(values[0])]
            except (ValueError, KeyError):
                raise ConversionError(
                    f'{path}, line {number}: {line.strip()[:60]!r} is no class and its '
                    'numbers'
                ) from None
            rest = values[1:]
            if len(rest) in (4, 5):
                x, y, w, h = (v * s for v, s in zip(rest, (width, height) * 2))
                track = rest[4] if len(rest) == 5 else None
                found.append(
                    LabelledObject(category, (x - w / 2, y - h / 2, w, h), track)
                )
            elif len(rest) >= 6 and len(rest) % 2 == 0:
                xs = [v * width for v in rest[::2]]
                ys = [v * height for v in rest[1::2]]
                box = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
                polygon = [v for point in zip(xs, ys) for v in point]
                found.append(LabelledObject(category, box, segmentation=[polygon]))
            else:
                raise ConversionError(
                    f'{path}, line {number}: {len(values)} numbers are neither a box '
                    'nor a polygon'
                )
    return found
