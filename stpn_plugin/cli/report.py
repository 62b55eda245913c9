"""Write one report on a detector as an HTML file that needs no other file.

It has the accuracy by motion speed, precision and recall, the kinds of errors, the
confusion of classes and the worst frames; with a work dir the training curves, and with
a checkpoint the attention of the prompts and the detections with and without them.
"""

from __future__ import annotations

from dataclasses import dataclass

from mmengine.device import get_device

from ..visualization import write_report
from .command import Command, option
from .saved_runs import SavedRunsOptions
from .values import device, positive


@dataclass
class Options(SavedRunsOptions):
    """What the report is to have."""

    work_dirs: list[str] | None = option(
        'work dirs of training runs, for the training curves', metavar='DIR'
    )
    checkpoint: str | None = option('weights, to look at the prompts')
    video: str | None = option(
        'video to look at with --checkpoint, default: the first one'
    )
    number: int = option(
        'how many of its frames, the least sharp ones, default: %(default)s',
        default=4,
        type=positive,
    )
    device: str = option(
        'where to run, default: %(default)s', default=get_device(), type=device
    )
    out: str = option(
        'file to write, default: %(default)s', default='report.html', output=True
    )


def run(options: Options) -> None:
    """Report."""
    missing = write_report(
        options.out,
        options.read_config(),
        options.load_runs(),
        options.work_dirs or [],
        options.checkpoint,
        options.video,
        options.number,
        options.device,
        options.command,
    )
    print(f'Report written to {options.out}')
    if missing:
        print(f'Not included, for reasons given there: {", ".join(missing)}')


main = Command(__doc__, Options, run)
