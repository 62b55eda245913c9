"""Encoders of videos that browsers play.

H.264 plays everywhere, so it comes first: PyAV brings an encoder (optional, ``pip
install av``), and some builds of OpenCV have one. The OpenCV of PyPI has none, but
writes VP9, which browsers play as well. They refuse ``mp4v``, OpenCV's usual one.
"""

from __future__ import annotations

import contextlib
import os
import sys
from fractions import Fraction
from typing import Any, Iterator, Protocol

import cv2
import numpy as np

try:
    import av
except ImportError:
    av = None

#: Four-character codes that OpenCV is asked for, by the ending of a file, best first.
CODECS = {
    '.mp4': ('avc1', 'vp09'),
    '.webm': ('VP90',),
    '.mkv': ('mp4v',),  # not for browsers, and quick
    '.avi': ('MJPG',),
}
_H264_ENCODERS = ('libx264', 'libopenh264')


class Encoder(Protocol):
    """Writes the frames of one video."""

    def write(self, image: np.ndarray) -> Any:
        """Add a frame (H, W, 3), BGR."""

    def release(self) -> Any:
        """Complete the file."""


def open_encoder(path: str, fps: float, size: tuple[int, int]) -> Encoder:
    """Open the best encoder that there is for a file, found by trying.

    Args:
        path: The file. Its ending is one of :data:`CODECS`.
        fps: Frames per second.
        size: Width and height of the frames in pixels. Encoders leave out the last
            column or row of odd ones.

    Returns:
        The encoder.

    Raises:
        OSError: There is none, or the file cannot be written.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix == '.mp4':
        for name in _H264_ENCODERS:
            if av is not None and name in av.codecs_available:
                return H264Encoder(path, fps, size, name)
    for code in CODECS[suffix]:
        with _quiet():
            video = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*code), fps, size)
        if video.isOpened():
            return video
    raise OSError(
        f'OpenCV cannot write {" or ".join(CODECS[suffix])} of {size[0]} x {size[1]} '
        f'pixels in {suffix}; "pip install av" brings an encoder for .mp4'
    )


class H264Encoder:
    """H.264 by PyAV, in a file that plays while it is loaded.

    Args:
        path: The file.
        fps: Frames per second.
        size: Width and height of the frames in pixels.
        encoder: Name of FFmpeg's encoder.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(
        self, path: str, fps: float, size: tuple[int, int], encoder: str
    ) -> None:
        self._size = size
        self._container = av.open(path, 'w', options={'movflags': '+faststart'})
        rate = Fraction(fps).limit_denominator(1001)
        self._stream = self._container.add_stream(encoder, rate=rate)
        self._stream.width, self._stream.height = (side - side % 2 for side in size)
        self._stream.pix_fmt = 'yuv420p'  # others play in few browsers
        if encoder == 'libx264':
            self._stream.options = {'preset': 'veryfast', 'crf': '20'}

    def write(self, image: np.ndarray) -> None:
        """Add a frame (H, W, 3), BGR; of another size than the video it is lost."""
        if image.shape[1::-1] != self._size:
            return  # as OpenCV does; whoever reads the file back, misses it
        image = image[: self._stream.height, : self._stream.width]
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format='bgr24')
        self._container.mux(self._stream.encode(frame))

    def release(self) -> None:
        """Complete the file."""
        try:
            self._container.mux(self._stream.encode())
        finally:
            self._container.close()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep from the terminal what FFmpeg says of each codec that it does not have."""
    try:
        sys.stderr.flush()
        stderr = os.dup(2)
    except (OSError, ValueError, AttributeError):  # there is no terminal to spare
        yield
        return
    try:
        with open(os.devnull, 'wb') as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
