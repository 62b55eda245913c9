"""CVAT for video 1.1."""

from __future__ import annotations

import os.path as osp
import re
import xml.etree.ElementTree as ET
from typing import Any, Sequence

import numpy as np
from pycocotools import mask as coco_mask

from ...datasets.converters import Clip, LabelledImage, LabelledObject
from ...utils import whole_binary
from .tracks import tracks_of


def write_cvat(path: str, clips: Sequence[Clip], classes: Sequence[str]) -> list[str]:
    """Write videos as CVAT imports them ("CVAT for video 1.1").

    Each object is a key frame, with an attribute ``score``; a track is outside from the
    frame on in which it was not found.

    Args:
        path: An XML file for one video, or a folder for a file each.
        clips: Videos.
        classes: Names of the classes.

    Returns:
        The files.
    """
    paths = [path]
    if len(clips) > 1 or not path.endswith('.xml'):
        names = [file_stem(clip.name) for clip in clips]
        paths = [osp.join(path, f'{name}.xml') for name in names]
    for file_path, clip in zip(paths, clips):
        with whole_binary(file_path) as file:
            ET.ElementTree(_document(clip, classes)).write(
                file, encoding='utf-8', xml_declaration=True
            )
    return paths


def file_stem(name: str) -> str:
    """A name that a file can have, of a video that may be below folders."""
    return re.sub(r'[^\w.-]', '_', name)


def _document(clip: Clip, classes: Sequence[str]) -> ET.Element:
    root = ET.Element('annotations')
    _add(root, 'version', '1.1')
    meta = ET.SubElement(root, 'meta')
    task = ET.SubElement(meta, 'task')
    _add(task, 'name', clip.name)
    _add(task, 'size', len(clip.images))
    _add(task, 'mode', 'interpolation')
    _add(task, 'start_frame', 0)
    _add(task, 'stop_frame', len(clip.images) - 1)
    labels = ET.SubElement(task, 'labels')
    for name in classes:
        label = ET.SubElement(labels, 'label')
        _add(label, 'name', name)
        attribute = ET.SubElement(ET.SubElement(label, 'attributes'), 'attribute')
        for key, value in (
            *(('name', 'score'), ('mutable', 'True'), ('input_type', 'text')),
            *(('default_value', ''), ('values', '')),
        ):
            _add(attribute, key, value)
    size = ET.SubElement(task, 'original_size')
    _add(size, 'width', clip.images[0].width)
    _add(size, 'height', clip.images[0].height)
    _add(meta, 'source', clip.name)
    for number, track in enumerate(tracks_of(clip)):
        element = ET.SubElement(
            root, 'track', id=str(number), label=track.category, source='auto'
        )
        followers = [frame for frame, _ in track.objects[1:]] + [len(clip.images)]
        for (frame, item), after in zip(track.objects, followers):
            image = clip.images[frame]
            _add_shape(element, frame, item, image, outside=False)
            gone = frame + 1
            if gone < min(after, len(clip.images)):
                _add_shape(element, gone, item, image, outside=True)
    return root


def _add(parent: ET.Element, tag: str, value: object) -> None:
    ET.SubElement(parent, tag).text = str(value)


def _add_shape(
    track: ET.Element,
    frame: int,
    item: LabelledObject,
    image: LabelledImage,
    outside: bool,
) -> None:
    tag, place = _shape(item, image)
    fields = dict(
        frame=str(frame),
        keyframe='1',
        outside=str(int(outside)),
        occluded=str(int(item.occluded)),
        z_order='0',
    )
    shape = ET.SubElement(track, tag, {**fields, **place})
    if item.score is not None:
        attribute = ET.SubElement(shape, 'attribute', name='score')
        attribute.text = f'{item.score:.4f}'


def _shape(item: LabelledObject, image: LabelledImage) -> tuple[str, dict[str, str]]:
    """Element of a shape, and its attributes."""
    mask: Any = item.segmentation
    if isinstance(mask, dict):
        drawn = coco_mask.decode(mask)
        rows, columns = np.nonzero(drawn.any(1))[0], np.nonzero(drawn.any(0))[0]
        if len(rows):
            part = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            return 'mask', dict(
                rle=', '.join(map(str, _runs(part.ravel()))),
                left=str(columns[0]),
                top=str(rows[0]),
                width=str(part.shape[1]),
                height=str(part.shape[0]),
            )
    if isinstance(mask, list) and len(mask) == 1:
        points = np.reshape(mask[0], (-1, 2)).tolist()
        text = ';'.join(f'{x:.2f},{y:.2f}' for x, y in points)
        return 'polygon', dict(points=text)
    x, y, width, height = item.bbox
    corners = dict(xtl=x, ytl=y, xbr=x + width, ybr=y + height)
    return 'box', {key: f'{value:.2f}' for key, value in corners.items()}


def _runs(values: np.ndarray) -> list[int]:
    """Lengths of runs, of which the first is of zeros."""
    ends = np.flatnonzero(np.diff(values)) + 1
    bounds = [0, *ends.tolist(), len(values)]
    runs = np.diff(bounds).tolist()
    return [0, *runs] if values[0] else runs
