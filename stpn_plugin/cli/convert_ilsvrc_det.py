"""Convert the training images of ImageNet DET to imagenet_det_30plus1cls.json."""

from __future__ import annotations

from ..datasets.converters import convert_det
from .command import Command
from .converting import ConverterOptions


def run(options: ConverterOptions) -> None:
    """Convert."""
    options.convert(convert_det)


main = Command(__doc__, ConverterOptions, run)
