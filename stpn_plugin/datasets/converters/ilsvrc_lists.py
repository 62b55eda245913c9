"""List files of ILSVRC, as the authors of FGFA published them."""

from __future__ import annotations

import os.path as osp
from typing import NamedTuple

from ...utils import leads_out
from .report import ConversionError, Problem, ProblemKind

#: Folders of the lists: FGFA's own, then the one of mmtracking's documentation.
LIST_FOLDERS = ('ImageSets', 'Lists')

_MOST_DIGITS = 9  # of a number of frames


class Video(NamedTuple):
    """A video, as a list describes it.

    Attributes:
        name: Path of the video's folder, ``train/...`` or ``val/...``.
        num_frames: Number of frames, if the list tells it.
        train_frames: Frames to train with, from 0.
    """

    name: str
    num_frames: int | None
    train_frames: list[int]


def read_train_videos(data_root: str) -> tuple[list[Video], list[Problem]]:
    """Read ``VID_train_15frames.txt``.

    Every line, ``<video> 1 <frame from 1> <number of frames>``, tells a frame to train
    with.

    Args:
        data_root: Root of ILSVRC.

    Returns:
        The videos in the order of their first lines, and what is wrong with the list.

    Raises:
        FileNotFoundError: If there is no such list.
        ConversionError: If the list is empty.
    """
    path, lines = _read_list(data_root, 'VID_train_15frames.txt')
    videos: dict[str, Video] = {}
    problems = []
    for number, fields in lines:
        where = f'{path}:{number}'
        frame = _positive(fields[2]) if len(fields) > 2 else None
        if frame is None:
            detail = f'line left out: no frame of {fields[0]} to train with'
            problems.append(Problem(ProblemKind.LIST_LINE, where, detail))
            continue
        if fields[0] not in videos:
            videos[fields[0]] = _first_line(fields, where, problems)
        video = videos[fields[0]]
        if frame - 1 in video.train_frames:
            detail = f'line left out: frame {frame} of {video.name} again'
            problems.append(Problem(ProblemKind.LIST_LINE, where, detail))
            continue
        video.train_frames.append(frame - 1)
        count = _count(fields)
        if count != video.num_frames:
            detail = (
                f'number of frames of {video.name} is {count}, but '
                f'{video.num_frames} by its first line'
            )
            problems.append(Problem(ProblemKind.FRAME_COUNT, where, detail))
    return list(videos.values()), problems


def read_val_videos(data_root: str) -> tuple[list[Video], list[Problem]]:
    """Read ``VID_val_videos.txt``.

    Every line is ``<video> 1 1 <number of frames>``.

    Args:
        data_root: Root of ILSVRC.

    Returns:
        The videos in the order of the list, and what is wrong with the list.

    Raises:
        FileNotFoundError: If there is no such list.
        ConversionError: If the list is empty.
    """
    path, lines = _read_list(data_root, 'VID_val_videos.txt')
    videos: dict[str, Video] = {}
    problems: list[Problem] = []
    for number, fields in lines:
        where = f'{path}:{number}'
        if fields[0] in videos:
            detail = f'line left out: {fields[0]} again'
            problems.append(Problem(ProblemKind.LIST_LINE, where, detail))
        else:
            videos[fields[0]] = _first_line(fields, where, problems)
    return list(videos.values()), problems


def read_det_images(data_root: str) -> tuple[list[str], list[Problem]]:
    """Read ``DET_train_30classes.txt``.

    Every line is ``<path without ending> 1``.

    Args:
        data_root: Root of ILSVRC.

    Returns:
        Paths of the images without ending, in the order of the list, and what is wrong
        with the list.

    Raises:
        FileNotFoundError: If there is no such list.
        ConversionError: If the list is empty.
    """
    path, lines = _read_list(data_root, 'DET_train_30classes.txt')
    images: dict[str, None] = {}
    problems = []
    for number, (image, *_) in lines:
        if image in images:
            detail = f'line left out: {image} again'
            problems.append(Problem(ProblemKind.LIST_LINE, f'{path}:{number}', detail))
        images[image] = None
    return list(images), problems


def _read_list(data_root: str, name: str) -> tuple[str, list[tuple[int, list[str]]]]:
    """Find a list; returns its path, and number and fields of every line."""
    candidates = [osp.join(data_root, folder, name) for folder in LIST_FOLDERS]
    for path in candidates:
        if osp.isfile(path):
            break
    else:
        raise FileNotFoundError(
            f'the list {name} is missing, tried {" and ".join(candidates)}; it comes '
            'with the code of FGFA, in data/ILSVRC2015/ImageSets'
        )
    try:
        with open(path, encoding='utf-8') as file:
            lines = [(number, line.split()) for number, line in enumerate(file, 1)]
    except UnicodeDecodeError as error:
        raise ConversionError(f'the list {path} is no text: {error}') from error
    lines = [(number, fields) for number, fields in lines if fields]
    for number, fields in lines:
        if '\0' in fields[0] or leads_out(fields[0]):
            raise ConversionError(
                f'{path}:{number}: {fields[0]!r:.100} is no path below the folder of '
                'the annotations'
            )
    if not lines:
        raise ConversionError(f'the list {path} is empty')
    return path, lines


def _first_line(fields: list[str], where: str, problems: list[Problem]) -> Video:
    """Make a video of the first line about it."""
    count = _count(fields)
    if count is None:
        detail = f'no number of frames of {fields[0]}: counting its XML files'
        problems.append(Problem(ProblemKind.FRAME_COUNT, where, detail))
    return Video(fields[0], count, [])


def _count(fields: list[str]) -> int | None:
    """Number of frames in a line, the fourth and last field."""
    return _positive(fields[-1]) if len(fields) > 3 else None


def _positive(text: str) -> int | None:
    """The number that a text stands for if it is a positive integer, else None."""
    if not text.isdecimal() or len(text) > _MOST_DIGITS or int(text) < 1:
        return None
    return int(text)
