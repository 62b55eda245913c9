"""Ground truth of a CocoVID file, as the VID metrics take it."""

from __future__ import annotations

import os
from typing import Any, Collection, NamedTuple, Sequence

import numpy as np
from mmengine.fileio import exists, load

from ..datasets.checks import check_annotations
from ..utils import category_ids as find_category_ids
from ..utils import read_json
from .functional import load_motion_iou_mat, motion_iou


class VIDGroundTruth(NamedTuple):
    """Images of a CocoVID file and what is in them.

    Attributes:
        image_ids: Ids of the images, in the order of the file.
        category_ids: Category id of every class.
        gts: Per image ``bboxes`` (n, 4) float32 as ``x1, y1, x2, y2``, ``labels`` (n,
            ), ``motion_ious`` (n, ) and ``has_objects``: whether the file has any
            annotation of the image, also one that is not evaluated. None if the file
            has no annotations at all, as that of a test set.
    """

    image_ids: list[int]
    category_ids: list[int]
    gts: list[dict] | None

    def part(self, image_ids: Collection[int]) -> VIDGroundTruth:
        """Ground truth of some images, as it is in the whole file.

        Args:
            image_ids: Ids of the images, in any order.

        Returns:
            The images in the order of the file.
        """
        wanted = set(image_ids)
        rows = [
            row for row, image_id in enumerate(self.image_ids) if image_id in wanted
        ]
        return self._replace(
            image_ids=[self.image_ids[row] for row in rows],
            gts=None if self.gts is None else [self.gts[row] for row in rows],
        )


def load_vid_ground_truth(
    ann_file: str,
    classes: Sequence[str],
    motion_iou_file: str | os.PathLike | None = None,
) -> VIDGroundTruth:
    """Read a CocoVID file for evaluation.

    A frame without objects, which weighs in the APs by motion speed (see
    :class:`VIDMotionEvaluator`), is an image without any annotation in the file: the
    published file of motion IoUs has no empty cell for an image whose annotations are
    all of other categories, ``iscrowd`` or ``ignore``. Such an image adds nothing.

    Args:
        ann_file: Path of the CocoVID file.
        classes: Names of the classes, in the order of their labels. Annotations of
            other categories and those marked ``iscrowd`` or ``ignore`` are left out.
        motion_iou_file: Path of the motion IoUs published with FGFA, see
            :func:`load_motion_iou_mat`. By default they are computed from the
            annotations.

    Returns:
        The images and their ground truth.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the classes do not go with the categories of the file (see
            :func:`stpn_plugin.utils.category_ids`), the file lacks something, or the
            motion IoU file belongs to other images.
    """
    if not exists(ann_file):
        raise FileNotFoundError(f'annotation file {ann_file} does not exist')
    content = _read(ann_file)
    if not isinstance(content, dict) or not {'images', 'categories'} <= set(content):
        raise ValueError(
            f"{ann_file} is no CocoVID file: it lacks 'images' or 'categories'"
        )
    check_annotations(content, ann_file, as_video='videos' in content)
    images = content['images']
    image_ids = [image['id'] for image in images]
    category_ids = find_category_ids(content['categories'], classes, ann_file)
    if 'annotations' not in content:
        return VIDGroundTruth(image_ids, category_ids, None)

    index_of = {image_id: index for index, image_id in enumerate(image_ids)}
    annotations = content['annotations']
    try:
        owner = [index_of[annotation['image_id']] for annotation in annotations]
        bboxes = [annotation['bbox'] for annotation in annotations]
        categories = [annotation['category_id'] for annotation in annotations]
    except KeyError as error:
        raise ValueError(
            f'an annotation in {ann_file} lacks a field or belongs to no image: {error}'
        ) from error
    owner = np.array(owner, np.int64)
    bboxes = np.array(bboxes, np.float64).reshape(-1, 4)
    bboxes[:, 2:] += bboxes[:, :2]
    if motion_iou_file is None:
        motion_ious = _computed_motion_ious(
            ann_file, images, annotations, owner, bboxes
        )
    else:
        motion_ious = _published_motion_ious(motion_iou_file, ann_file, images, owner)

    label_of = {category_id: label for label, category_id in enumerate(category_ids)}
    labels = np.array([label_of.get(category, -1) for category in categories], np.int64)
    for index, annotation in enumerate(annotations):
        if annotation.get('iscrowd') or annotation.get('ignore'):
            labels[index] = -1
    kept = np.flatnonzero(labels >= 0)
    kept = kept[np.argsort(owner[kept], kind='stable')]
    ends = np.cumsum(np.bincount(owner[kept], minlength=len(images)))[:-1]
    columns = (bboxes[kept].astype(np.float32), labels[kept], motion_ious[kept])
    has_objects = (np.bincount(owner, minlength=len(images)) > 0).tolist()
    gts = [
        dict(bboxes=boxes, labels=labels, motion_ious=ious, has_objects=has)
        for boxes, labels, ious, has in zip(
            *(np.split(column, ends) for column in columns), has_objects
        )
    ]
    return VIDGroundTruth(image_ids, category_ids, gts)


