"""Videos to read: files, folders of frames, cameras, and anything re-iterable."""

from __future__ import annotations

import glob
import os
import os.path as osp
import re
import time
from typing import (
    Any,
    Iterable,
    Iterator,
    NamedTuple,
    Sequence,
    TypeVar,
    Union,
)

import cv2
import mmcv
import numpy as np

FrameLike = Union[np.ndarray, str, 'os.PathLike[str]']
Video = Union[str, 'os.PathLike[str]', Iterable[FrameLike]]
T = TypeVar('T')

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.ppm', '.tif', '.tiff', '.webp')


class VideoError(RuntimeError):
    """A video, or one of its frames, cannot be read or used."""


class Frame(NamedTuple):
    """A frame of a video."""

    image: np.ndarray  # (H, W, 3), BGR, uint8
    path: str | None = None


class VideoFile:
    """A video file, decoded anew, from its start, each time it is iterated.

    Args:
        path: The file.

    Attributes:
        fps: Frames per second, if the file tells.
        length: Number of frames that the file announces. Some files announce a few
            frames more or less than they hold.

    Raises:
        FileNotFoundError: There is no such file.
        VideoError: It is no video, or is damaged at its start.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        if not osp.isfile(self.path):
            raise FileNotFoundError(f'video {self.path} does not exist')
        capture = self._open()
        self.fps = capture.get(cv2.CAP_PROP_FPS) or None
        length = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.length = length if length > 0 else None
        capture.release()

    def __iter__(self) -> Iterator[np.ndarray]:
        """Decode the frames (H, W, 3), BGR, uint8.

        Raises:
            VideoError: The file ends before its announced length.
        """
        capture = self._open()
        count = reached = 0
        try:
            while True:
                ok, image = capture.read()
                if not ok:
                    break
                yield image
                count += 1
                reached = max(count, _frames_by_time(capture))
        finally:
            capture.release()
        if self.length and reached < _least_length(self.length):
            raise VideoError(
                f'video {self.path} is truncated or damaged: {count} of its '
                f'{self.length} frames can be read'
            )

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(self.path)
        if not capture.isOpened():
            raise VideoError(
                f'{self.path} cannot be opened as a video: it is damaged or '
                'truncated, or of a format that OpenCV does not read'
            )
        return capture


class LiveVideo:
    """A camera or network stream, whose frames can be read only once.

    A camera has no end: it is read until it is stopped. A stream has ended when its
    sender closes it, unless it announced more frames. Whether a sender that announced
    nothing closed it on purpose cannot be known.

    Args:
        source: Index of a camera, or a URL that OpenCV opens.
        timeout: How long to wait for a stream to open, and for each of its frames, in
            seconds.

    Attributes:
        fps: Frames per second, if the source tells.
        num_frames: Number of frames read.

    Raises:
        VideoError: It cannot be opened.
    """

    length = None

    def __init__(self, source: int | str, timeout: float = 30.0) -> None:
        self.source = source
        self.num_frames = 0
        self._reached = 0
        self._timeout = timeout
        if isinstance(source, int):
            self._capture = cv2.VideoCapture(source)
        else:
            limit = round(1000 * timeout)
            self._capture = cv2.VideoCapture(
                source,
                cv2.CAP_ANY,
                [
                    *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit),
                    *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit),
                ],
            )
        if not self._capture.isOpened():
            raise VideoError(f'{self._name} cannot be opened')
        self.fps: float | None = self._capture.get(cv2.CAP_PROP_FPS) or None
        self._announced = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        """Read the next frame (H, W, 3), BGR, uint8.

        Raises:
            VideoError: The camera or stream broke off: it gave no frame in time, or
                ended before its announced length.
        """
        start = time.monotonic()
        ok, image = self._capture.read()
        # OpenCV says that there is no frame, and not why. After a time-out, it may
        # also give what has come of one.
        waited = time.monotonic() - start
        has_stalled = isinstance(self.source, str) and waited >= self._timeout
        if ok and not has_stalled:
            self.num_frames += 1
            self._reached = max(self.num_frames, _frames_by_time(self._capture))
            return image
        self._capture.release()
        after = f'after {self.num_frames} frames'
        if has_stalled:
            raise VideoError(
                f'{self._name} has stalled {after}: it gave none for {waited:.0f} s'
            )
        if isinstance(self.source, int):
            raise VideoError(f'{self._name} gives no more frames {after}')
        if self._reached < _least_length(self._announced):
            raise VideoError(
                f'{self._name} broke off {after}: it announced {self._announced}'
            )
        raise StopIteration

    @property
    def _name(self) -> str:
        return f'camera or stream {self.source}'


def _frames_by_time(capture: cv2.VideoCapture) -> int:
    """Frames up to the time of the last one, if all were to last as long.

    What some containers announce is so many; those of an uneven rate hold fewer.
    """
    seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
    return round(seconds * capture.get(cv2.CAP_PROP_FPS)) + 1


def _least_length(announced: int) -> float:
    """Least number of frames that fits an announced one: some containers estimate."""
    return announced - max(2, 0.02 * announced)


def open_video(source: int | str | os.PathLike[str]) -> Iterable[FrameLike]:
    """Find out what kind of video a name stands for.

    Args:
        source: A video file, a folder of images, a glob pattern of images, the
            index of a camera, the URL of a stream, or ``-`` for a video that comes
            in on standard input. The images are taken in
            natural order: ``frame_2`` comes before ``frame_10``.

    Returns:
        :class:`VideoFile`, :class:`LiveVideo`, or a list of image files.

    Raises:
        FileNotFoundError: There is no such file, nor images.
        VideoError: It is no video.
    """
    if isinstance(source, int):
        return LiveVideo(source)
    source = os.fspath(source)
    if source == '-':
        return LiveVideo('pipe:0')
    if '://' in source:
        return LiveVideo(source)
    if osp.isdir(source):
        names = [osp.join(source, name) for name in os.listdir(source)]
    elif not osp.exists(source) and glob.has_magic(source):
        names = glob.glob(source, recursive=True)
    else:
        return VideoFile(source)
    names = [name for name in names if name.lower().endswith(IMAGE_SUFFIXES)]
    if not names:
        raise FileNotFoundError(
            f'{source} has no images ({", ".join(IMAGE_SUFFIXES)}): zero frames'
        )
    return sorted(names, key=_natural_key)


def opened(video: Video) -> Iterable[FrameLike]:
    """The frames of a video, which may be given as a path."""
    return open_video(video) if isinstance(video, (str, os.PathLike)) else video


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size`` items. What came before an exception is given first."""
    if size < 1:
        raise ValueError(f'batch_size must be >= 1, got {size}')
    batch: list[T] = []
    try:
        for item in items:
            batch.append(item)
            if len(batch) == size:
                yield batch
                batch = []
    except VideoError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def read_frames(video: Iterable[FrameLike]) -> Iterator[Frame]:
    """Read a video's frames, and check them.

    Args:
        video: Images (H, W, 3), BGR, uint8, or files of such.

    Yields:
        The frames.

    Raises:
        VideoError: There are none, one is not an image, or has another size
            than the first.
    """
    size = None
    for frame_id, item in enumerate(video):
        frame = load_frame(item, frame_id)
        size = size or frame.image.shape
        check_size(frame, size, frame_id)
        yield frame
    if size is None:
        raise VideoError(f'{_name(video)} has zero frames')


