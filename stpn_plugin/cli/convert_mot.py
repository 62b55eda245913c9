"""Convert sequences of the MOT challenge to CocoVID.

The exit status is 1 if what was written has faults.
"""

from __future__ import annotations

from ..datasets.converters.readers import read_mot
from .command import Command
from .converting_sets import SetOptions


def run(options: SetOptions) -> int:
    """Convert; returns the exit status."""
    return options.convert(lambda: read_mot(options.source, options.images))


main = Command(__doc__, SetOptions, run)
