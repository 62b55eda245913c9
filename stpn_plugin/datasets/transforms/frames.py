"""Transforms of a sample's list of frames: the key frame, then its support frames.

Here ``results`` maps every key to a list with one entry a frame, as
``BaseVideoDataset`` collates it when a ``ref_img_sampler`` is set.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import Pad, RandomCrop
from mmtrack.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PadFramesToLargest(BaseTransform):
    """Pad all frames of a sample, right and bottom, to the largest of them.

    ``PackTrackInputs`` stacks the frames, so they need one size after a crop
    that differs by frame.

    Args:
        pad_val: As in mmdet's ``Pad``. Defaults to 0.
    """

    padded_keys = ('img', 'gt_masks', 'gt_seg_map')

    def __init__(self, pad_val: Any = 0) -> None:
        self.pad_val = pad_val

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pad ``img`` (lists of (H, W, 3)), and masks where there are any.

        Raises:
            TypeError: ``results`` holds a single frame, not a list.
        """
        imgs = results['img']
        if not isinstance(imgs, list):
            raise TypeError(
                'PadFramesToLargest needs the list of frames of a sample, got one '
                'image; set ref_img_sampler in the dataset, and keep this transform '
                'outside of TransformBroadcaster'
            )
        height, width = (max(img.shape[axis] for img in imgs) for axis in (0, 1))
        pad = Pad(size=(width, height), pad_val=self.pad_val)
        keys = [key for key in self.padded_keys if key in results]
        padded = [pad({key: results[key][i] for key in keys}) for i in range(len(imgs))]
        for key in padded[0]:
            results[key] = [frame[key] for frame in padded]
        return results

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(pad_val={self.pad_val})'


@TRANSFORMS.register_module()
class TrackRandomCrop(RandomCrop):
    """mmdet's ``RandomCrop`` that keeps ``gt_instances_id`` in step.

    It crops one frame. Within ``TransformBroadcaster`` of a video pipeline,
    ``share_random_params=False`` draws a crop for each frame, also when the
    transforms around it share their random parameters.
    """

    def _crop_data(
        self, results: dict, crop_size: tuple, allow_negative_crop: bool
    ) -> Any:
        ids = results.get('gt_instances_id')
        if ids is None:
            return super()._crop_data(results, crop_size, allow_negative_crop)
        # mmdet drops the labels of objects that leave the crop: let each label carry
        # its object's identity along.
        results['gt_bboxes_labels'] = np.stack(
            (results['gt_bboxes_labels'], ids), axis=1
        )
        cropped = super()._crop_data(results, crop_size, allow_negative_crop)
        if cropped is not None:
            labels, kept = cropped['gt_bboxes_labels'].T
            cropped.update(
                gt_bboxes_labels=labels, gt_instances_id=kept.astype(ids.dtype)
            )
        return cropped