def pick_spread_frames(
    video: Iterable[FrameLike], count: int
) -> tuple[list[int], list[Frame], int]:
    """Pick frames from all over a video, as ``test_with_adaptive_stride`` does.

    A sequence is asked for these frames alone. Anything else is read from its
    start to its end, once if ``video.length`` or ``len(video)`` is right, else
    twice or at most three times. No other frames are kept.

    Of a video that can be read only in part, that part is taken.

    Args:
        video: As for :func:`read_frames`.
        count: Number of frames. A short video gives some of them repeatedly.

    Returns:
        Their positions, the frames, and the number of frames in the video.

    Raises:
        VideoError: Not even the first frame can be read, or the number of frames is
            another each time.
    """
    length = _expected_length(video)
    if isinstance(video, Sequence) and length:
        readable = 0
        while readable != length:  # each time less of it than before
            length, wanted = readable or length, spread(readable or length, count)
            picked, readable = _pick_from_sequence(video, wanted, length)
        return wanted, [picked[i] for i in wanted], length
    lengths: list[int] = []
    # The second time, its length is known, if it is the same.
    for _ in range(3):
        wanted = spread(length, count) if length else []
        picked, seen = _pick_while_reading(video, wanted)
        if seen == length:
            return wanted, [picked[i] for i in wanted], length
        length = seen
        lengths.append(seen)
    raise VideoError(
        f'{_name(video)} has another number of frames each time it is read: '
        f'{", ".join(map(str, lengths))}'
    )


