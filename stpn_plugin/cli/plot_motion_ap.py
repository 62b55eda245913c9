"""Plot AP by motion speed as bars, of one results file or several."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..visualization import motion_aps, plot_motion_ap, save_figure
from .command import Command, option
from .saved_runs import SavedRunsOptions
from .values import iou


@dataclass
class Options(SavedRunsOptions):
    """What to plot."""

    iou_thr: float = option('IoU threshold, default: %(default)s', 0.5, type=iou)
    out: str = option(
        'picture to write, default: %(default)s', default='motion_ap.png', output=True
    )


def run(options: Options) -> None:
    """Plot."""
    aps = {run.name: motion_aps(run, options.iou_thr) for run in options.load_runs()}
    save_figure(plot_motion_ap(aps, options.iou_thr), options.out)
    for name, by_range in aps.items():
        values = ', '.join(
            f'{r} none' if math.isnan(ap) else f'{r} {100 * ap:.1f}'
            for r, ap in by_range.items()
        )
        print(f'{name}: {values}')
    print(f'Figure written to {options.out}')


main = Command(__doc__, Options, run)
