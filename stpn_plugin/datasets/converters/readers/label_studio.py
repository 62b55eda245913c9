"""Label Studio: a JSON export with rectangles that follow objects of videos."""

from __future__ import annotations

import os.path as osp
import posixpath
from typing import Any, Mapping
from urllib.parse import unquote, urlsplit

from ....utils import read_json
from ..clips import Clip, LabelledImage, LabelledObject, Source
from ..frames import FrameFile, find_frames
from ..key_boxes import KeyBox, fill_in
from .text import Fields


def read_label_studio(
    source: str, images: str, in_place: Mapping[str, list[FrameFile]] | None = None
) -> Source:
    """Read video object tracking annotations of Label Studio ("JSON" export).

    Of each task the first annotation that was not cancelled counts. Between two frames
    that were drawn a box changes evenly, as shown there; it ends where it is disabled.

    Args:
        source: JSON file.
        images: Folder of the frames, or with a folder of frames for each video, of the
            name of the video file without ending.
        in_place: Frames that are read from video files, by such names, instead.

    Returns:
        The videos.

    Raises:
        ValueError: The file is malformed, or frames are missing.
        OSError: It cannot be read.
    """
    clips = []
    categories: dict[str, None] = {}
    tasks = read_json(source)
    for i, entry in enumerate(tasks if isinstance(tasks, list) else [tasks]):
        task = Fields(source, f'task {i}', entry)
        data = Fields(source, f'task {i}: data', task.get('data', dict))
        file = posixpath.basename(unquote(urlsplit(data.get('video', str)).path))
        name = osp.splitext(file)[0]
        _, frames = find_frames(images, [name], in_place)
        objects: list[list[LabelledObject]] = [[] for _ in frames]
        for j, region in enumerate(_regions(source, i, task)):
            where = f'task {i}: region {j}'
            value = Fields(source, f'{where}: value', region.get('value', dict))
            labels = value.get('labels', list, [])
            if not labels:
                continue
            label = str(labels[0])
            categories.setdefault(label)
            track = region.get('id', (str, int), j)
            keys = [
                _key(source, f'{where}: sequence[{k}]', key, frames[0].size)
                for k, key in enumerate(value.get('sequence', list))
            ]
            for box in fill_in(keys, len(frames)):
                objects[box.frame].append(LabelledObject(label, box.bbox, track))
        clips.append(
            Clip(
                name,
                [
                    LabelledImage(f.name, *f.size, found)
                    for f, found in zip(frames, objects)
                ],
            )
        )
    return Source(clips, list(categories))


def _regions(source: str, number: int, task: Fields) -> list[Fields]:
    for i, entry in enumerate(task.get('annotations', list, [])):
        annotation = Fields(source, f'task {number}: annotations[{i}]', entry)
        if not annotation.get('was_cancelled', bool, False):
            regions = [
                Fields(source, f'task {number}: region {j}', region)
                for j, region in enumerate(annotation.get('result', list))
            ]
            return [r for r in regions if r.get('type', str, '') == 'videorectangle']
    return []


def _key(source: str, where: str, entry: Any, size: tuple[int, int]) -> KeyBox:
    """A drawn box, in percent of the frame; frames count from 1."""
    key = Fields(source, where, entry)
    x, y, w, h = (
        key.number(name) * side / 100
        for name, side in zip(('x', 'y', 'width', 'height'), size * 2)
    )
    frame = max(key.get('frame', int) - 1, 0)
    return KeyBox(frame, (x, y, w, h), bool(key.get('enabled', bool, True)))
