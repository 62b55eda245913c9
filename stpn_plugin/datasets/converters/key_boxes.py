"""Tracks that are drawn in some frames, and lie between in the others."""

from __future__ import annotations

from typing import NamedTuple, Sequence


class KeyBox(NamedTuple):
    """A box that was drawn.

    Attributes:
        frame: Its frame, counted from 0.
        bbox: Left, top, width and height.
        visible: Whether the object can be seen from here to the next key box.
        occluded: Whether it is partly hidden.
    """

    frame: int
    bbox: tuple[float, float, float, float]
    visible: bool = True
    occluded: bool = False


def fill_in(keys: Sequence[KeyBox], num_frames: int) -> list[KeyBox]:
    """Boxes of a track in all frames in which it can be seen.

    Between two key boxes all coordinates change evenly; behind the last one the box
    stays until the video ends, unless the object cannot be seen.

    Args:
        keys: Key boxes.
        num_frames: Frames of the video.

    Returns:
        A box for each frame, by frame.
    """
    keys = sorted(keys, key=lambda key: key.frame)
    found = []
    for i, key in enumerate(keys):
        if not key.visible:
            continue
        following = keys[i + 1] if i + 1 < len(keys) else None
        end = num_frames if following is None else following.frame
        for frame in range(key.frame, min(end, num_frames)):
            bbox = key.bbox
            if following is not None and following.visible:
                part = (frame - key.frame) / (following.frame - key.frame)
                pairs = zip(key.bbox, following.bbox)
                x, y, w, h = (a + part * (b - a) for a, b in pairs)
                bbox = (x, y, w, h)
            found.append(key._replace(frame=frame, bbox=bbox))
    return found
