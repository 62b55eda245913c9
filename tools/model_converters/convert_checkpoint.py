"""Convert a released checkpoint to a clean checkpoint of the plugin.

Takes checkpoints of the STPN authors' repositories (STPN, vfe.pytorch), Swin
Transformers and their COCO detectors of the Swin authors, mmdet's detectors, and timm's
Swin Transformers. The exit status is 1 if weights are missing or of the wrong shape.
"""

from __future__ import annotations

import argparse
import sys
from typing import Sequence

import stpn_plugin  # noqa: F401 (adapts the environment before mmtrack is imported)
from stpn_plugin.builders import load_config
from stpn_plugin.weights import convert_checkpoint


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('source', help='checkpoint to convert; it need not be trusted')
    parser.add_argument('target', help='checkpoint to write')
    parser.add_argument(
        '--config', help='config of the model that the checkpoint is to fit'
    )
    parser.add_argument(
        '--backbone-only',
        action='store_true',
        help='keep nothing but the backbone, e.g. of a COCO detector',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Convert as the command line says; returns the exit status."""
    args = parse_args(argv)
    config = load_config(args.config) if args.config else None
    conversion = convert_checkpoint(
        args.source, args.target, config, args.backbone_only
    )
    print(conversion.report())
    print(f'Written to {args.target}')
    return 0 if conversion.complete else 1


if __name__ == '__main__':
    sys.exit(main())
