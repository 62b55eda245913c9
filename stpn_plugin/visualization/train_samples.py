"""What a network sees after the pipeline of a dataset."""

from __future__ import annotations

from typing import Sequence

import numpy as np
from matplotlib.figure import Figure
from mmdet.structures.bbox import BaseBoxes
from mmengine.structures import InstanceData

from .frames import draw_boxes, frame_name, frame_sheet
from .style import PALETTE, styled
from .video_runs import network_image


@styled
def plot_sample(data: dict, classes: Sequence[str]) -> Figure:
    """Show the key frame of a sample and its support frames side by side.

    Args:
        data: What ``PackTrackInputs`` returns: ``inputs`` with ``img`` (N, 3, H, W) and
            perhaps ``ref_img`` (T, 3, H', W'), and ``data_samples``.
        classes: Names of the classes.

    Returns:
        The frames before normalisation, key frames first, with their boxes, coloured by
        class. Without annotations, as after most test pipelines, the title says so.
    """
    inputs, sample = data['inputs'], data['data_samples']
    frames = []  # title, image, instances
    for prefix, kind in (('', 'key'), ('ref_', 'support')):
        imgs = inputs.get(f'{prefix}img')
        if imgs is None:
            continue
        ids = _as_list(sample.metainfo.get(f'{prefix}frame_id'), len(imgs))
        instances = sample.get(f'{prefix}gt_instances', InstanceData())
        owner = instances.get('map_instances_to_img_idx')
        for i, (img, frame_id) in enumerate(zip(imgs, ids)):
            number = 'still image' if frame_id in (None, -1) else f'frame {frame_id}'
            height, width = img.shape[-2:]
            of_frame = instances if owner is None else instances[owner == i]
            frames.append(
                (
                    f'{kind}: {number}, {width} × {height} px',
                    network_image(img),
                    of_frame,
                )
            )
    num_columns = min(4, len(frames))
    figure, axes = frame_sheet(
        -(-len(frames) // num_columns), num_columns, frames[0][1].shape, width=4
    )
    for ax, (title, image, instances) in zip(axes.flat, frames):
        ax.imshow(image)
        ax.set_title(title, fontsize=9)
        labels = np.asarray(instances.get('labels', ()), int)
        draw_boxes(
            ax,
            _box_array(instances),
            [classes[label] for label in labels],
            [PALETTE[label % len(PALETTE)] for label in labels],
        )
    paths = _as_list(sample.metainfo.get('img_path'), 1)
    title = frame_name(paths[0])
    if not any('bboxes' in instances for _, _, instances in frames):
        title += ' (the pipeline loads no annotations)'
    figure.suptitle(title, fontsize=10)
    return figure


def _box_array(instances: InstanceData) -> np.ndarray:
    bboxes = instances.get('bboxes', np.zeros((0, 4)))
    if isinstance(bboxes, BaseBoxes):
        bboxes = bboxes.tensor
    return np.asarray(bboxes).reshape(-1, 4)


def _as_list(value: object, length: int) -> list:
    return value if isinstance(value, list) else [value] * length
