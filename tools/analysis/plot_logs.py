"""Plot training curves from the logs of mmengine, of one training run or several.

Parts of a training that was resumed are one curve. Trainings that only share a work dir
are curves of their own, named by the folders in which they start.
"""

from __future__ import annotations

import argparse
import os.path as osp
from typing import Sequence

from stpn_plugin.utils import name_runs
from stpn_plugin.visualization import (
    load_named_trainings,
    plot_training_curves,
    save_figure,
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'logs',
        nargs='+',
        help='work dirs of training runs, or their */vis_data/scalars.json',
    )
    parser.add_argument(
        '--names', nargs='+', help='names for the legend, default: ends of the paths'
    )
    parser.add_argument(
        '--keys', nargs='+', help='what to plot, e.g. loss lr, default: all'
    )
    parser.add_argument(
        '--smooth',
        type=float,
        default=0.0,
        metavar='WEIGHT',
        help='smooth training curves: in [0, 1), how much the past weighs, default: 0',
    )
    parser.add_argument(
        '--out', default='logs.png', help='picture to write, default: %(default)s'
    )
    args = parser.parse_args(argv)
    try:
        args.names = name_runs([_folder(path) for path in args.logs], args.names)
    except ValueError as error:
        parser.error(str(error))
    return args


def _folder(path: str) -> str:
    """Folder that tells a run from others: a work dir, or that of one of its starts."""
    path = osp.abspath(path)
    return path if osp.isdir(path) else osp.dirname(osp.dirname(path))


def main(argv: Sequence[str] | None = None) -> None:
    """Plot as the command line says."""
    args = parse_args(argv)
    runs = load_named_trainings(dict(zip(args.names, args.logs)))
    save_figure(plot_training_curves(runs, args.keys, args.smooth), args.out)
    print(f'Figure written to {args.out}')


if __name__ == '__main__':
    main()
