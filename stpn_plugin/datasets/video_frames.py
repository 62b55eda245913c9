"""Frames of video files, exact and in any order, without extracting them.

A frame is named as if its video were a folder, ``clip.mp4/000012``: the frame that is
the thirteenth when the video is read from its start. OpenCV's ``CAP_PROP_POS_FRAMES``
finds another one where frames do not follow each other evenly.
"""

from __future__ import annotations

import os
import os.path as osp
import re
from bisect import bisect_right
from collections import OrderedDict
from typing import Any, NamedTuple

import cv2
import numpy as np

from .image_files import ImageError, check_regular

VIDEO_SUFFIXES = (
    *('.mp4', '.m4v', '.mov', '.mkv', '.webm', '.avi'),
    *('.mpg', '.mpeg', '.ts', '.mts', '.wmv', '.flv', '.3gp'),
)
_SUFFIX = '|'.join(map(re.escape, VIDEO_SUFFIXES))
_FRAME = re.compile(rf'(.+(?:{_SUFFIX}))[/\\]([0-9]{{1,9}})', re.I | re.S)
# Of these, a packet of the file is a frame, so that the packets tell all of them.
_PLAIN_SUFFIXES = ('.mp4', '.m4v', '.mov', '.mkv', '.webm')
_PLAIN_CODECS = (
    *('avc1', 'h264', 'hevc', 'hev1', 'hvc1', 'vp90', 'vp09', 'av01', 'mjpg'),
)

# In H.264, a message of a packet ("recovery point") that the picture will be right some
# frames later only. FFmpeg calls it a key frame all the same.
_REFRESH = re.compile(rb'\x00\x00\x01\x06\x06.[\x00-\x7f]', re.S)


class VideoFrame(NamedTuple):
    """A frame of a video file.

    Attributes:
        video: The file.
        number: Its number, from 0.
    """

    video: str
    number: int

    def __str__(self) -> str:
        return f'{self.video}/{self.number:06d}'


def as_video_frame(path: str) -> VideoFrame | None:
    """The frame that a name such as ``clip.mp4/000012`` stands for; None for images.

    Args:
        path: The name, with folders.
    """
    found = _FRAME.fullmatch(path)
    return VideoFrame(found[1], int(found[2])) if found else None


class FrameTimes(NamedTuple):
    """When the frames of a video are shown.

    Attributes:
        times: In microseconds, rising; None if no frame can be found by its time.
        keys: Numbers of frames from which decoding can start, rising.
        length: Number of frames.
        announced: Number of frames that the file announces, 0 if it does not.
    """

    times: list[int] | None
    keys: list[int]
    length: int
    announced: int


