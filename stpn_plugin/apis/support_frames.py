"""Support frames of a whole video, as mmtrack's samplers of test data take them."""

from __future__ import annotations

from typing import (
    Any,
    Iterable,
    Iterator,
    NamedTuple,
    Sequence,
)

from .video_io import (
    Frame,
    FrameLike,
    VideoError,
    check_size,
    load_frame,
    pick_spread_frames,
    read_frames,
)


class JoiningFrames(NamedTuple):
    """Frames that join the support frames of a video."""

    frame_ids: list[int]
    frames: list[Frame]


class SpreadSupport:
    """Support frames from all over the video, once (``test_with_adaptive_stride``).

    Args:
        video: Images or files of images; starts anew each time it is iterated.
        count: Number of support frames.

    Attributes:
        length: Number of frames of the video.

    Raises:
        VideoError: Not even the first frame can be read.
    """

    def __init__(self, video: Iterable[FrameLike], count: int) -> None:
        self._ids, self._frames, self.length = pick_spread_frames(video, count)

    def joining(self, frame_id: int) -> JoiningFrames:
        """Frames that join at a frame: all of them at frame 0."""
        if frame_id:
            return JoiningFrames([], [])
        return JoiningFrames(self._ids, self._frames)


class WindowSupport:
    """A window of support frames that slides along (``test_with_fix_stride``).

    The video is read a second time, ahead of the frames that are detected; of
    what is read ahead, one frame is kept.

    Args:
        video: Images or files of images; starts anew each time it is iterated.
        frame_range: Number of support frames before a frame, negative, and
            after it.
        stride: Distance of the support frames. The window slides every so
            many frames.

    Attributes:
        length: None, it is not known before the end.
    """

    length: int | None = None

    def __init__(
        self, video: Iterable[FrameLike], frame_range: Sequence[int], stride: int
    ) -> None:
        self._left, self._right = -frame_range[0], frame_range[1]
        self._stride = stride
        self._ahead = _ReadAhead(video)

    def joining(self, frame_id: int) -> JoiningFrames:
        """Frames that join at a frame, called for 0, 1, 2, ...

        At frame 0 it is the window, with frame 0 in place of those before it;
        later, at the stride, the frame at its right end. The last frame
        stands for those behind it.

        Raises:
            VideoError: Not even the first frame can be read.
        """
        if frame_id == 0:
            after = [i * self._stride for i in range(1, self._right + 1)]
            wanted = [0] * (self._left + 1) + after
        elif frame_id % self._stride == 0:
            wanted = [frame_id + self._right * self._stride]
        else:
            wanted = []
        found = [self._ahead.at_most(position) for position in wanted]
        return JoiningFrames([i for i, _ in found], [frame for _, frame in found])


class _ReadAhead:
    """Gives frames of a video at positions that do not fall."""

    def __init__(self, video: Iterable[FrameLike]) -> None:
        self._video = video
        self._frames: Iterator[Frame] | None = None
        self._position = -1
        self._last: Frame | None = None
        self._length = len(video) if isinstance(video, Sequence) else None

    def at_most(self, position: int) -> tuple[int, Frame]:
        """The frame at a position, or the last that can be read before it.

        Returns:
            Its position, and the frame.
        """
        # What cannot be read, detection meets in its turn.
        if self._length:
            position = min(position, self._length - 1)
            if not self._jump(position):
                self._length = position
                while self._position + 1 < position and self._jump(self._position + 1):
                    pass
        else:
            while self._position < position and self._step():
                pass
        assert self._last is not None  # else the first frame's error was raised
        return self._position, self._last

    def _jump(self, position: int) -> bool:
        """Read a frame of a sequence, without those before it."""
        if position == self._position:
            return True
        try:
            frame = load_frame(self._video[position], position)  # type: ignore[index]
            if self._last is not None:
                check_size(frame, self._last.image.shape, position)
        except VideoError:
            if self._last is None:
                raise
            return False
        self._position, self._last = position, frame
        return True

    def _step(self) -> bool:
        """Read the next frame."""
        if self._frames is None:
            self._frames = read_frames(self._video)
        try:
            self._last = next(self._frames)
        except VideoError:
            if self._last is None:
                raise
            return False
        except StopIteration:
            return False
        self._position += 1
        return True


def support_sampler(
    dataset: dict[str, Any], default_count: int | None
) -> dict[str, Any]:
    """How a test data set samples support frames.

    Args:
        dataset: Config of the test data set.
        default_count: Number of support frames, if it samples none.

    Returns:
        ``ref_img_sampler`` of the data set, or one of spread frames.

    Raises:
        ValueError: It samples at random, which is for training.
    """
    sampler = dataset.get('ref_img_sampler')
    if sampler is None:
        return dict(method='test_with_adaptive_stride', num_ref_imgs=default_count)
    if 'test' not in sampler.get('method', 'bilateral_uniform'):
        raise ValueError(
            f'ref_img_sampler of the test dataset has the method '
            f'"{sampler.get("method", "bilateral_uniform")}", which draws frames at '
            'random; set test_with_adaptive_stride or test_with_fix_stride'
        )
    return sampler
