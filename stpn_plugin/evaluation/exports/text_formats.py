"""MOT challenge, ILSVRC, and plain tables."""

from __future__ import annotations

import csv
import os.path as osp
from typing import Any, Sequence

from ...datasets.converters import Clip
from ...utils import whole_text
from ..result_files import write_vid_submission
from .cvat import file_stem


def write_mot(path: str, clips: Sequence[Clip], classes: Sequence[str]) -> list[str]:
    """Write a file ``VIDEO.txt`` for each video, as the MOT challenge takes results.

    Rows ``frame, id, left, top, width, height, score, -1, -1, -1``, frames from 1. The
    format has no classes.

    Args:
        path: Folder.
        clips: Videos.
        classes: Not looked at.

    Returns:
        The files.

    Raises:
        ValueError: Objects are in no track.
    """
    items = [item for clip in clips for image in clip.images for item in image.objects]
    if any(item.track is None for item in items):
        raise ValueError(
            'the results have no track ids, which the MOT format needs; use a tracker, '
            'such as the configs in configs/mot'
        )
    paths = [osp.join(path, f'{file_stem(clip.name)}.txt') for clip in clips]
    for file_path, clip in zip(paths, clips):
        with whole_text(file_path) as file:
            for frame, image in enumerate(clip.images, 1):
                for item in image.objects:
                    numbers = ','.join(f'{value:.2f}' for value in item.bbox)
                    score = 1.0 if item.score is None else item.score
                    file.write(f'{frame},{item.track},{numbers},{score:.4f},-1,-1,-1\n')
    return paths


def write_ilsvrc(path: str, clips: Sequence[Clip], classes: Sequence[str]) -> None:
    """Write a submission to ILSVRC's video detection challenge.

    Frames are numbered from 1 through all videos in their order, classes from 1.

    Args:
        path: Text file.
        clips: Videos.
        classes: Names of the classes in the order of the challenge.
    """
    dets = [
        dict(
            bboxes=[(x, y, x + w, y + h) for x, y, w, h in (o.bbox for o in objects)],
            labels=[classes.index(item.category) for item in objects],
            scores=[1.0 if item.score is None else item.score for item in objects],
        )
        for objects in (image.objects for clip in clips for image in clip.images)
    ]
    write_vid_submission(path, dets, range(1, len(classes) + 1))


COLUMNS = (
    *('video', 'frame_id', 'file_name', 'class', 'score'),
    *('x1', 'y1', 'x2', 'y2', 'track_id'),
)


def table_rows(clips: Sequence[Clip]) -> list[dict[str, Any]]:
    """A row for each object, with :data:`COLUMNS`; frames count from 0."""
    return [
        dict(
            zip(
                COLUMNS,
                (
                    *(clip.name, frame, image.file_name, item.category, item.score),
                    *(item.bbox[0], item.bbox[1]),
                    *(item.bbox[0] + item.bbox[2], item.bbox[1] + item.bbox[3]),
                    item.track,
                ),
            )
        )
        for clip in clips
        for frame, image in enumerate(clip.images)
        for item in image.objects
    ]


def write_csv(path: str, clips: Sequence[Clip], classes: Sequence[str]) -> None:
    """Write a table with a row for each object.

    Args:
        path: The file.
        clips: Videos.
        classes: Not looked at.
    """
    with whole_text(path, newline='') as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(table_rows(clips))
