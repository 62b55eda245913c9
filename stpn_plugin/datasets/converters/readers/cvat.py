"""CVAT for video 1.1: an XML file a video, with tracks."""

from __future__ import annotations

import os.path as osp
import xml.etree.ElementTree as ET
from typing import Any, Mapping

import numpy as np
from pycocotools import mask as coco_mask

from ..clips import Clip, LabelledImage, LabelledObject, Source
from ..frames import FrameFile, find_frames
from ..key_boxes import KeyBox, fill_in
from ..report import ConversionError
from .text import files_of, read_xml

_SHAPES = ('box', 'polygon', 'mask')


def read_cvat(
    source: str, images: str, in_place: Mapping[str, list[FrameFile]] | None = None
) -> Source:
    """Read tracks exported by CVAT as "CVAT for video 1.1".

    A box between two that are listed lies evenly between them. Polygons and masks hold
    for their own frame.

    Args:
        source: An XML file, or a folder of such files, one a video.
        images: Folder of the frames, or with a folder of frames for each video: of the
            name of the XML file or of the video file that it names, without ending.
        in_place: Frames that are read from video files, by such names, instead.

    Returns:
        The videos.

    Raises:
        ConversionError: A file is malformed, or frames are missing.
        OSError: A file cannot be read.
    """
    clips = []
    categories: dict[str, None] = {}
    for path in files_of(source, '.xml'):
        root = read_xml(path)
        if root.tag != 'annotations':
            raise ConversionError(f'{path} is no annotation of CVAT')
        if root.find('image') is not None and root.find('track') is None:
            raise ConversionError(
                f'{path} has images, no tracks: export as "CVAT for video 1.1"'
            )
        for label in root.iterfind('meta//labels/label/name'):
            categories.setdefault(label.text or '')
        named = root.findtext('meta//source') or ''
        names = [osp.splitext(osp.basename(name))[0] for name in (path, named)]
        video, frames = find_frames(images, names, in_place)
        clips.append(_read_video(path, root, frames, video))
        for track in root.iterfind('track'):
            categories.setdefault(track.get('label', ''))
    return Source(clips, list(categories))


def _read_video(
    path: str, root: ET.Element, frames: list[FrameFile], video: str
) -> Clip:
    objects: list[list[LabelledObject]] = [[] for _ in frames]
    for track in root.iterfind('track'):
        label, number = track.get('label', ''), track.get('id', '')
        where = f'{path}: track {number}'
        keys: list[KeyBox] = []
        for shape in track:
            if shape.tag not in _SHAPES:
                continue
            frame = round(_number(shape, 'frame', where))
            if not 0 <= frame < len(frames):
                raise ConversionError(
                    f'{where}: frame {frame}, but there are {len(frames)} frames in '
                    f'{osp.dirname(frames[0].name) or "the folder of images"}'
                )
            bbox, mask = _shape(shape, frames[frame].size, where)
            visible = shape.get('outside') != '1'
            occluded = shape.get('occluded') == '1'
            if shape.tag == 'box':
                keys.append(KeyBox(frame, bbox, visible, occluded))
            elif visible:
                objects[frame].append(
                    LabelledObject(label, bbox, number, mask, occluded)
                )
        for key in fill_in(keys, len(frames)):
            objects[key.frame].append(
                LabelledObject(label, key.bbox, number, occluded=key.occluded)
            )
    name = video or osp.splitext(osp.basename(path))[0]
    return Clip(
        name,
        [LabelledImage(f.name, *f.size, found) for f, found in zip(frames, objects)],
    )


def _shape(
    shape: ET.Element, size: tuple[int, int], where: str
) -> tuple[tuple[float, float, float, float], Any]:
    """Box, and mask if there is one, of a shape."""
    if shape.tag == 'box':
        left, top, right, bottom = (
            _number(shape, key, where) for key in ('xtl', 'ytl', 'xbr', 'ybr')
        )
        return (left, top, right - left, bottom - top), None
    if shape.tag == 'polygon':
        try:
            points = [
                [float(value) for value in point.split(',')]
                for point in shape.get('points', '').split(';')
            ]
            (left, top), (right, bottom) = (
                [pick(axis) for axis in zip(*points)] for pick in (min, max)
            )
        except ValueError as error:
            raise ConversionError(f'{where}: malformed points') from error
        flat = [value for point in points for value in point]
        return (left, top, right - left, bottom - top), [flat]
    left, top, width, height = (
        round(_number(shape, key, where)) for key in ('left', 'top', 'width', 'height')
    )
    return (left, top, width, height), _rle(
        shape, (left, top, width, height), size, where
    )


def _rle(
    shape: ET.Element,
    bbox: tuple[int, int, int, int],
    size: tuple[int, int],
    where: str,
) -> dict[str, Any]:
    """COCO's RLE of CVAT's, whose runs go through the box row by row."""
    left, top, width, height = bbox
    try:
        runs = [int(run) for run in shape.get('rle', '').split(',')]
    except ValueError as error:
        raise ConversionError(f'{where}: malformed rle') from error
    inside = (
        0 <= left <= left + width <= size[0] and 0 <= top <= top + height <= size[1]
    )
    if not inside or min(runs) < 0 or sum(runs) != width * height:
        raise ConversionError(f'{where}: its rle does not fit its box or its image')
    values = np.repeat(np.arange(len(runs)) % 2, runs).reshape(height, width)
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[top : top + height, left : left + width] = values
    encoded = coco_mask.encode(np.asfortranarray(mask))
    return dict(size=encoded['size'], counts=encoded['counts'].decode())


def _number(shape: ET.Element, key: str, where: str) -> float:
    try:
        value = float(shape.get(key, ''))
    except ValueError:
        value = float('nan')
    if not np.isfinite(value):
        raise ConversionError(f'{where}: {key} is {shape.get(key)!r}, no number')
    return value
