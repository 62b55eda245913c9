"""Convert boxes and polygons of YOLO (Ultralytics' layout) to CocoVID.

The exit status is 1 if what was written has faults.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..datasets.converters.readers import read_yolo
from .command import Command, flag
from .converting_sets import SetOptions


@dataclass
class Options(SetOptions):
    """What to convert."""

    as_videos: bool = flag('each folder of images is a video, its images are frames')


def run(options: Options) -> int:
    """Convert; returns the exit status."""
    return options.convert(
        lambda: read_yolo(options.source, options.images, options.as_videos)
    )


main = Command(__doc__, Options, run)
