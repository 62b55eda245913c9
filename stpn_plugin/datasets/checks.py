"""Faults of annotation files, told before they do harm.

:func:`find_faults` is a pure function over the content of a file; the data sets call
:func:`check_annotations` when they load one (see :mod:`stpn_plugin.compat`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from enum import Enum
from typing import Any, NamedTuple, Sequence


class FaultKind(Enum):
    """Kinds of faults; the value is what to do about one."""

    NOT_COCO = 'Give a file in the format of COCO or CocoVID.'
    STILLS = (
        'Set load_as_video=False for still images. Frames of a video need a video_id '
        'and a frame_id, and the file the section "videos".'
    )
    MISSING_KEY = (
        'Add the key. Only ImagenetVIDDataset asks for is_vid_train_frame: without it, '
        'use BaseVideoDataset.'
    )
    VALUE = 'Correct the value.'
    FRAME_ID = (
        'frame_id counts the frames of each video: whole numbers, 0 for the first, '
        'each number once.'
    )
    DUPLICATE_ID = 'Give each entry of a section an id of its own.'
    UNKNOWN_ID = 'Add the entry, or correct or remove what refers to it.'


class Fault(NamedTuple):
    """A fault of an annotation file.

    Attributes:
        kind: Its kind.
        text: What is wrong, and where in the file.
        file: The annotation file.
        video: Name of the video with the fault, or its id.
        image: File name of the image with the fault, or its id.
    """

    kind: FaultKind
    text: str
    file: str
    video: str | None = None
    image: str | None = None

    def __str__(self) -> str:
        places = [
            f'{name} {place}'
            for name, place in (('video', self.video), ('image', self.image))
            if place is not None
        ]
        return ', '.join(places) + (': ' if places else '') + self.text


class AnnotationError(ValueError):
    """An annotation file cannot be used as it is."""


def check_annotations(
    content: Any, file: str, as_video: bool = True, image_keys: Sequence[str] = ()
) -> None:
    """Raise unless an annotation file is without faults.

    Args:
        content: Content of the file.
        file: Its name, for the message.
        as_video: Whether it is to be used as a set of videos, not of still images.
        image_keys: Keys that images need besides those of the format.

    Raises:
        AnnotationError: It has faults. The message names the first few.
    """
    faults = find_faults(content, file, as_video, image_keys)
    if faults:
        raise AnnotationError(describe(faults))


def describe(faults: Sequence[Fault], limit: int = 5) -> str:
    """Name the first few faults of a file, and what to do about their kinds."""
    lines = [f'{faults[0].file} has {_number(len(faults), "fault")}:']
    for kind in dict.fromkeys(fault.kind for fault in faults):
        found = [fault for fault in faults if fault.kind is kind]
        lines += [f'  {fault}' for fault in found[:limit]]
        if len(found) > limit:
            lines.append(f'  ... and {len(found) - limit:,} more like these')
        lines.append(f'  -> {kind.value}')
    return '\n'.join(lines)


def find_faults(
    content: Any, file: str, as_video: bool = True, image_keys: Sequence[str] = ()
) -> list[Fault]:
    """Find what would end in a wrong result or an obscure error.

    A million images take a few seconds.

    Args:
        content: Content of a COCO or CocoVID file.
        file: Its name.
        as_video: Whether it is to be used as a set of videos, not of still images.
        image_keys: Keys that images need besides those of the format.

    Returns:
        The faults.
    """
    not_coco = _check_sections(content, file)
    if not_coco:
        return not_coco
    images = content['images']
    if as_video and images and not any('video_id' in image for image in images):
        text = 'its images have no video_id, they are no frames of videos'
        return [Fault(FaultKind.STILLS, text, file)]
    if as_video and 'videos' not in content:
        return [Fault(FaultKind.STILLS, 'it has no section "videos"', file)]
    finder = _FaultFinder(content, file, as_video)
    finder.check_entries(image_keys)
    if as_video:
        finder.check_frames()
    return finder.faults


def _check_sections(content: Any, file: str) -> list[Fault]:
    if not isinstance(content, dict):
        text = f'it holds a {type(content).__name__}, not an object with sections'
        return [Fault(FaultKind.NOT_COCO, text, file)]
    faults = []
    for name in ('images', 'categories', 'annotations', 'videos'):
        section = content.get(name, [])
        if name == 'images' and name not in content:
            text = 'it has no section "images"'
        elif not isinstance(section, list):
            text = f'its section "{name}" is no list'
        elif not all(isinstance(entry, dict) for entry in section):
            text = f'its section "{name}" has entries that are no objects'
        else:
            continue
        faults.append(Fault(FaultKind.NOT_COCO, text, file))
    return faults


class _FaultFinder:
    """Collects the faults of a file whose sections are lists of objects.

    Its loops first ask for all that can be wrong with an entry at once: files have
    millions of entries, and faults are rare.
    """

    def __init__(self, content: dict, file: str, as_video: bool) -> None:
        self.file = file
        self.as_video = as_video
        self.faults: list[Fault] = []
        self.images = content['images']
        self.videos = content.get('videos', [])
        self.categories = content.get('categories', [])
        self.annotations = content.get('annotations', [])
        self.names = {
            video['id']: video.get('name')
            for video in self.videos
            if _is_id(video.get('id'))
        }

    def check_entries(self, more_image_keys: Sequence[str]) -> None:
        """Check each section's entries, and what annotations refer to."""
        category_ids = self._ids('categories', self.categories, {'id', 'name'})
        image_keys = {'id', 'file_name', 'height', 'width', *more_image_keys}
        if self.as_video:
            image_keys |= {'video_id', 'frame_id'}
            self._ids('videos', self.videos, {'id'})
        image_ids = self._ids('images', self.images, image_keys)
        for image in self.images:
            for side in ('height', 'width'):
                # Not `isinstance`: to Python, `true` is a whole number.
                pixels = image.get(side, 1)
                if type(pixels) is not int or pixels < 1:
                    text = f'{side} {pixels!r} is no number of pixels'
                    self._add(FaultKind.VALUE, text, image)
        keys = {'id', 'image_id', 'category_id', 'bbox', 'area'}
        self._ids('annotations', self.annotations, keys)
        for annotation in self.annotations:
            try:
                is_right = (
                    annotation['image_id'] in image_ids
                    and annotation['category_id'] in category_ids
                    and len(annotation['bbox']) == 4
                )
            except (KeyError, TypeError):
                is_right = False
            if not is_right:
                self._check_annotation(annotation, image_ids, category_ids)

    def _check_annotation(
        self, annotation: dict, image_ids: set, category_ids: set
    ) -> None:
        name = f'annotation {annotation.get("id")}'
        for key, known in (('image_id', image_ids), ('category_id', category_ids)):
            if key not in annotation:
                continue  # told already
            value = annotation[key]
            if not _is_id(value) or value not in known:
                text = f'{name}: there is no entry with its {key} {value!r}'
                self._add(FaultKind.UNKNOWN_ID, text)
        box = annotation.get('bbox', [0, 0, 0, 0])
        if not isinstance(box, list) or len(box) != 4:
            text = f'{name}: bbox {box!r} is not [x, y, width, height]'
            self._add(FaultKind.VALUE, text)

    def check_frames(self) -> None:
        """Check that each video has its frames from 0, without gaps."""
        frame_ids: dict[Any, list[int]] = defaultdict(list)
        told = set()
        for image in self.images:
            video_id, frame_id = image.get('video_id'), image.get('frame_id')
            if not _is_id(video_id) or video_id not in self.names:
                if 'video_id' in image:
                    text = f'there is no video with its video_id {video_id!r}'
                    self._add(FaultKind.UNKNOWN_ID, text, image)
            elif type(frame_id) is int and frame_id >= 0:
                frame_ids[video_id].append(frame_id)
            else:
                told.add(video_id)
                if 'frame_id' in image:
                    text = f'frame_id {frame_id!r} is no whole number from 0'
                    self._add(FaultKind.FRAME_ID, text, image)
        for video_id, ids in frame_ids.items():
            if video_id not in told:
                self._check_numbers(video_id, ids)

    def _check_numbers(self, video_id: Any, ids: list[int]) -> None:
        distinct = set(ids)
        if len(distinct) < len(ids):
            twice = [i for i, count in Counter(ids).items() if count > 1]
            text = f'{_some("frame_id", sorted(twice))} is there more than once'
            self._add(FaultKind.FRAME_ID, text, video_id=video_id)
        last = max(distinct)
        if last + 1 > len(distinct):
            # Of a huge number, such as a time stamp, not all below it.
            below = range(min(last, len(distinct) + 3))
            lacking = [i for i in below if i not in distinct]
            text = (
                f'it has {_number(len(distinct), "frame")} up to frame_id {last}, and '
                f'lacks {_some("frame_id", lacking, last + 1 - len(distinct))}'
            )
            self._add(FaultKind.FRAME_ID, text, video_id=video_id)

    def _ids(self, section: str, entries: list[dict], keys: set[str]) -> set:
        """Check that entries have their keys and ids of their own; returns the ids."""
        ids = []
        for place, entry in enumerate(entries):
            if not keys <= entry.keys():
                lacking = ', '.join(sorted(keys - entry.keys()))
                text = f'entry {place} of "{section}" (id {entry.get("id")}) lacks '
                image = entry if section == 'images' else None
                self._add(FaultKind.MISSING_KEY, text + lacking, image)
            value = entry.get('id')
            if _is_id(value):
                ids.append(value)
            elif 'id' in entry:
                text = f'entry {place} of "{section}" has the id {value!r}'
                self._add(FaultKind.VALUE, f'{text}, no number or text')
        distinct = set(ids)
        if len(distinct) < len(ids):
            for value, count in Counter(ids).items():
                if count > 1:
                    text = f'{count} entries of "{section}" have the id {value!r}'
                    self._add(FaultKind.DUPLICATE_ID, text)
        return distinct

    def _add(
        self,
        kind: FaultKind,
        text: str,
        image: dict | None = None,
        video_id: Any = None,
    ) -> None:
        image_name = None
        if image is not None:
            video_id = image.get('video_id')
            image_name = str(image.get('file_name', image.get('id')))
        video = None
        if self.as_video and video_id is not None:
            name = self.names.get(video_id) if _is_id(video_id) else None
            video = str(name or video_id)
        self.faults.append(Fault(kind, text, self.file, video, image_name))


def _is_id(value: Any) -> bool:
    return isinstance(value, (int, str))


def _number(count: int, noun: str) -> str:
    return f'{count:,} {noun}{"" if count == 1 else "s"}'


def _some(noun: str, values: Sequence[int], total: int | None = None) -> str:
    """The first few of some values."""
    total = total or len(values)
    more = f' and {total - 3:,} more' if total > 3 else ''
    return f'{noun} {", ".join(map(str, values[:3]))}{more}'
