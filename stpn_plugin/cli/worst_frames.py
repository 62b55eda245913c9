"""Show the frames of saved predictions on which the detector does worst.

The score of a frame is the confidence in right detections, divided by the number of
objects plus the confidence in wrong ones. The worst frame of every video comes before
the second worst of any.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..visualization import plot_worst_frames, save_figure
from .command import Command, option
from .saved_runs import SavedRunOptions
from .values import positive, score


@dataclass
class Options(SavedRunOptions):
    """What to draw, and where to."""

    number: int = option(
        'how many frames, default: %(default)s', default=12, type=positive
    )
    score_thr: float = option(
        'draw detections of this score or more, default: %(default)s',
        default=0.3,
        type=score,
    )
    out: str = option(
        'picture, default: %(default)s', default='worst_frames.png', output=True
    )


def run(options: Options) -> None:
    """Draw."""
    figure = plot_worst_frames(options.load_run(), options.number, options.score_thr)
    save_figure(figure, options.out)
    print(f'Figure written to {options.out}')


main = Command(__doc__, Options, run)
