"""What data sets cope with, and hardly anybody means.

Here much of a file is compared with the rest of it, which is too slow for each
training.
"""

from __future__ import annotations

import os.path as osp
import re
from collections import defaultdict
from typing import Any, Iterator

from ...utils import leads_out
from .faults import Entry, Fault, FaultKind, Places, is_id, shown


def find_oddities(content: dict, file: str, as_video: bool = True) -> list[Fault]:
    """Find what is odd in an annotation file.

    Args:
        content: Content of a COCO or CocoVID file, whose sections are lists of dicts.
            What :func:`~.annotations.find_faults` finds fault with does not matter
            here.
        file: Its name.
        as_video: Whether it is to be used as a set of videos, not of still images.

    Returns:
        What is odd, of the kinds that data sets cope with.
    """
    finder = _OddityFinder(content, Places(content, file, as_video))
    finder.check_file_names()
    if as_video:
        finder.check_videos()
        finder.check_instances()
    finder.check_any_box()
    finder.check_boxes()
    return finder.faults


class _OddityFinder:
    """Collects what is odd; keys that are missing or of another type are passed by."""

    def __init__(self, content: dict, places: Places) -> None:
        self.faults: list[Fault] = []
        self.places = places
        self.images: list[dict] = content['images']
        self.videos: list[dict] = content.get('videos', [])
        self.annotations: list[dict] = content.get('annotations', [])
        self.has_annotations = 'annotations' in content
        self.image_of = {i['id']: i for i in self.images if is_id(i.get('id'))}

    def check_file_names(self) -> None:
        """Check that each image has a file of its own, below the folder of all."""
        first: dict[str, int] = {}
        for place, image in enumerate(self.images):
            name = image.get('file_name')
            if not isinstance(name, str) or not name:
                continue
            if leads_out(name):
                text = 'its file_name leads out of the folder of the images'
                self._add(FaultKind.PATH, text, image)
            if first.setdefault(name, place) != place:
                text = f'image {shown(image.get("id"))} has the file of image '
                text += shown(self.images[first[name]].get('id'))
                self._add(FaultKind.REPEATED, text, image, entries=[('images', place)])

    def check_videos(self) -> None:
        """Check what the frames of each video have in common."""
        with_boxes = {
            self.image_of[image_id].get('video_id')
            for image_id in _ids(self.annotations, 'image_id')
            if image_id in self.image_of
            and is_id(self.image_of[image_id].get('video_id'))
        }
        frames: dict[Any, list[dict]] = defaultdict(list)
        for image in self.images:
            if is_id(image.get('video_id')) and type(image.get('frame_id')) is int:
                frames[image['video_id']].append(image)
        for place, video in enumerate(self.videos):
            video_id = video.get('id')
            if not is_id(video_id):
                continue
            if video_id not in frames:
                text, entries = 'it has no frames', [('videos', place)]
                self._add(FaultKind.NO_BOXES, text, None, video_id, entries)
                continue
            if self.has_annotations and video_id not in with_boxes:
                text = 'none of its frames has a box'
                self._add(FaultKind.NO_BOXES, text, None, video_id)
            self._check_frames(video_id, frames[video_id])

    def _check_frames(self, video_id: Any, frames: list[dict]) -> None:
        in_order = sorted(frames, key=lambda image: image['frame_id'])
        if in_order != frames:
            text = 'its frames are not in the order of frame_id in the file'
            self._add(FaultKind.ORDER, text, None, video_id)
        numbers = [_number_in(image.get('file_name')) for image in in_order]
        for image, before, number in zip(in_order[1:], numbers, numbers[1:]):
            if before is not None and number is not None and number < before:
                text = f'frame_id {image["frame_id"]} is a file of a lower number than '
                text += 'that of the frame before it'
                self._add(FaultKind.ORDER, text, image)
                break
        sizes = {
            (image['width'], image['height']): image
            for image in reversed(in_order)
            if type(image.get('width')) is type(image.get('height')) is int
        }
        if len(sizes) > 1:
            some = ', '.join(f'{w} x {h}' for w, h in list(sizes)[:3])
            text = f'its frames have {len(sizes)} sizes: {some}'
            self._add(FaultKind.FRAME_SIZE, text, None, video_id)

    def check_instances(self) -> None:
        """Check that an instance is one object."""
        known: dict[Any, tuple[Any, Any]] = {}
        in_frame = set()
        told = set()
        for annotation in self.annotations:
            instance, image_id = (
                annotation.get('instance_id'),
                annotation.get('image_id'),
            )
            category = annotation.get('category_id')
            if not (instance and all(map(is_id, (instance, image_id, category)))):
                continue
            image = self.image_of.get(image_id)
            if image is None or not is_id(image.get('video_id')):
                continue
            name = f'instance {shown(instance)}'
            if (instance, image_id) in in_frame:
                text = f'{name} has several boxes in it'
                self._add(FaultKind.INSTANCE, text, image)
            in_frame.add((instance, image_id))
            here = (image['video_id'], category)
            before = known.setdefault(instance, here)
            if before != here and instance not in told:
                told.add(instance)
                is_moved = before[0] != here[0]
                what = 'is in another video, too' if is_moved else 'has several classes'
                self._add(FaultKind.INSTANCE, f'{name} {what}', image)
            if annotation.get('video_id', here[0]) != here[0]:
                text = f'annotation {shown(annotation.get("id"))} has the video_id '
                text += shown(annotation['video_id'])
                self._add(FaultKind.INSTANCE, text, image)

    def check_any_box(self) -> None:
        """Check that the file has a box of one of its images."""
        image_ids = _ids(self.annotations, 'image_id')
        if self.has_annotations and not any(i in self.image_of for i in image_ids):
            self._add(FaultKind.NO_BOXES, 'no image of the file has a box')

    def check_boxes(self) -> None:
        """Check that no box is there twice."""
        seen = set()
        for place, annotation in enumerate(self.annotations):
            image_id, box = annotation.get('image_id'), annotation.get('bbox')
            category = annotation.get('category_id')
            if not (is_id(image_id) and is_id(category) and isinstance(box, list)):
                continue
            if not all(isinstance(value, (int, float)) for value in box):
                continue
            key = (image_id, category, *box)
            if key in seen:
                text = f'annotation {shown(annotation.get("id"))} is the same box of '
                text += 'the same class as another'
                self._add(
                    FaultKind.REPEATED,
                    text,
                    self.image_of.get(image_id),
                    entries=[('annotations', place)],
                )
            seen.add(key)

    def _add(
        self,
        kind: FaultKind,
        text: str,
        image: dict | None = None,
        video_id: Any = None,
        entries: list[Entry] | None = None,
    ) -> None:
        fault = self.places.fault(kind, text, image, video_id, entries or ())
        self.faults.append(fault)


def _ids(entries: list[dict], key: str) -> Iterator[Any]:
    for entry in entries:
        if is_id(entry.get(key)):
            yield entry[key]


def _number_in(name: Any) -> int | None:
    """The last number in the name of a file."""
    if not isinstance(name, str):
        return None
    found = re.findall('[0-9]{1,18}', osp.splitext(osp.basename(name))[0])
    return int(found[-1]) if found else None