class VideoFrames:
    """The frames of a video file, in any order.

    A frame is known by its time, which the packets of the file tell without being
    decoded. Where they may not tell all, or do not prove true, the video is decoded
    once from its start.

    Args:
        path: The file.
        times: Of a file that was open before. Defaults to looking for them.
        count: Whether to decode the video once, which tells how many frames it has in
            any case. Defaults to False.

    Raises:
        ImageError: It is no video, damaged at its start, or not there.
    """

    def __init__(
        self, path: str, times: FrameTimes | None = None, count: bool = False
    ) -> None:
        self.path = path
        check_regular(path)
        if not osp.exists(path):
            raise ImageError('there is no such file')
        self._capture = _open(path)
        self._at = -1  # the frame that was grabbed last
        self._all_decoded = False
        self._is_refreshed = False  # without key frames to start from
        if times is None:
            times = self._times_of_packets()
        self.times = self._times_of_frames() if count or not times else times

    def __len__(self) -> int:
        return self.times.length

    def read(self, number: int) -> np.ndarray:
        """Decode a frame.

        Args:
            number: Its number, from 0.

        Returns:
            The frame (H, W, 3), BGR, uint8.

        Raises:
            ImageError: There is no such frame, or it cannot be decoded.
        """
        image = self._decode(number)
        if image is None and not self._all_decoded:
            self.times = self._times_of_frames()
            image = self._decode(number)
        if image is not None:
            return image
        length, announced = len(self), self.times.announced
        if 0 <= number < length:
            raise ImageError(f'its frame {number} cannot be decoded: it is damaged')
        more = ''
        if announced > length:
            more = f' of {announced} that it announces: it may be cut short or damaged'
        raise ImageError(f'there is no frame {number}, it has {length} frames{more}')

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def _decode(self, number: int) -> np.ndarray | None:
        if not (0 <= number < len(self) and self._go_to(number)):
            return None
        is_right, image = self._capture.retrieve()
        return image if is_right else None

    def _go_to(self, number: int) -> bool:
        """Grab a frame; False if it does not come where it should."""
        times = self.times.times
        keys = self.times.keys
        key = keys[bisect_right(keys, number) - 1]
        if self._at == number:
            return True
        if min(key, number - _LOOK_BACK) <= self._at < number:
            if self._grab_until(number):
                return True
        # OpenCV goes to where it takes a time to be, and that may be too far.
        for start in (number, key) if times else ():
            self._capture.set(cv2.CAP_PROP_POS_MSEC, times[start] / 1000)  # type: ignore[index]
            self._at = -1
            if self._grab() and self._grab_until(number):
                return True
        self._capture.release()
        self._capture, self._at = _open(self.path), -1
        return self._grab_until(number)

    def _grab_until(self, number: int) -> bool:
        while self._at < number:
            if not self._grab():
                return False
        return self._at == number

    def _grab(self) -> bool:
        """Decode the next frame, and find out which it is."""
        if not self._capture.grab():
            return False
        times = self.times.times
        if times is None:
            self._at += 1
            return True
        place = bisect_right(times, _time(self._capture)) - 1
        if place < 0 or times[place] != _time(self._capture):
            self._at = self.times.length  # one that should not be
            return False
        self._at = place
        return True

    def _times_of_packets(self) -> FrameTimes | None:
        """Times that the packets tell, or None if they may not tell all."""
        code = int(self._capture.get(cv2.CAP_PROP_FOURCC))
        codec = code.to_bytes(4, 'little', signed=False).decode('latin-1').lower()
        is_plain = self.path.lower().endswith(_PLAIN_SUFFIXES)
        if not is_plain or codec not in _PLAIN_CODECS or not self._capture.grab():
            return None
        first = _time(self._capture)
        self._at = 0
        packets = cv2.VideoCapture(self.path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
        found = []
        while packets.grab():
            is_key = packets.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME) > 0
            if is_key and _REFRESH.search(packets.retrieve()[1].tobytes()):
                self._is_refreshed = True
                return None
            found.append((_time(packets), is_key))
        packets.release()
        # Those before the first frame are there to decode others, and are not shown.
        shown = sorted(packet for packet in found if packet[0] >= first)
        times = [time for time, _ in shown]
        if not times or times[0] != first or len(set(times)) < len(times):
            return None
        keys = [number for number, (_, is_key) in enumerate(shown) if is_key]
        return FrameTimes(times, sorted({0, *keys}), len(times), self._announced())

    def _times_of_frames(self) -> FrameTimes:
        """Times of all frames, which are decoded for that."""
        self._capture.release()
        self._capture, self._at = _open(self.path), -1
        times = []
        while self._capture.grab():
            times.append(_time(self._capture))
        self._at = len(times)
        self._all_decoded = True
        if not times:
            raise ImageError('no frame of it can be decoded')
        rising = all(a < b for a, b in zip(times, times[1:]))
        usable = times if rising and not self._is_refreshed else None
        return FrameTimes(usable, [0], len(times), self._announced())

    def _announced(self) -> int:
        return max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))


#: OpenCV decodes at least so many frames before the one that it goes to.
_LOOK_BACK = 16


def _open(path: str) -> cv2.VideoCapture:
    # One thread: processes that load data are many, and those forked have no others.
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        capture = cv2.VideoCapture(path)  # as it would be extracted
    if not capture.isOpened():
        raise ImageError(
            'it cannot be opened as a video: it is damaged or cut short, or of a '
            'format that OpenCV does not read'
        )
    return capture


def _time(capture: cv2.VideoCapture) -> int:
    return round(1000 * capture.get(cv2.CAP_PROP_POS_MSEC))


class VideoFrameReader:
    """Reads frames of many videos by their names, with few files open at a time.

    Copies, such as those in processes that load data, open files of their own.

    Args:
        max_open: Number of files that stay open. Defaults to 8.
    """

    def __init__(self, max_open: int = 8) -> None:
        if max_open < 1:
            raise ValueError(f'max_open must be >= 1, got {max_open}')
        self.max_open = max_open
        self._videos: OrderedDict[str, VideoFrames] = OrderedDict()
        self._times: dict[str, tuple[tuple, FrameTimes]] = {}
        self._process = os.getpid()

    def read(self, frame: VideoFrame) -> np.ndarray:
        """Read a frame.

        Args:
            frame: The frame.

        Returns:
            The frame (H, W, 3), BGR, uint8.

        Raises:
            ImageError: It cannot be read. The message does not name the file.
        """
        return self._open(frame.video).read(frame.number)

    def _open(self, path: str) -> VideoFrames:
        if os.getpid() != self._process:  # forked: the files are those of the parent
            self._videos, self._process = OrderedDict(), os.getpid()
        if path not in self._videos:
            while len(self._videos) >= self.max_open:
                name, video = self._videos.popitem(last=False)
                video.close()
                self._times[name] = _state(name), video.times
            state, times = self._times.get(path, (None, None))
            if state != _state(path):
                times = None
            self._videos[path] = VideoFrames(path, times)
        self._videos.move_to_end(path)
        return self._videos[path]

    def __getstate__(self) -> dict[str, Any]:
        return dict(max_open=self.max_open)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def _state(path: str) -> tuple:
    try:
        found = os.stat(path)
    except OSError:
        return (path,)
    return (path, found.st_mtime_ns, found.st_size)
