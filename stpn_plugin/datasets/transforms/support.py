"""Support frames beside the reference frames of a task.

Trackers and segmentors have reference frames of their own (``ref_img``). With
these transforms a sample's frames are the key frames, then the task's reference
frames, then T support frames, which make prompts::

    key frame, 1 + T frames by time
      -- DrawReferenceFrames --> key frame, reference frame, T support frames
      -- load, resize, ... -- PackPromptedInputs
      --> img, ref_img as mmtrack has them, and support_img (T, 3, H, W)
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform, to_tensor
from mmengine.structures import InstanceData
from mmtrack.datasets.transforms import PackTrackInputs
from mmtrack.registry import TRANSFORMS


@TRANSFORMS.register_module()
class DrawReferenceFrames(BaseTransform):
    """Draw the reference frames of a task out of the frames sampled.

    mmtrack's samplers sort frames by time, so the first of them are no random
    draw. Place it before images are loaded.

    Args:
        num_ref_imgs: Number of the task's reference frames. They are put right behind
            the key frame; the others, support frames, follow. Defaults to 1.
    """

    def __init__(self, num_ref_imgs: int = 1) -> None:
        self.num_ref_imgs = num_ref_imgs

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Reorder lists of 1 + n frames.

        Raises:
            ValueError: There are not more frames than reference frames.
        """
        others = range(1, len(results['img_path']))
        if len(others) <= self.num_ref_imgs:
            raise ValueError(
                f'a sample has {len(others)} frames beside its key frame, of which '
                f'{self.num_ref_imgs} are reference frames: none is left to support '
                'it; raise num_ref_imgs of ref_img_sampler, and use a data set '
                'that fills support frames up, such as STPNVideoDataset'
            )
        drawn = random.sample(others, self.num_ref_imgs)
        order = [0, *drawn, *(i for i in others if i not in drawn)]
        return {key: [frames[i] for i in order] for key, frames in results.items()}

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}(num_ref_imgs={self.num_ref_imgs})'


@TRANSFORMS.register_module()
class PackPromptedInputs(PackTrackInputs):
    """mmtrack's ``PackTrackInputs`` that packs support frames apart.

    The inputs get ``support_img`` (T, 3, H, W), the last T frames of a sample;
    the others are packed as in mmtrack. Annotations of support frames are
    dropped.

    Args:
        num_support_frames: Number of support frames T.
        **kwargs: Those of ``PackTrackInputs``.
    """

    def __init__(self, num_support_frames: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_support_frames < 1:
            raise ValueError(
                f'num_support_frames must be >= 1, got {num_support_frames}'
            )
        self.num_support_frames = num_support_frames

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack the frames of a sample.

        Raises:
            ValueError: There are too few frames.
        """
        count = len(results['img']) - self.num_support_frames
        if count < self.num_key_frames:
            raise ValueError(
                f'a sample has {len(results["img"])} frames, too few for '
                f'{self.num_key_frames} key frames and {self.num_support_frames} '
                'support frames; set num_ref_imgs of ref_img_sampler accordingly'
            )
        packed = super().transform(
            {key: frames[:count] for key, frames in results.items()}
        )
        support = np.stack(results['img'][count:]).transpose(0, 3, 1, 2)
        packed['inputs']['support_img'] = to_tensor(np.ascontiguousarray(support))
        # `pad_mask` of mmtrack's data preprocessor asks for those of every input.
        packed['data_samples'].support_gt_instances = InstanceData()
        return packed
