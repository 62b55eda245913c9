"""Plot precision over recall, of one results file or several."""

from __future__ import annotations

from dataclasses import dataclass

from ..evaluation import MOTION_RANGES
from ..visualization import (
    mean_precision,
    per_class_precision,
    plot_precision_recall,
    save_figure,
)
from .command import Command, flag, option
from .saved_runs import SavedRunsOptions
from .values import iou


@dataclass
class Options(SavedRunsOptions):
    """What to plot."""

    iou_thr: float = option('IoU threshold, default: %(default)s', 0.5, type=iou)
    classes: list[str] | None = option(
        'plot these classes instead of the mean; without names, all that have objects',
        nargs='*',
        exclusive='curves',
    )
    speeds: bool = flag('plot the mean for every motion speed', exclusive='curves')
    out: str = option(
        'picture to write, default: %(default)s', default='pr.png', output=True
    )


def run(options: Options) -> None:
    """Plot."""
    curves = {}
    runs = options.load_runs()
    for run in runs:
        prefix = f'{run.name}, ' if len(runs) > 1 else ''
        if options.classes is not None:
            by_class = per_class_precision(run, options.classes, options.iou_thr)
            curves.update({prefix + name: curve for name, curve in by_class.items()})
        elif options.speeds:
            for name, limits in MOTION_RANGES.items():
                curves[prefix + name] = mean_precision(run, options.iou_thr, limits)
        else:
            curves[run.name] = mean_precision(run, options.iou_thr)
    title = 'Precision and recall'
    if options.classes is None:
        title += ', mean over the classes'
    save_figure(plot_precision_recall(curves, title, options.iou_thr), options.out)
    print(f'Figure written to {options.out}')


main = Command(__doc__, Options, run)
