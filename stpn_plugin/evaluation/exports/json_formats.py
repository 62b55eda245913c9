"""COCO and YouTube-VIS."""

from __future__ import annotations

from typing import Any, Sequence

from ...datasets.converters import Clip, LabelledObject
from ...utils import write_json
from .tracks import tracks_of


def write_coco(path: str, clips: Sequence[Clip], classes: Sequence[str]) -> None:
    """Write a COCO file of all images, with a ``score`` for each object.

    Args:
        path: The file.
        clips: Videos and images.
        classes: Names of the classes; their ids count from 1.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for clip in clips:
        for image in clip.images:
            images.append(
                dict(
                    id=len(images) + 1,
                    file_name=image.file_name,
                    width=image.width,
                    height=image.height,
                )
            )
            for item in image.objects:
                fields = dict(
                    id=len(annotations) + 1,
                    image_id=len(images),
                    category_id=classes.index(item.category) + 1,
                    bbox=list(item.bbox),
                    area=item.bbox[2] * item.bbox[3],
                    iscrowd=int(item.crowd),
                    score=item.score,
                )
                if item.track is not None:
                    fields['instance_id'] = item.track
                if item.segmentation:
                    fields['segmentation'] = item.segmentation
                annotations.append(fields)
    content = dict(
        images=images, categories=_categories(classes), annotations=annotations
    )
    write_json(path, content, indent=None)


def write_youtube_vis(path: str, clips: Sequence[Clip], classes: Sequence[str]) -> None:
    """Write a YouTube-VIS file: tracks with a box, and perhaps a mask, in each frame.

    The ``score`` of a track is the mean of its frames.

    Args:
        path: The file.
        clips: Videos.
        classes: Names of the classes; their ids count from 1.
    """
    videos: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for video_id, clip in enumerate(clips, 1):
        first = clip.images[0]
        names = [image.file_name for image in clip.images]
        videos.append(
            dict(
                id=video_id,
                width=first.width,
                height=first.height,
                length=len(names),
                file_names=names,
            )
        )
        for track in tracks_of(clip):
            items: list[LabelledObject | None] = [None] * len(names)
            for frame, item in track.objects:
                items[frame] = item
            scores = [item.score or 0.0 for _, item in track.objects]
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    video_id=video_id,
                    category_id=classes.index(track.category) + 1,
                    segmentations=[item and item.segmentation for item in items],
                    bboxes=[item and list(item.bbox) for item in items],
                    areas=[item and item.bbox[2] * item.bbox[3] for item in items],
                    iscrowd=0,
                    score=sum(scores) / len(scores),
                )
            )
    content = dict(
        videos=videos, categories=_categories(classes), annotations=annotations
    )
    write_json(path, content, indent=None)


def _categories(classes: Sequence[str]) -> list[dict[str, Any]]:
    return [dict(id=i, name=name) for i, name in enumerate(classes, 1)]
