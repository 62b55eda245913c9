"""Convert a released checkpoint to a clean checkpoint of the plugin.

Takes checkpoints of the STPN authors' repositories (STPN, vfe.pytorch), Swin
Transformers and their COCO detectors of the Swin authors, mmdet's detectors, and timm's
Swin Transformers. The exit status is 1 if weights are missing or of the wrong shape.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..builders import load_config
from ..weights import convert_checkpoint
from .command import BaseOptions, Command, argument, flag, option


@dataclass
class Options(BaseOptions):
    """What to convert, and for which model."""

    source: str = argument('checkpoint to convert; it need not be trusted')
    target: str = argument('checkpoint to write', output=True)
    config: str | None = option('config of the model that the checkpoint is to fit')
    backbone_only: bool = flag('keep nothing but the backbone, e.g. of a COCO detector')


def run(options: Options) -> int:
    """Convert; returns the exit status.

    Raises:
        ValueError: The target would be a config.
    """
    if options.target.endswith('.py'):
        raise ValueError(f'{options.target} is the name of a config, not a checkpoint')
    config = load_config(options.config) if options.config else None
    conversion = convert_checkpoint(
        options.source, options.target, config, options.backbone_only
    )
    print(conversion.report())
    print(f'Written to {options.target}')
    return 0 if conversion.complete else 1


main = Command(__doc__, Options, run)
