"""Objects of a video in the order of their tracks."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...datasets.converters import Clip, LabelledObject


class Track(NamedTuple):
    """An object over a video.

    Attributes:
        category: Name of its class.
        objects: Frame, from 0, and what it is there.
    """

    category: str
    objects: list[tuple[int, LabelledObject]]


def tracks_of(clip: Clip) -> list[Track]:
    """The tracks of a video; an object that is in no track is one by itself."""
    tracks: dict[Any, Track] = {}
    for frame, image in enumerate(clip.images):
        for number, item in enumerate(image.objects):
            # Trackers may take a track for one class here and another there.
            key: Any = (item.category, item.track)
            if item.track is None or _seen(tracks.get(key), frame):
                key = (frame, number, None)
            track = tracks.setdefault(key, Track(item.category, []))
            track.objects.append((frame, item))
    return list(tracks.values())


def _seen(track: Track | None, frame: int) -> bool:
    return track is not None and track.objects[-1][0] == frame
