"""MOT challenge: a folder a sequence, with ``gt/gt.txt`` and ``seqinfo.ini``."""

from __future__ import annotations

import configparser
import os
import os.path as osp

from ..clips import Clip, LabelledImage, LabelledObject, Source
from ..frames import list_frames
from ..report import ConversionError
from .text import read_rows

#: Class numbers of MOT16 and later, from 1.
CLASSES = (
    *('pedestrian', 'person_on_vehicle', 'car', 'bicycle', 'motorbike'),
    *('non_mot_vehicle', 'static_person', 'distractor', 'occluder'),
    *('occluder_on_ground', 'occluder_full', 'reflection', 'crowd'),
)


def read_mot(source: str, images: str | None = None) -> Source:
    """Read ground truth of the MOT challenge.

    Rows ``frame, id, left, top, width, height, considered, class, visibility``. Rows
    that are not to be considered are left out; without a class they are pedestrians.

    Args:
        source: Folder of sequences, such as ``MOT17/train``, or one sequence.
        images: Folder that file names are relative to. Defaults to ``source``.

    Returns:
        The sequences.

    Raises:
        ConversionError: A file is malformed, or frames are missing.
        OSError: A file cannot be read.
    """
    if osp.isfile(osp.join(source, 'gt', 'gt.txt')):
        sequences = [source]
    elif osp.isdir(source):
        sequences = [
            osp.join(source, name)
            for name in sorted(os.listdir(source))
            if osp.isfile(osp.join(source, name, 'gt', 'gt.txt'))
        ]
    else:
        sequences = []
    if not sequences:
        raise ConversionError(f'{source} has no sequences with gt/gt.txt')
    root = images or source
    return Source([_read(sequence, root) for sequence in sequences], list(CLASSES))


def _read(sequence: str, root: str) -> Clip:
    info = configparser.ConfigParser()
    try:
        info.read(osp.join(sequence, 'seqinfo.ini'), encoding='utf-8')
    except (configparser.Error, UnicodeError) as error:
        raise ConversionError(
            f'{sequence}/seqinfo.ini is malformed: {error}'
        ) from error
    folder = info.get('Sequence', 'imDir', fallback='img1')
    frames = list_frames(root, osp.relpath(osp.join(sequence, folder), root))
    objects: list[list[LabelledObject]] = [[] for _ in frames]
    path = osp.join(sequence, 'gt', 'gt.txt')
    for line, row in read_rows(path, 6):
        frame, track, left, top, width, height, *others = row
        considered, label, visibility = [*others, *(1, 1, 1)[len(others) :]][:3]
        if not considered:
            continue
        number = 1 if label < 1 else int(label)
        if not 1 <= frame <= len(frames) or number > len(CLASSES):
            raise ConversionError(
                f'{path}, line {line}: frame {frame:g} of {len(frames)}, class '
                f'{number} of {len(CLASSES)}'
            )
        objects[int(frame) - 1].append(
            LabelledObject(
                CLASSES[number - 1],
                (left, top, width, height),
                track,
                occluded=0 <= visibility < 0.5,
            )
        )
    return Clip(
        osp.basename(osp.abspath(sequence)),
        [LabelledImage(f.name, *f.size, found) for f, found in zip(frames, objects)],
    )
