"""Sort the errors of saved predictions by kind, and tell how much AP each costs.

The kinds are those of TIDE (Bolya et al., ECCV 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..evaluation import error_breakdown
from ..utils import text_table, write_json
from ..visualization import plot_error_breakdown, save_figure
from .command import Command, option
from .saved_runs import SavedRunsOptions
from .values import iou


@dataclass
class Options(SavedRunsOptions):
    """What counts as which error, and what to write."""

    iou_thr: float = option(
        'least IoU of a match, default: %(default)s', default=0.5, type=iou
    )
    background_iou: float = option(
        'highest IoU of a detection of nothing, default: %(default)s',
        default=0.1,
        type=iou,
    )
    out: str | None = option('save the numbers', metavar='FILE.json', output=True)
    figure: str | None = option(
        'plot the AP they cost', metavar='FILE.png', output=True
    )


def run(options: Options) -> None:
    """Analyse."""
    thresholds = options.iou_thr, options.background_iou
    breakdowns = {
        run.name: error_breakdown(run.gts, run.dets, len(run.classes), *thresholds)
        for run in options.load_runs()
    }
    for name, errors in breakdowns.items():
        rows = [('error', 'number', 'AP gained if mended')]
        rows += [
            (kind, f'{errors.counts[kind]:,}', f'{delta_ap:.4f}')
            for kind, delta_ap in errors.delta_ap.items()
        ]
        rows.append(('false positives', '', f'{errors.false_positive_delta_ap:.4f}'))
        rows.append(('false negatives', '', f'{errors.false_negative_delta_ap:.4f}'))
        print(f'{name}: AP{100 * options.iou_thr:g} {errors.ap:.4f}')
        print(text_table(rows))
    if options.figure:
        save_figure(plot_error_breakdown(breakdowns), options.figure)
        print(f'Figure written to {options.figure}')
    if options.out:
        numbers = {name: errors._asdict() for name, errors in breakdowns.items()}
        write_json(options.out, numbers)
        print(f'Numbers written to {options.out}')


main = Command(__doc__, Options, run)
