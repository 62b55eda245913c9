"""Convert the training images of ImageNet DET to imagenet_det_30plus1cls.json."""

from __future__ import annotations

from typing import Sequence

from stpn_plugin.datasets.converters import convert_det
from stpn_plugin.datasets.converters.command_line import run_converter


def main(argv: Sequence[str] | None = None) -> None:
    """Convert as the command line says and print a summary."""
    print(run_converter(convert_det, __doc__, argv))


if __name__ == '__main__':
    main()
