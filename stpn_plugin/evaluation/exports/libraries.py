"""Objects of other libraries, which are imported when they are asked for."""

from __future__ import annotations

import os.path as osp
from typing import Any, Sequence

import numpy as np
from pycocotools import mask as coco_mask

from ...datasets.converters import Clip, LabelledImage
from ...utils import import_extra
from .text_formats import COLUMNS, table_rows


def to_pandas(clips: Sequence[Clip]) -> Any:
    """A ``pandas.DataFrame`` with a row for each object.

    Args:
        clips: Videos.

    Raises:
        MissingPackageError: pandas is not installed.
    """
    pandas = import_extra('pandas', 'pandas')
    return pandas.DataFrame(table_rows(clips), columns=list(COLUMNS))


def to_supervision(image: LabelledImage, classes: Sequence[str]) -> Any:
    """``supervision.Detections`` of a frame.

    Args:
        image: The frame.
        classes: Names of the classes in the order of their ids, from 0.

    Raises:
        MissingPackageError: supervision is not installed.
    """
    items = image.objects
    boxes = np.array([item.bbox for item in items], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    names = [item.category for item in items]
    masks: list[Any] = [item.segmentation for item in items]
    tracks = [item.track for item in items]
    has_masks = bool(items) and all(isinstance(mask, dict) for mask in masks)
    has_tracks = bool(items) and all(isinstance(track, int) for track in tracks)
    return supervision_detections(
        boxes,
        [item.score or 0.0 for item in items],
        [classes.index(name) for name in names],
        names,
        tracks if has_tracks else None,
        [coco_mask.decode(mask) for mask in masks] if has_masks else None,
    )


def supervision_detections(
    boxes: Any,
    scores: Any,
    labels: Any,
    names: Sequence[str],
    tracks: Any = None,
    masks: Any = None,
) -> Any:
    """``supervision.Detections`` of n objects.

    Args:
        boxes: (n, 4) as ``x1, y1, x2, y2`` in pixels.
        scores: (n, ).
        labels: (n, ).
        names: Class of each object; they become ``class_name`` of the data.
        tracks: Track ids (n, ), if there are any.
        masks: (n, H, W), if there are any.

    Raises:
        MissingPackageError: supervision is not installed.
    """
    supervision = import_extra('supervision', 'supervision')
    return supervision.Detections(
        xyxy=np.asarray(boxes, np.float32),
        mask=None if masks is None else np.asarray(masks, bool),
        confidence=np.asarray(scores, np.float32),
        class_id=np.asarray(labels, int),
        tracker_id=None if tracks is None else np.asarray(tracks, int),
        data=dict(class_name=np.array(names, dtype=str)),
    )


def to_fiftyone(clips: Sequence[Clip], images: str, name: str) -> Any:
    """Make a persistent FiftyOne dataset, with a sample for each frame.

    Args:
        clips: Videos; a sample has the name of its video and the number of its frame.
        images: Folder that the file names are relative to.
        name: Name of the dataset.

    Returns:
        The dataset.

    Raises:
        MissingPackageError: FiftyOne is not installed.
        ValueError: There is such a dataset.
    """
    fiftyone = import_extra('fiftyone', 'fiftyone')
    if fiftyone.dataset_exists(name):
        raise ValueError(f'there is a FiftyOne dataset {name}: give another name')
    samples = []
    for clip in clips:
        for frame, image in enumerate(clip.images):
            sample = fiftyone.Sample(
                filepath=osp.abspath(osp.join(images, image.file_name)),
                video=clip.name,
                frame_id=frame,
            )
            scale = np.array([image.width, image.height] * 2)
            sample['found'] = fiftyone.Detections(
                detections=[
                    fiftyone.Detection(
                        label=item.category,
                        bounding_box=(np.array(item.bbox) / scale).tolist(),
                        confidence=item.score,
                        index=item.track,
                    )
                    for item in image.objects
                ]
            )
            samples.append(sample)
    dataset = fiftyone.Dataset(name, persistent=True)
    dataset.add_samples(samples)
    return dataset
