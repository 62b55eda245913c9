"""YouTube-VIS: a JSON file with videos, and tracks of masks."""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from ....utils import read_json
from ..clips import Clip, LabelledImage, LabelledObject, Source
from ..report import ConversionError
from .coco import read_categories
from .text import Fields, as_box


def read_youtube_vis(source: str, images: str | None = None) -> Source:
    """Read annotations of YouTube-VIS, OVIS and others of their format.

    Args:
        source: JSON file.
        images: Not looked at: the file tells names and sizes of the images.

    Returns:
        The videos, with masks.

    Raises:
        ValueError: The file is malformed.
        OSError: It cannot be read.
    """
    content = Fields(source, 'the file', read_json(source))
    categories = read_categories(source, content)
    names: dict[Any, str] = {}
    frames: dict[Any, list[LabelledImage]] = {}
    for i, entry in enumerate(content.get('videos', list)):
        video = Fields(source, f'videos[{i}]', entry)
        files = video.get('file_names', list)
        width, height = (round(video.number(key)) for key in ('width', 'height'))
        number = video.get('id', (int, str))
        frames[number] = [LabelledImage(str(f), width, height, []) for f in files]
        names[number] = str(files[0]).rpartition('/')[0] if files else str(number)
    for i, entry in enumerate(content.get('annotations', list, [])):
        track = Fields(source, f'annotations[{i}]', entry)
        number = track.get('video_id', (int, str))
        category = categories.get(track.get('category_id', (int, str)))
        if number not in frames or category is None:
            raise ConversionError(
                f'{source}: annotations[{i}] is of a video or category that the file '
                'does not have'
            )
        masks = track.get('segmentations', list)
        boxes = track.get('bboxes', list, [None] * len(masks))
        if not len(masks) == len(boxes) == len(frames[number]):
            raise ConversionError(
                f'{source}: annotations[{i}] has {len(masks)} masks and {len(boxes)} '
                f'boxes for {len(frames[number])} frames'
            )
        where = f'{source}: annotations[{i}]'
        for image, mask, box in zip(frames[number], masks, boxes):
            if not mask and not box:
                continue
            image.objects.append(
                LabelledObject(
                    category,
                    as_box(box or _box_of(mask, image, where), f'{where}: a box'),
                    track.get('id', (int, str)),
                    mask or None,
                    crowd=bool(track.get('iscrowd', (int, bool), False)),
                )
            )
    clips = [Clip(names[number], found) for number, found in frames.items()]
    return Source(clips, list(categories.values()))


def _box_of(mask: Any, image: LabelledImage, where: str) -> list[float]:
    """Box around a mask, polygons or RLE."""
    try:
        if isinstance(mask, list):
            points = np.concatenate([np.reshape(part, (-1, 2)) for part in mask])
            (left, top), (right, bottom) = points.min(0), points.max(0)
            return [float(v) for v in (left, top, right - left, bottom - top)]
        if isinstance(mask['counts'], list):
            mask = coco_mask.frPyObjects(mask, image.height, image.width)
        return [float(value) for value in coco_mask.toBbox(mask)]
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise ConversionError(f'{where}: a mask is malformed') from error
