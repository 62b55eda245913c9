"""Faults of annotation files that end in a wrong result or an obscure error.

:func:`find_faults` is a pure function over the content of a file; the data sets call
:func:`check_annotations` when they load one (see :mod:`stpn_plugin.compat`).
"""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import Any, Sequence

from mmengine.logging import print_log

from .faults import (
    COPED_WITH,
    ID_TYPES,
    AnnotationError,
    Entry,
    Fault,
    FaultKind,
    Places,
    counted,
    describe,
    is_id,
    shown,
)
from .masks import segmentation_fault

# What data sets leave out, and the kinds of its faults.
_LEFT_OUT = {
    'boxes that are left out': (FaultKind.BOX, FaultKind.UNKNOWN_CLASS),
    'segmentations that no mask can be made of': (FaultKind.MASK,),
}
# No image is larger, in pixels. Larger numbers overflow those of a GPU.
_FARTHEST = 1e9
_LARGEST_AREA = _FARTHEST**2
_LARGEST_INSTANCE_ID = 2**31 - 1  # mmtrack keeps them in arrays of int32


def check_annotations(
    content: Any, file: str, as_video: bool = True, image_keys: Sequence[str] = ()
) -> None:
    """Raise unless an annotation file can be used; warn of what is left out of it.

    Args:
        content: Content of the file.
        file: Its name, for the message.
        as_video: Whether it is to be used as a set of videos, not of still images.
        image_keys: Keys that images need besides those of the format.

    Raises:
        AnnotationError: It has faults. The message names the first few.
    """
    faults = find_faults(content, file, as_video, image_keys)
    fatal = [fault for fault in faults if fault.kind not in COPED_WITH]
    if fatal:
        raise AnnotationError(describe(fatal))
    for what, kinds in _LEFT_OUT.items():
        left_out = [fault for fault in faults if fault.kind in kinds]
        if left_out:
            print_log(
                f'{file}: {what}: {len(left_out):,}, the first one of {left_out[0]}. '
                f'"stpn check {file}" lists them',
                logger='current',
                level=logging.WARNING,
            )


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
    if not images:
        return [Fault(FaultKind.NOT_COCO, 'it has no images', file)]
    if as_video and not any('video_id' in image for image in images):
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
        strange: list[int] = []
        if name == 'images' and name not in content:
            text = 'it has no section "images"'
        elif not isinstance(section, list):
            text = f'its section "{name}" is no list'
        else:
            strange = [i for i, e in enumerate(section) if not isinstance(e, dict)]
            text = f'its section "{name}" has entries that are no objects'
            if not strange:
                continue
        entries = tuple((name, i) for i in strange)
        faults.append(Fault(FaultKind.NOT_COCO, text, file, entries=entries))
    return faults


