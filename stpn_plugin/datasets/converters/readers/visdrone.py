"""VisDrone-VID: ``sequences`` of images and ``annotations``, a text file each."""

from __future__ import annotations

import os.path as osp

from ..clips import Clip, LabelledImage, LabelledObject, Source
from ..frames import list_frames
from ..report import ConversionError
from .text import files_of, read_rows

#: Category numbers, from 1; 0 is a region that is not annotated.
CLASSES = (
    *('pedestrian', 'people', 'bicycle', 'car', 'van', 'truck', 'tricycle'),
    *('awning-tricycle', 'bus', 'motor', 'others'),
)


def read_visdrone(source: str, images: str | None = None) -> Source:
    """Read the video part of VisDrone.

    Rows ``frame, id, left, top, width, height, score, category, truncation,
    occlusion``. Rows of score 0 and regions that are not annotated are left out.

    Args:
        source: Folder with ``annotations`` and ``sequences``.
        images: Folder of the sequences. Defaults to ``source/sequences``.

    Returns:
        The sequences.

    Raises:
        ConversionError: A file is malformed, or frames are missing.
        OSError: A file cannot be read.
    """
    root = images or osp.join(source, 'sequences')
    clips = []
    for path in files_of(osp.join(source, 'annotations'), '.txt'):
        video = osp.splitext(osp.basename(path))[0]
        frames = list_frames(root, video)
        objects: list[list[LabelledObject]] = [[] for _ in frames]
        for line, row in read_rows(path, 8):
            frame, track, left, top, width, height, score, category = row[:8]
            if not 1 <= frame <= len(frames) or not 0 <= category <= len(CLASSES):
                raise ConversionError(
                    f'{path}, line {line}: frame {frame:g} of {len(frames)}, category '
                    f'{category:g} of {len(CLASSES)}'
                )
            if not score or not category:
                continue
            objects[int(frame) - 1].append(
                LabelledObject(
                    CLASSES[int(category) - 1],
                    (left, top, width, height),
                    track,
                    occluded=len(row) > 9 and row[9] > 0,
                )
            )
        clips.append(
            Clip(
                video,
                [
                    LabelledImage(f.name, *f.size, found)
                    for f, found in zip(frames, objects)
                ],
            )
        )
    return Source(clips, list(CLASSES))
