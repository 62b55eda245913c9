"""Convert object tracks of Label Studio (JSON export) to CocoVID.

The exit status is 1 if what was written has faults.
"""

from __future__ import annotations

from ..datasets.converters.readers import read_label_studio
from .command import Command
from .converting_sets import VideoSetOptions


def run(options: VideoSetOptions) -> int:
    """Convert; returns the exit status."""
    frames = options.read_videos()
    return options.convert(
        lambda: read_label_studio(options.source, options.folder, frames)
    )


main = Command(__doc__, VideoSetOptions, run)
