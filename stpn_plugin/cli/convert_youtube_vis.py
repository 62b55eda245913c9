"""Convert annotations of YouTube-VIS, with masks, to CocoVID.

The exit status is 1 if what was written has faults.
"""

from __future__ import annotations

from ..datasets.converters.readers import read_youtube_vis
from .command import Command
from .converting_sets import SetOptions


def run(options: SetOptions) -> int:
    """Convert; returns the exit status."""
    return options.convert(lambda: read_youtube_vis(options.source, options.images))


main = Command(__doc__, SetOptions, run)
