"""Support policies: which frames support a video under test, and when."""

from __future__ import annotations

from typing import Any, Hashable, NamedTuple, Sequence

from mmtrack.registry import TASK_UTILS
from torch import Tensor


class SupportFrames(NamedTuple):
    """Frames that join a video's support frames."""

    frame_ids: Sequence[Hashable]
    imgs: Tensor  # (N, 3, H, W)


class SupportPolicy:
    """Selects the support frames of a video, frame by frame.

    A policy has no state: what it needs to know of the video comes with each
    frame.

    Attributes:
        size: Most support frames at a time; ``None`` for as many as come with the first
            frame.
    """

    size: int | None = None

    def select(
        self, num_seen: int, meta: dict[str, Any], inputs: dict[str, Tensor]
    ) -> SupportFrames | None:
        """Frames that join at the current frame, or None.

        Args:
            num_seen: Number of frames of the video before the current one.
            meta: Meta information of the current frame.
            inputs: ``img`` (1, 1, 3, H, W) and perhaps ``ref_img``
                (1, T, 3, H', W').
        """
        raise NotImplementedError


# The names in brackets here and below are those of version 1.0.
@TASK_UTILS.register_module(name=['GivenSupport', 'GivenReferences'])
class GivenSupport(SupportPolicy):
    """Support frames are those that the data set hands over.

    With mmtrack's sampler ``test_with_adaptive_stride``, frame 0 brings
    frames from all over the video, and they serve to its end. With
    ``test_with_fix_stride``, frame 0 brings the window around it and every
    n-th frame one more, which pushes the oldest out; prompts are refreshed
    then.
    """

    def select(
        self, num_seen: int, meta: dict[str, Any], inputs: dict[str, Tensor]
    ) -> SupportFrames | None:
        """Frames that join at the current frame, or None.

        Raises:
            ValueError: The first frame has no support frames, or ``ref_img``
                has another shape.
        """
        ref_img = inputs.get('ref_img')
        if ref_img is None:
            if num_seen == 0:
                raise ValueError(
                    f'frame 0 of video {meta.get("video_id")} came without support '
                    'frames (inputs["ref_img"]); set ref_img_sampler in the test '
                    'dataset to test_with_adaptive_stride or test_with_fix_stride, or '
                    '"support" of the model to PastSupport. With batch_size > 1 the '
                    'test dataloader needs collate_fn=dict(type="collate_frames")'
                )
            return None
        if ref_img.dim() != 5 or ref_img.shape[0] != 1:
            raise ValueError(
                f'ref_img must have shape (1, T, 3, H, W), got {tuple(ref_img.shape)}'
            )
        ids = meta.get('ref_frame_id')
        if ids is None:  # unknown: each is a frame of its own
            ids = [object() for _ in range(ref_img.shape[1])]
        elif isinstance(ids, int):
            ids = [ids]
        return SupportFrames(ids, ref_img[0])


@TASK_UTILS.register_module(name=['PastSupport', 'PastReferences'])
class PastSupport(SupportPolicy):
    """Support frames are every n-th of the frames seen so far (online).

    What a camera needs: no frame of the future, bounded memory. The current
    frame counts as seen, so a stream can be used from its first frame on.

    Args:
        num_frames: Most support frames in memory. Defaults to 14.
        interval: A support frame is taken, and the prompts are refreshed, every so many
            frames. Defaults to 10.
    """

    def __init__(self, num_frames: int = 14, interval: int = 10) -> None:
        if num_frames < 1 or interval < 1:
            raise ValueError(
                'num_frames and interval must be >= 1, '
                f'got num_frames={num_frames}, interval={interval}'
            )
        self.size = num_frames
        self.interval = interval

    def select(
        self, num_seen: int, meta: dict[str, Any], inputs: dict[str, Tensor]
    ) -> SupportFrames | None:
        """The current frame, if its turn has come."""
        if num_seen % self.interval:
            return None
        return SupportFrames([num_seen], inputs['img'][0])
