"""Strip a checkpoint of training state, and name it after its content."""

from __future__ import annotations

import argparse
from typing import Sequence

import stpn_plugin  # noqa: F401 (adapts the environment before mmtrack is imported)
from stpn_plugin.weights import publish_checkpoint


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('source', help='checkpoint that training wrote')
    parser.add_argument(
        'target', help='e.g. stpn.pth, which gives stpn-<start of SHA-256>.pth'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Publish as the command line says."""
    args = parse_args(argv)
    print(f'Written to {publish_checkpoint(args.source, args.target)}')


if __name__ == '__main__':
    main()
