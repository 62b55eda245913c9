"""What a recipe has to know of a data set."""

from __future__ import annotations

from collections import Counter
from typing import Any, Mapping, NamedTuple

import numpy as np

from .video_frames import as_video_frame


class SetStatistics(NamedTuple):
    """Numbers of an annotation file with videos.

    Attributes:
        classes: Names of the classes that have objects, in the order of their ids.
        num_videos: Number of videos.
        num_frames: Number of frames.
        num_annotated: Number of frames with objects, which are those to train on.
        size: Width and height of most frames, in pixels.
        box_sizes: Square roots of the areas of small, middling and large boxes, in
            pixels: the 10th, 50th and 90th percentile.
        loader: Transform that loads its images.
    """

    classes: tuple[str, ...]
    num_videos: int
    num_frames: int
    num_annotated: int
    size: tuple[int, int]
    box_sizes: tuple[float, float, float]
    loader: str = 'LoadImageFromFile'


def measure_set(content: Mapping[str, Any], path: str) -> SetStatistics:
    """Measure the content of a CocoVID file without faults.

    Args:
        content: The content.
        path: The file, for errors.

    Raises:
        ValueError: There are no objects in videos.
    """
    in_videos = {i['id'] for i in content['images'] if i.get('video_id') is not None}
    objects = [
        a
        for a in content['annotations']
        if a['image_id'] in in_videos and min(a['bbox'][2:]) > 0
    ]
    if not objects:
        raise ValueError(
            f'{path} has no objects in videos to learn from; stpn check {path} tells '
            'what it has'
        )
    used = {a['category_id'] for a in objects}
    categories = sorted(content['categories'], key=lambda c: c['id'])
    sizes = Counter((i['width'], i['height']) for i in content['images'])
    areas = [a['bbox'][2] * a['bbox'][3] for a in objects]
    small, middling, large = np.sqrt(np.percentile(areas, (10, 50, 90))).tolist()
    in_place = any(as_video_frame(i['file_name']) for i in content['images'])
    return SetStatistics(
        tuple(c['name'] for c in categories if c['id'] in used),
        len(content['videos']),
        len(content['images']),
        len({a['image_id'] for a in objects}),
        sizes.most_common(1)[0][0],
        (small, middling, large),
        'LoadFrameFromVideo' if in_place else 'LoadImageFromFile',
    )
