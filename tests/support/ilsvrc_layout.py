"""Annotations and lists in the layout of ILSVRC, as the converters read them."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence
from xml.sax.saxutils import escape

import numpy as np
from mmtrack.datasets import ImagenetVIDDataset

CLASSES = ImagenetVIDDataset.METAINFO['CLASSES']
SIZE = (96, 64)  # width, height
AIRPLANE, ANTELOPE, PERSON = 'n02691156', 'n02419796', 'n00007846'


def obj(
    name: str,
    box: Sequence[object],
    track: int | None = None,
    occluded: object = 0,
    generated: object = 0,
) -> str:
    """XML of an object; ``box`` is xmin, ymin, xmax, ymax. No track: a still image."""
    corners = ''.join(
        f'<{tag}>{value}</{tag}>'
        for tag, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), box)
    )
    text = f'<name>{escape(name)}</name><bndbox>{corners}</bndbox>'
    if track is not None:
        text = (
            f'<trackid>{track}</trackid>{text}<occluded>{occluded}</occluded>'
            f'<generated>{generated}</generated>'
        )
    return f'<object>{text}</object>'


def write_xml(
    root: Path, image: str, objects: Sequence[str] = (), size: Sequence[object] = SIZE
) -> Path:
    """Write the annotations of an image, e.g. ``VID/train/a/000000``."""
    path = root / 'Annotations' / f'{image}.xml'
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = size
    path.write_text(
        f'<annotation><size><width>{width}</width><height>{height}</height></size>'
        f'{"".join(objects)}</annotation>'
    )
    return path


def write_list(
    root: Path, name: str, lines: Sequence[str], folder: str = 'ImageSets'
) -> Path:
    path = root / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{line}\n' for line in lines))
    return path


def write_ilsvrc(root: Path, list_folder: str = 'ImageSets') -> Path:
    """Write flawless annotations: 2 train videos, 2 val videos, 70 DET images.

    Every class occurs in every set. Some objects are of other classes, some frames
    without objects.
    """
    rng = np.random.default_rng(0)
    ids = wnids()
    for part, lengths, list_name in (
        ('train', (16, 5), 'VID_train_15frames.txt'),
        ('val', (4, 7), 'VID_val_videos.txt'),
    ):
        lines = []
        for index, length in enumerate(lengths):
            # Neither the lists nor the tracks are in the order of their names.
            video = f'{part}/ILSVRC2015_{part}_{9 - index:08d}'
            tracks = [*ids[index::2], PERSON]
            rng.shuffle(tracks)
            for frame in range(length):
                shown = rng.permutation(len(tracks))[: 0 if frame == 2 else 12]
                if frame < 2:  # all tracks occur
                    shown = np.arange(len(tracks))[frame::2]
                objects = [
                    obj(tracks[track], _box(rng), track, *rng.integers(0, 2, 2))
                    for track in shown
                ]
                write_xml(root, f'VID/{video}/{frame:06d}', objects)
            if part == 'val':
                lines.append(f'{video} 1 1 {length}')
            else:
                frames = range(1, length + 1, 2)
                lines += [f'{video} 1 {frame} {length}' for frame in frames]
        write_list(root, list_name, lines, list_folder)

    names = []
    for index, wnid in enumerate([*ids, PERSON] * 2):
        folder = f'ILSVRC2013_train/{wnid}' if index % 2 else 'ILSVRC2014_train_0003'
        names.append(f'train/{folder}/{wnid}_{9000 - 7 * index}')
        write_xml(root, f'DET/{names[-1]}', [obj(wnid, _box(rng)) for _ in range(2)])
    for index in range(8):
        names.append(f'train/ILSVRC2014_train_000{index % 7}/empty_{index}')
        write_xml(root, f'DET/{names[-1]}')
    lines = [f'{names[i]} 1' for i in rng.permutation(len(names))[:40]]
    write_list(root, 'DET_train_30classes.txt', lines, list_folder)
    return root


def wnids() -> list[str]:
    return [
        *('n02691156 n02419796 n02131653 n02834778 n01503061 n02924116').split(),
        *('n02958343 n02402425 n02084071 n02121808 n02503517 n02118333').split(),
        *('n02510455 n02342885 n02374451 n02129165 n01674464 n02484322').split(),
        *('n03790512 n02324045 n02509815 n02411705 n01726692 n02355227').split(),
        *('n02129604 n04468005 n01662784 n04530566 n02062744 n02391049').split(),
    ]


def _box(rng: np.random.Generator) -> list[int]:
    """A box within the image that may touch its borders."""
    width, height = SIZE
    x = np.sort(rng.choice(width + 1, 2, replace=False))
    y = np.sort(rng.choice(height + 1, 2, replace=False))
    return [int(value) for value in (x[0], y[0], x[1], y[1])]
