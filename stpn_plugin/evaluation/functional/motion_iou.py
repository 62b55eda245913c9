"""Motion IoU of ground-truth boxes: how fast an object moves in its video."""

from __future__ import annotations

import os

import numpy as np

from ...utils.mat_files import MatError, read_mat


def motion_iou(
    bboxes: np.ndarray,
    frame_ids: np.ndarray,
    instance_ids: np.ndarray,
    window: int = 10,
) -> np.ndarray:
    """Mean IoU of every box with its own instance in the frames around it.

    The measure of object speed of FGFA (https://arxiv.org/abs/1703.10025): a
    slow object overlaps well with itself in nearby frames, a fast one does not.

    Args:
        bboxes: Boxes of one video, (N, 4), as ``x1, y1, x2, y2``.
        frame_ids: Frame of every box, (N, ), integral.
        instance_ids: Instance of every box, (N, ).
        window: How many frames to look at on either side. The box's own frame is left
            out, and so are frames beyond the video's ends or without the instance.
            Defaults to 10.

    Returns:
        Motion IoUs in [0, 1], (N, ), float64. Boxes whose instance is in no other frame
        of the window have 0.

    Raises:
        ValueError: If the lengths of the arguments differ.
    """
    bboxes = np.asarray(bboxes, dtype=np.float64).reshape(-1, 4)
    frames = np.asarray(frame_ids).astype(np.int64).reshape(-1)
    instances = np.asarray(instance_ids).reshape(-1)
    num = len(bboxes)
    if not len(frames) == len(instances) == num:
        raise ValueError(
            f'bboxes, frame_ids and instance_ids differ in length: {num}, '
            f'{len(frames)}, {len(instances)}'
        )
    if num == 0:
        return np.zeros(0)

    # On one time line, with the instances further apart than the window, the
    # partners of a box are a run of its neighbours.
    frames = frames - frames.min()
    _, instances = np.unique(instances, return_inverse=True)
    time = instances.reshape(-1) * (frames.max() + window + 1) + frames
    order = np.argsort(time, kind='stable')
    time = time[order]
    first = np.searchsorted(time, time - window, side='left')
    counts = np.searchsorted(time, time + window, side='right') - first
    box = np.repeat(np.arange(num), counts)
    partner = np.arange(len(box)) + np.repeat(first - counts.cumsum() + counts, counts)
    other_frame = time[box] != time[partner]
    box, partner = box[other_frame], partner[other_frame]

    bboxes = bboxes[order]
    top_left = np.maximum(bboxes[box, :2], bboxes[partner, :2])
    bottom_right = np.minimum(bboxes[box, 2:], bboxes[partner, 2:])
    inter = (bottom_right - top_left).clip(min=0).prod(axis=1)
    areas = (bboxes[:, 2:] - bboxes[:, :2]).prod(axis=1)
    union = areas[box] + areas[partner] - inter
    ious = np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)

    sums = np.bincount(box, weights=ious, minlength=num)
    partners = np.bincount(box, minlength=num)
    result = np.empty(num)
    result[order] = sums / np.maximum(partners, 1)
    return result


def load_motion_iou_mat(path: str | os.PathLike) -> list[np.ndarray]:
    """Read the motion IoUs that the authors of FGFA published for ImageNet VID.

    Args:
        path: Path of ``vid_groundtruth_motion_iou.mat``.

    Returns:
        For every image of the validation list, in its order, the motion IoUs of its
        objects, (n, ), in annotation order. Empty cells are 0; an image without objects
        may have one such cell, too.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file does not hold the table ``motion_iou``.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'motion IoU file {path} does not exist')
    try:
        images = read_mat(path, 'motion_iou')
    except MatError as error:
        raise ValueError(
            f"{path} is no MATLAB file with a variable 'motion_iou': {error}. The file "
            'of the FGFA authors is called vid_groundtruth_motion_iou.mat'
        ) from error
    if not isinstance(images, list):
        raise ValueError(f"{path}: its variable 'motion_iou' is no cell")
    return [_first_numbers(cells) for cells in images]


def _first_numbers(cells: np.ndarray | list) -> np.ndarray:
    """The first number of each cell of an image, 0 where there is none."""
    if isinstance(cells, np.ndarray):
        return cells
    flat = [
        np.ravel(cell)[:1] if isinstance(cell, np.ndarray) else [] for cell in cells
    ]
    return np.array([numbers[0] if len(numbers) else 0 for numbers in flat], float)