class _FaultFinder:
    """Collects the faults of a file whose sections are lists of objects.

    Its loops first ask for all that can be wrong with an entry at once: files have
    millions of entries, and faults are rare.
    """

    def __init__(self, content: dict, file: str, as_video: bool) -> None:
        self.as_video = as_video
        self.faults: list[Fault] = []
        self.images = content['images']
        self.videos = content.get('videos', [])
        self.categories = content.get('categories', [])
        self.annotations = content.get('annotations', [])
        self.places = Places(content, file, as_video)
        self.image_of = {i['id']: i for i in self.images if is_id(i.get('id'))}

    def check_entries(self, more_image_keys: Sequence[str]) -> None:
        """Check each section's entries, and what annotations refer to."""
        category_ids = self._ids('categories', self.categories, {'id', 'name'})
        for place, category in enumerate(self.categories):
            if not isinstance(category.get('name', ''), str):
                text = f'the name {shown(category["name"])} of a category is no text'
                self._add(FaultKind.VALUE, text, entries=[('categories', place)])
        self._check_names()
        image_keys = {'id', 'file_name', 'height', 'width', *more_image_keys}
        if self.as_video:
            image_keys |= {'video_id', 'frame_id'}
            self._ids('videos', self.videos, {'id'})
        self._ids('images', self.images, image_keys)
        for place, image in enumerate(self.images):
            self._check_image(place, image)
        keys = {'id', 'image_id', 'category_id', 'bbox', 'area'}
        self._ids('annotations', self.annotations, keys)
        images = self.image_of
        most = _LARGEST_INSTANCE_ID
        for place, annotation in enumerate(self.annotations):
            try:
                image = images[annotation['image_id']]
                x, y, width, height = annotation['bbox']
                is_right = (
                    annotation['category_id'] in category_ids
                    and 0 <= x
                    and 0 <= y
                    and 1 <= width
                    and 1 <= height
                    and x + width <= image['width']
                    and y + height <= image['height']
                    and 0 < annotation['area'] <= _LARGEST_AREA
                    and 0 <= (annotation.get('instance_id') or 0) <= most
                    and isinstance(annotation.get('video_id', 0), ID_TYPES)
                    and not (
                        annotation.get('segmentation')
                        and segmentation_fault(annotation['segmentation'], image)
                    )
                )
            except (KeyError, TypeError, ValueError, OverflowError):
                is_right = False
            if not is_right:
                self._check_annotation(place, annotation, category_ids)

    def _check_names(self) -> None:
        """Check that no two categories have one name."""
        first: dict[str, int] = {}
        for place, category in enumerate(self.categories):
            name = category.get('name')
            if isinstance(name, str) and first.setdefault(name, place) != place:
                same = self.categories[first[name]]
                text = f'categories {shown(same.get("id"))} and '
                text += f'{shown(category.get("id"))} have the name {shown(name)}'
                # They are one if nothing else tells them apart.
                alike = {**same, 'id': None} == {**category, 'id': None}
                is_same = alike and is_id(same.get('id')) and is_id(category.get('id'))
                entries = [('categories', place)] if is_same else []
                self._add(FaultKind.SAME_NAME, text, entries=entries)

    def _check_image(self, place: int, image: dict) -> None:
        for side in ('height', 'width'):
            # Not `isinstance`: to Python, `true` is a whole number.
            pixels = image.get(side, 1)
            if type(pixels) is not int or not 1 <= pixels <= _FARTHEST:
                text = f'{side} {shown(pixels)} is no number of pixels'
                self._add(FaultKind.VALUE, text, image, entries=[('images', place)])
        name = image.get('file_name', ' ')
        if not isinstance(name, str) or not name or '\0' in name:
            text = f'file_name {shown(name)} is no name of a file'
            self._add(FaultKind.VALUE, text, image, entries=[('images', place)])

    def _check_annotation(
        self, place: int, annotation: dict, category_ids: set
    ) -> None:
        name = f'annotation {shown(annotation.get("id"))}'
        entries = [('annotations', place)]
        image = self._image_with(annotation)
        for key, known in (('image_id', self.image_of), ('category_id', category_ids)):
            if key not in annotation:
                continue  # told already
            value = annotation[key]
            if not is_id(value) or value not in known:
                kind = FaultKind.UNKNOWN_ID
                if key == 'category_id' and (value is None or is_id(value)):
                    kind = FaultKind.UNKNOWN_CLASS
                text = f'{name}: there is no entry with its {key} {shown(value)}'
                self._add(kind, text, image, entries=entries)
        instance_id = annotation.get('instance_id')
        if instance_id is not None and not (
            type(instance_id) is int and 0 <= instance_id <= _LARGEST_INSTANCE_ID
        ):
            text = (
                f'{name}: instance_id {shown(instance_id)} is no whole number from 0 '
                f'to {_LARGEST_INSTANCE_ID}'
            )
            self._add(FaultKind.VALUE, text, image, entries=entries)
        if not is_id(annotation.get('video_id', 0)):
            text = f'{name}: video_id {shown(annotation["video_id"])} is no id'
            self._add(FaultKind.VALUE, text, image, entries=entries)
        area = annotation.get('area', 1)
        if not _is_number(area, _LARGEST_AREA):
            text = f'{name}: area {shown(area)} is no number'
            self._add(FaultKind.VALUE, text, image, entries=entries)
        box = annotation.get('bbox', [0, 0, 0, 0])
        if not (isinstance(box, list) and len(box) == 4 and all(map(_is_number, box))):
            text = f'{name}: bbox {shown(box)} is not [x, y, width, height]'
            self._add(FaultKind.VALUE, text, image, entries=entries)
        elif 'bbox' in annotation:
            self._check_box(name, box, area, image, place)
        fault = segmentation_fault(annotation.get('segmentation'), image)
        if fault:
            text = f'{name}: segmentation: {fault}'
            self._add(FaultKind.MASK, text, image, entries=entries)

    def _check_box(
        self, name: str, box: list, area: Any, image: dict | None, place: int
    ) -> None:
        """Check a box of four numbers as mmtrack does, which leaves some out."""
        x, y, width, height = box
        entries = [('annotations', place)]
        if width < 1 or height < 1 or (_is_number(area, _LARGEST_AREA) and area <= 0):
            text = f'{name}: bbox {shown(box)} of area {shown(area)} is less than a '
            self._add(FaultKind.BOX, f'{text}pixel wide or high', image, None, entries)
            return
        sides = [(image or {}).get(side) for side in ('width', 'height')]
        if image is None or not all(type(side) is int for side in sides):
            return
        if x < 0 or y < 0 or x + width > sides[0] or y + height > sides[1]:
            away = x >= sides[0] or y >= sides[1] or x + width <= 0 or y + height <= 0
            kind = FaultKind.BOX if away else FaultKind.BOX_OUTSIDE
            what = 'lies outside of' if away else 'reaches out of'
            text = (
                f'{name}: bbox {shown(box)} {what} its image, {sides[0]} x {sides[1]}'
            )
            self._add(kind, text, image, None, entries)

    def check_frames(self) -> None:
        """Check that each video has its frames from 0, without gaps."""
        frames: dict[Any, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        told = set()
        for place, image in enumerate(self.images):
            video_id, frame_id = image.get('video_id'), image.get('frame_id')
            entries = [('images', place)]
            if not is_id(video_id) or not self.places.has_video(video_id):
                if 'video_id' in image:
                    text = f'there is no video with its video_id {shown(video_id)}'
                    self._add(FaultKind.UNKNOWN_ID, text, image, None, entries)
            elif type(frame_id) is int and frame_id >= 0:
                frames[video_id][frame_id].append(place)
            else:
                told.add(video_id)
                if 'frame_id' in image:
                    text = f'frame_id {shown(frame_id)} is no whole number from 0'
                    self._add(FaultKind.FRAME_ID, text, image, None, entries)
        for video_id, places in frames.items():
            if video_id not in told:
                self._check_numbers(video_id, places)

    def _check_numbers(self, video_id: Any, places: dict[int, list[int]]) -> None:
        """Check the frame ids of a video, each with the images that have it."""
        twice = sorted(i for i, found in places.items() if len(found) > 1)
        if twice:
            text = f'{_some("frame_id", twice)} is there more than once'
            later = [('images', place) for i in twice for place in places[i][1:]]
            self._add(FaultKind.FRAME_ID, text, None, video_id, later)
        last = max(places)
        if last + 1 > len(places):
            # Of a huge number, such as a time stamp, not all below it.
            below = range(min(last, len(places) + 3))
            lacking = [i for i in below if i not in places]
            if last > _FARTHEST**2:
                text = f'it has {counted(len(places), "frame")} up to {shown(last)}'
            else:
                text = f'it has {counted(len(places), "frame")} up to frame_id {last}, '
                text += (
                    f'and lacks {_some("frame_id", lacking, last + 1 - len(places))}'
                )
            self._add(FaultKind.FRAME_ID, text, None, video_id)

    def _ids(self, section: str, entries: list[dict], keys: set[str]) -> set:
        """Check that entries have their keys and ids of their own; returns the ids."""
        ids = []
        for place, entry in enumerate(entries):
            if not keys <= entry.keys():
                lacking = ', '.join(sorted(keys - entry.keys()))
                text = f'entry {place} of "{section}" (id {shown(entry.get("id"))}) '
                text += f'lacks {lacking}'
                image = self._image_of(section, entry)
                self._add(
                    FaultKind.MISSING_KEY, text, image, entries=[(section, place)]
                )
            value = entry.get('id')
            if is_id(value):
                ids.append(value)
            elif 'id' in entry:
                text = f'entry {place} of "{section}" has the id {shown(value)}'
                text += ', no number or text'
                image = self._image_of(section, entry)
                self._add(FaultKind.VALUE, text, image, entries=[(section, place)])
        distinct = set(ids)
        if len(distinct) < len(ids):
            places = defaultdict(list)
            for place, entry in enumerate(entries):
                if is_id(entry.get('id')):
                    places[entry['id']].append((section, place))
            for value, found in places.items():
                if len(found) > 1:
                    text = f'{len(found)} entries of "{section}" have the id '
                    text += shown(value)
                    image = self._image_of(section, entries[found[1][1]])
                    self._add(FaultKind.DUPLICATE_ID, text, image, entries=found[1:])
        return distinct

    def _image_of(self, section: str, entry: dict) -> dict | None:
        """The image that an entry is, or belongs to, if it is known."""
        if section == 'images':
            return entry
        return self._image_with(entry) if section == 'annotations' else None

    def _image_with(self, annotation: dict) -> dict | None:
        image_id = annotation.get('image_id')
        return self.image_of.get(image_id) if is_id(image_id) else None

    def _add(
        self,
        kind: FaultKind,
        text: str,
        image: dict | None = None,
        video_id: Any = None,
        entries: Sequence[Entry] = (),
    ) -> None:
        self.faults.append(self.places.fault(kind, text, image, video_id, entries))


def _is_number(value: Any, most: float = _FARTHEST) -> bool:
    """Whether a value is a finite number that fits those of an image."""
    return type(value) in (int, float) and abs(value) <= most


def _some(noun: str, values: Sequence[int], total: int | None = None) -> str:
    """The first few of some values."""
    total = total or len(values)
    more = f' and {total - 3:,} more' if total > 3 else ''
    return f'{noun} {", ".join(map(str, values[:3]))}{more}'