def _read(ann_file: str) -> Any:
    if '://' not in ann_file:
        return read_json(ann_file)
    # Not by its ending: a pickle would run.
    return load(ann_file, file_format='json')


def _computed_motion_ious(
    ann_file: str,
    images: list[dict],
    annotations: list[dict],
    owner: np.ndarray,
    bboxes: np.ndarray,
) -> np.ndarray:
    """Motion IoU of every annotation, (N, ), video by video."""
    try:
        numbers: dict = {}  # ids may be text
        video_ids = np.array(
            [numbers.setdefault(image['video_id'], len(numbers)) for image in images]
        )
        frame_ids = np.array([image['frame_id'] for image in images], np.int64)
        instance_ids = np.array([ann['instance_id'] for ann in annotations], np.int64)
    except KeyError as error:
        raise ValueError(
            f'{ann_file} lacks {error}: images need video_id and frame_id, '
            'annotations instance_id, to tell how fast an object moves'
        ) from error
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f'{ann_file} has ids that are none: {error}') from error
    motion_ious = np.zeros(len(annotations))
    if not len(annotations):
        return motion_ious
    videos = video_ids[owner]
    order = np.argsort(videos, kind='stable')
    for members in np.split(order, 1 + np.flatnonzero(np.diff(videos[order]))):
        motion_ious[members] = motion_iou(
            bboxes[members], frame_ids[owner[members]], instance_ids[members]
        )
    return motion_ious


def _published_motion_ious(
    motion_iou_file: str | os.PathLike,
    ann_file: str,
    images: list[dict],
    owner: np.ndarray,
) -> np.ndarray:
    """Motion IoU of every annotation, (N, ), from the file of FGFA."""
    tables = load_motion_iou_mat(motion_iou_file)
    if len(tables) != len(images):
        raise ValueError(
            f'{motion_iou_file} is about {len(tables)} images, but {ann_file} has '
            f'{len(images)}; leave motion_iou_file out to compute the motion IoUs'
        )
    counts = np.bincount(owner, minlength=len(images))
    for image, table, count in zip(images, tables, counts):
        # Without objects, there is one empty cell, or none.
        if len(table) != count and (count or table.any() or len(table) > 1):
            raise ValueError(
                f'{motion_iou_file} has {len(table)} objects for the image '
                f'{image.get("file_name", image["id"])}, but {ann_file} has {count}; '
                'leave motion_iou_file out to compute the motion IoUs'
            )
    # An image's annotations come in turn, whatever lies between them in the file.
    motion_ious = np.zeros(len(owner))
    tables = [table for table, count in zip(tables, counts) if count]
    if tables:
        motion_ious[np.argsort(owner, kind='stable')] = np.concatenate(tables)
    return motion_ious
