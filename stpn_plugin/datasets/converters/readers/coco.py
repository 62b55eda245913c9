"""COCO: a JSON file with still images."""

from __future__ import annotations

from typing import Any

from ....utils import read_json
from ..clips import Clip, LabelledImage, LabelledObject, Source
from ..report import ConversionError
from .text import Fields


def read_coco(source: str, images: str | None = None) -> Source:
    """Read COCO annotations of still images, to be used beside videos as DET is.

    Args:
        source: JSON file.
        images: Not looked at: the file tells names and sizes of the images.

    Returns:
        The images.

    Raises:
        ValueError: The file is malformed, or has videos.
        OSError: It cannot be read.
    """
    content = Fields(source, 'the file', read_json(source))
    if content.get('videos', list, []):
        raise ConversionError(f'{source} has videos: it is a CocoVID file already')
    categories = read_categories(source, content)
    found: dict[Any, LabelledImage] = {}
    for i, entry in enumerate(content.get('images', list)):
        image = Fields(source, f'images[{i}]', entry)
        width, height = (round(image.number(key)) for key in ('width', 'height'))
        name = image.get('file_name', str)
        found[image.get('id', (int, str))] = LabelledImage(name, width, height, [])
    for i, entry in enumerate(content.get('annotations', list, [])):
        item = Fields(source, f'annotations[{i}]', entry)
        target = found.get(item.get('image_id', (int, str)))
        category = categories.get(item.get('category_id', (int, str)))
        if target is None or category is None:
            raise ConversionError(
                f'{source}: annotations[{i}] is of an image or category that the file '
                'does not have'
            )
        target.objects.append(
            LabelledObject(
                category,
                item.box('bbox'),
                segmentation=item.get('segmentation', (list, dict), None),
                crowd=bool(item.get('iscrowd', (int, bool), False)),
            )
        )
    clips = [Clip(image.file_name, [image], False) for image in found.values()]
    return Source(clips, list(categories.values()))


def read_categories(source: str, content: Fields) -> dict[Any, str]:
    """Names of the categories of a file of COCO's kind, by id."""
    found = {}
    for i, entry in enumerate(content.get('categories', list)):
        category = Fields(source, f'categories[{i}]', entry)
        found[category.get('id', (int, str))] = category.get('name', str)
    return found
