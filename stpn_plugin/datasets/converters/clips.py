"""What an annotation of any format says, and its CocoVID file."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any, Hashable, NamedTuple, Sequence

from ...utils import text_table
from .coco_writer import CocoSetWriter
from .report import ConversionError


class LabelledObject(NamedTuple):
    """An object in an image.

    Attributes:
        category: Name of its class.
        bbox: Left, top, width and height in pixels.
        track: What it is in all images of its video; None if nobody knows.
        segmentation: COCO's polygons or RLE; None without a mask.
        occluded: Whether it is partly hidden.
        crowd: Whether it is several objects, or a region that is not annotated.
        score: How sure a detector is of it; None of an annotation.
    """

    category: str
    bbox: tuple[float, float, float, float]
    track: Hashable = None
    segmentation: Any = None
    occluded: bool = False
    crowd: bool = False
    score: float | None = None


class LabelledImage(NamedTuple):
    """An image and its objects.

    Attributes:
        file_name: Path below the folder of images.
        width: In pixels.
        height: In pixels.
        objects: The objects.
    """

    file_name: str
    width: int
    height: int
    objects: list[LabelledObject]


class Clip(NamedTuple):
    """A video, or a still image.

    Attributes:
        name: Its name.
        images: Its frames in their order; the image.
        is_video: Whether it is a video.
    """

    name: str
    images: list[LabelledImage]
    is_video: bool = True


class Source(NamedTuple):
    """All that was read.

    Attributes:
        clips: Videos and still images.
        categories: Names of the classes in the order of the source.
    """

    clips: list[Clip]
    categories: list[str]


class SetSummary(NamedTuple):
    """What went into a file.

    Attributes:
        path: The file.
        counts: Numbers of videos, images, objects and so on.
        objects: Numbers of objects by class.
        left_out: Numbers of objects left out, by reason.
    """

    path: str
    counts: dict[str, int]
    objects: dict[str, int]
    left_out: dict[str, int]

    def __str__(self) -> str:
        rows = [('what', 'number')]
        rows += [(name, f'{number:,}') for name, number in self.counts.items()]
        rows += [(f'  {name}', f'{number:,}') for name, number in self.objects.items()]
        rows += [
            (f'left out: {reason}', f'{number:,}')
            for reason, number in self.left_out.items()
        ]
        return f'{self.path}\n{text_table(rows)}'


def split_clips(
    clips: Sequence[Clip], val_fraction: float, seed: int = 0
) -> tuple[list[Clip], list[Clip]]:
    """Divide clips into training and validation, whole videos each.

    Args:
        clips: The clips.
        val_fraction: Part of the clips for validation, more than 0 and less than 1.
        seed: Of the draw, which depends on nothing but it and the names.

    Returns:
        Training and validation clips, at least one of each, in their order.

    Raises:
        ConversionError: There is only one clip.
    """
    if len(clips) < 2:
        raise ConversionError(
            f'{len(clips)} video cannot be divided into training and validation; leave '
            '--val-fraction out'
        )
    names = sorted(clip.name for clip in clips)
    count = min(max(round(val_fraction * len(names)), 1), len(names) - 1)
    chosen = set(random.Random(seed).sample(names, count))
    return (
        [clip for clip in clips if clip.name not in chosen],
        [clip for clip in clips if clip.name in chosen],
    )


def write_clips(path: str, clips: Sequence[Clip], classes: Sequence[str]) -> SetSummary:
    """Write clips as a CocoVID file.

    Ids follow from the order of the clips alone: the same clips get the same ids.
    Still images have no ``video_id``, as in ImageNet DET's file. Boxes are clipped to
    their image.

    Args:
        path: File to write.
        clips: Videos or still images, not both.
        classes: Names of the classes; their ids count from 1. Objects of others are
            left out.

    Returns:
        What went into the file.

    Raises:
        ConversionError: There is nothing to write, a class is named twice, a video has
            no frames, or videos and still images are mixed.
        OSError: The file cannot be written.
    """
    if len({clip.is_video for clip in clips}) != 1:
        what = 'videos and still images are mixed' if clips else 'there are no images'
        raise ConversionError(f'{path}: {what}; a file holds either')
    double = [name for name, number in Counter(classes).items() if number > 1]
    if double:
        raise ConversionError(f'class {double[0]} is named twice')
    (is_video,) = {clip.is_video for clip in clips}
    categories = [dict(id=i, name=name) for i, name in enumerate(classes, 1)]
    category_ids = {c['name']: c['id'] for c in categories}
    counts: Counter[str] = Counter()
    objects = Counter(dict.fromkeys(classes, 0))
    left_out: Counter[str] = Counter()
    sections = ('videos', 'images', 'annotations')
    with CocoSetWriter(path, categories, sections) as writer:
        for clip in clips:
            if not clip.images:
                raise ConversionError(f'video {clip.name} has no frames')
            place: dict[str, Any] = {}
            if is_video:
                place['video_id'] = writer.add('videos', name=clip.name)
                counts['videos'] += 1
            tracks: dict[Hashable, int] = {}
            for frame_id, image in enumerate(clip.images):
                frame = dict(place, frame_id=frame_id) if is_video else {}
                image_id = writer.add(
                    'images',
                    **frame,
                    file_name=image.file_name,
                    width=image.width,
                    height=image.height,
                )
                counts['images'] += 1
                for number, item in enumerate(image.objects):
                    bbox = _clip_box(item.bbox, image.width, image.height)
                    if item.category not in category_ids:
                        left_out[f'of class {item.category}'] += 1
                        continue
                    if bbox is None:
                        left_out['box empty, or out of the image'] += 1
                        continue
                    track = item.track
                    if track is None:  # an instance of its own
                        track = (frame_id, number)
                    if track not in tracks:
                        counts['tracks' if is_video else 'instances'] += 1
                        first = counts['tracks' if is_video else 'instances']
                        tracks[track] = first
                    x, y, w, h = bbox
                    annotation = dict(
                        image_id=image_id,
                        **place,
                        category_id=category_ids[item.category],
                        instance_id=tracks[track],
                        bbox=[x, y, w, h],
                        area=w * h,
                        iscrowd=item.crowd,
                        occluded=item.occluded,
                    )
                    if item.segmentation:
                        annotation['segmentation'] = item.segmentation
                    writer.add('annotations', **annotation)
                    counts['objects'] += 1
                    objects[item.category] += 1
    return SetSummary(path, dict(counts), dict(objects), dict(left_out))


def _clip_box(
    bbox: Sequence[float], width: int, height: int
) -> tuple[float, float, float, float] | None:
    """The part of a box within the image; None if there is none, or it is no number."""
    x, y, w, h = bbox
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + w, width), min(y + h, height)
    if not (right > left and bottom > top):
        return None
    return (left, top, right - left, bottom - top)
