"""Plot training curves from the logs of mmengine, of one training run or several.

Parts of a training that was resumed are one curve. Trainings that only share a work dir
are curves of their own, named by the folders in which they start.
"""

from __future__ import annotations

import os.path as osp
from dataclasses import dataclass

from ..utils import name_runs
from ..visualization import load_named_trainings, plot_training_curves, save_figure
from .command import BaseOptions, Command, argument, option


@dataclass
class Options(BaseOptions):
    """What to plot."""

    logs: list[str] = argument(
        'work dirs of training runs, or their */vis_data/scalars.json'
    )
    names: list[str] | None = option('names for the legend, default: ends of the paths')
    keys: list[str] | None = option('what to plot, e.g. loss lr, default: all')
    smooth: float = option(
        'smooth training curves: in [0, 1), how much the past weighs, default: 0',
        default=0.0,
        metavar='WEIGHT',
    )
    out: str = option(
        'picture to write, default: %(default)s', default='logs.png', output=True
    )


def _folder(path: str) -> str:
    """Folder that tells a run from others: a work dir, or that of one of its starts."""
    path = osp.abspath(path)
    return path if osp.isdir(path) else osp.dirname(osp.dirname(path))


def run(options: Options) -> None:
    """Plot."""
    names = name_runs([_folder(path) for path in options.logs], options.names)
    runs = load_named_trainings(dict(zip(names, options.logs)))
    figure = plot_training_curves(runs, options.keys, options.smooth)
    save_figure(figure, options.out)
    print(f'Figure written to {options.out}')


main = Command(__doc__, Options, run)
