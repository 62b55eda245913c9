"""Convert ImageNet VID to imagenet_vid_train.json and imagenet_vid_val.json."""

from __future__ import annotations

from typing import Sequence

from stpn_plugin.datasets.converters import convert_vid
from stpn_plugin.datasets.converters.command_line import run_converter


def main(argv: Sequence[str] | None = None) -> None:
    """Convert as the command line says and print a summary."""
    print(run_converter(convert_vid, __doc__, argv))


if __name__ == '__main__':
    main()
