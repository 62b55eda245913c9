"""Plot what objects of each class are detected as."""

from __future__ import annotations

from dataclasses import dataclass

from ..visualization import plot_confusion_matrix, save_figure
from .command import Command, option
from .saved_runs import SavedRunOptions
from .values import iou, score


@dataclass
class Options(SavedRunOptions):
    """What to plot."""

    iou_thr: float = option(
        'least IoU of a detection with its object, default: %(default)s', 0.5, type=iou
    )
    score_thr: float = option(
        'leave out detections of lower scores, default: %(default)s',
        0.3,
        type=score,
    )
    out: str = option(
        'picture to write, default: %(default)s', default='confusion.png', output=True
    )


def run(options: Options) -> None:
    """Plot."""
    run = options.load_run()
    figure = plot_confusion_matrix(run, options.iou_thr, options.score_thr)
    save_figure(figure, options.out)
    print(f'Figure written to {options.out}')


main = Command(__doc__, Options, run)
