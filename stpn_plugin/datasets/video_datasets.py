"""Video data sets that give every sample as many support frames as it asks for."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmtrack.datasets import (
    BaseVideoDataset,
    ImagenetVIDDataset,
    MOTChallengeDataset,
    YouTubeVISDataset,
)
from mmtrack.registry import DATASETS


class SupportSampling:
    """What the data sets below change in mmtrack's: ``num_ref_imgs`` is kept to.

    ``ref_img_sampler.num_ref_imgs`` is the only place where the number of
    support frames T of a data set stands:

    * In training, mmtrack's samplers find fewer frames than asked for at the
      ends of a video, or none, and samples with different numbers cannot share
      a batch. The frames found are repeated in turn; where there are none, the
      key frame is its own support frame. Repeating all frames alike changes
      neither the attention nor the average of a prompt predictor.
    * In testing with ``test_with_adaptive_stride``, mmtrack replaces
      ``num_ref_imgs`` by the width of ``frame_range``, which that method has no
      other use for; here ``frame_range`` is ignored.

    To be put in front of any :class:`BaseVideoDataset`. Its own arguments are
    unchanged.

    Raises:
        ValueError: ``ref_img_sampler`` is None in training.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if kwargs.get('ref_img_sampler', {}) is None and not kwargs.get('test_mode'):
            raise ValueError(
                f'{type(self).__name__} trains with support frames, and '
                'ref_img_sampler is None. For single frames use the data sets of '
                "configs/_base_/datasets/imagenet_vid_single-frame.py: mmtrack's "
                'ImagenetVIDDataset or BaseVideoDataset, with a pipeline that packs '
                'one image'
            )
        super().__init__(*args, **kwargs)

    def ref_img_sampling(
        self,
        idx: int,
        data_info: dict,
        frame_range: int | list[int] = 9,
        stride: int = 1,
        num_ref_imgs: int = 1,
        filter_key_img: bool = True,
        method: str = 'uniform',
    ) -> list[dict]:
        """Sample the support frames of a key frame.

        Args:
            idx: Index of the sample.
            data_info: The key frame.
            frame_range: Frames before and after the key frame among which
                support frames are drawn.
            stride: Of ``test_with_fix_stride``.
            num_ref_imgs: Number of support frames T.
            filter_key_img: Whether the key frame is left out of them.
            method: As in :class:`BaseVideoDataset`.

        Returns:
            The key frame and its T support frames; in testing, those that the
            method gives at this frame.

        Raises:
            ValueError: ``num_ref_imgs`` is less than the method can spread.
        """
        spread = method == 'test_with_adaptive_stride'
        least = 2 if spread else 1  # the first and the last frame
        if num_ref_imgs < least:
            raise ValueError(
                f'ref_img_sampler.num_ref_imgs must be >= {least} for {method}, got '
                f'{num_ref_imgs}'
            )
        if spread:
            before = num_ref_imgs // 2
            frame_range = [-before, num_ref_imgs - before]
        key_frame, *support = super().ref_img_sampling(  # type: ignore[misc]
            idx,
            data_info,
            frame_range=frame_range,
            stride=stride,
            num_ref_imgs=num_ref_imgs,
            filter_key_img=filter_key_img,
            method=method,
        )
        if not method.startswith('test_'):
            support = support or [key_frame]
            picks = np.resize(np.arange(len(support)), num_ref_imgs)
            support = [support[i].copy() for i in sorted(picks)]
        return [key_frame, *support]


@DATASETS.register_module()
class STPNVideoDataset(SupportSampling, BaseVideoDataset):
    """A data set of one's own in CocoVID format, with support frames."""


@DATASETS.register_module()
class STPNImagenetVIDDataset(SupportSampling, ImagenetVIDDataset):
    """ImageNet VID or DET, with support frames."""


@DATASETS.register_module()
class STPNMOTChallengeDataset(SupportSampling, MOTChallengeDataset):
    """A data set of the MOT challenge, with support frames."""


@DATASETS.register_module()
class STPNYouTubeVISDataset(SupportSampling, YouTubeVISDataset):
    """YouTube-VIS, with support frames."""
