"""Export a trained model as ONNX, or as programs of torch.export."""

from __future__ import annotations

import os.path as osp
from dataclasses import dataclass

from ..deploy import export_model
from ..utils import check_writable
from .command import Command, argument, flag, option
from .configs import ConfigOptions


@dataclass
class Options(ConfigOptions):
    """What to export."""

    checkpoint: str = argument('checkpoint file or URL')
    out: str = option(
        'folder to write to, which does not exist',
        flags=('-o', '--out'),
        metavar='DIR',
        required=True,
        output=True,
    )
    format: str = option(
        'default: %(default)s', default='onnx', choices=['onnx', 'torch']
    )
    maps: bool = flag(
        'end with the feature maps that go into the heads, in place of detections'
    )


def run(options: Options) -> None:
    """Export.

    Raises:
        ExportError: The model cannot be exported.
        MissingPackageError: A package is missing.
        OSError: A file does not exist, or the folder does or cannot be written.
        ValueError: The checkpoint does not fit.
    """
    cfg = options.read_config()
    if not osp.lexists(options.out):
        check_writable(options.out)  # before the long work
    names = export_model(
        cfg, options.checkpoint, options.out, options.format, options.maps
    )
    for name in names:
        print(f'Written to {osp.join(options.out, name)}')


main = Command(__doc__, Options, run)
