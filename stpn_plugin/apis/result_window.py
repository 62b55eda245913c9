"""A window that shows results while they are made."""

from __future__ import annotations

import os
import re
import sys

import cv2
import numpy as np
from mmtrack.structures import TrackDataSample

from .result_writers import ResultWriter

_STOP_KEYS = (ord('q'), 27)  # Esc


def check_windows() -> None:
    """Raise a ValueError unless OpenCV can open a window here."""
    if re.search(r'GUI:\s*NONE', cv2.getBuildInformation()):
        raise ValueError(
            'no window can be shown: the installed OpenCV has none; put opencv-python '
            'in the place of opencv-python-headless, or write a video'
        )
    displays = ('DISPLAY', 'WAYLAND_DISPLAY')
    if sys.platform == 'linux' and not any(os.environ.get(name) for name in displays):
        raise ValueError(
            'no window can be shown: there is no display (DISPLAY is not set)'
        )


class ResultWindow(ResultWriter):
    """Shows the frames that it is given in a window, until q or Esc is pressed.

    Args:
        path: Title of the window.

    Raises:
        ValueError: OpenCV cannot open a window here.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        check_windows()
        try:
            cv2.namedWindow(path, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error as error:
            raise ValueError(f'no window can be shown: {error}') from error

    def write(self, image: np.ndarray, result: TrackDataSample) -> None:
        """Show a frame.

        Args:
            image: The frame (H, W, 3), BGR.
            result: Its detections.

        Raises:
            KeyboardInterrupt: The user has pressed q or Esc.
        """
        cv2.imshow(self.path, image)
        self.num_frames += 1
        if cv2.waitKey(1) & 0xFF in _STOP_KEYS:
            raise KeyboardInterrupt

    def _keep(self) -> None:
        self.discard()

    def discard(self) -> None:
        """Close the window."""
        cv2.destroyWindow(self.path)
