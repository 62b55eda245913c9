"""Convert ImageNet VID to imagenet_vid_train.json and imagenet_vid_val.json."""

from __future__ import annotations

from ..datasets.converters import convert_vid
from .command import Command
from .converting import ConverterOptions


def run(options: ConverterOptions) -> None:
    """Convert."""
    options.convert(convert_vid)


main = Command(__doc__, ConverterOptions, run)
