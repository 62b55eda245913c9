"""Strip a checkpoint of training state, and name it after its content."""

from __future__ import annotations

from dataclasses import dataclass

from ..weights import publish_checkpoint
from .command import BaseOptions, Command, argument


@dataclass
class Options(BaseOptions):
    """What to publish."""

    source: str = argument('checkpoint that training wrote')
    target: str = argument('e.g. stpn.pth, which gives stpn-<start of SHA-256>.pth')


def run(options: Options) -> None:
    """Publish."""
    print(f'Written to {publish_checkpoint(options.source, options.target)}')


main = Command(__doc__, Options, run)