def spread(length: int, count: int) -> list[int]:
    """Positions of ``count`` frames from the first to the last of ``length``."""
    stride = (length - 1) / max(count - 1, 1)
    return [round(i * stride) for i in range(count)]


def _pick_from_sequence(
    video: Sequence[FrameLike], wanted: list[int], length: int
) -> tuple[dict[int, Frame], int]:
    picked: dict[int, Frame] = {}
    for i in wanted:
        try:
            picked[i] = load_frame(video[i], i)
            check_size(picked[i], picked[0].image.shape, i)
        except VideoError:
            if i == 0:
                raise
            return picked, i
    return picked, length


def _pick_while_reading(
    video: Iterable[FrameLike], wanted: list[int]
) -> tuple[dict[int, Frame], int]:
    picked: dict[int, Frame] = {}
    seen = 0
    try:
        for frame in read_frames(video):
            if seen in wanted:
                picked[seen] = frame
            seen += 1
    except VideoError:
        if seen == 0:
            raise
    return picked, seen


def _expected_length(video: Any) -> int | None:
    if hasattr(video, '__len__'):
        return len(video)
    return getattr(video, 'length', None)


def load_frame(item: Frame | FrameLike, frame_id: int) -> Frame:
    """Read a frame, and check it.

    Raises:
        VideoError: It is no image (H, W, 3), BGR, uint8, nor the file of one.
    """
    if isinstance(item, Frame):
        return item
    path = None
    if not isinstance(item, np.ndarray):
        path = os.fspath(item)
        try:
            item = mmcv.imread(path)
        except (OSError, cv2.error) as error:
            raise VideoError(f'frame {frame_id}: {error}') from error
        if item is None:
            raise VideoError(f'frame {frame_id}: {path} cannot be read as an image')
    if item.ndim != 3 or item.shape[2] != 3 or item.dtype != np.uint8:
        raise VideoError(
            f'frame {frame_id}: expected an image (H, W, 3) of uint8, got '
            f'{item.shape} of {item.dtype}'
        )
    return Frame(item, path)


def check_size(frame: Frame, size: tuple[int, ...], frame_id: int) -> None:
    """Raise a VideoError unless a frame has the shape of the frames before it."""
    if frame.image.shape != size:
        height, width = frame.image.shape[:2]
        raise VideoError(
            f'frame {frame_id}{f" ({frame.path})" if frame.path else ""} has the size '
            f'{width}x{height}, the frames before it have {size[1]}x{size[0]}: the '
            'frames of a video must be of one size'
        )


def _natural_key(name: str) -> list[tuple[int, str]]:
    parts = re.split(r'(\d+)', name)  # every second one is a number
    return [(int(p), '') if i % 2 else (-1, p) for i, p in enumerate(parts)]


def _name(video: Any) -> str:
    return getattr(video, 'path', 'the video')
