"""Plot training curves from the logs of mmengine, of one training run or several."""

from __future__ import annotations

import argparse
import os.path as osp
from typing import Sequence

from stpn_plugin.visualization import load_curves, plot_training_curves, save_figure


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'logs',
        nargs='+',
        help='work dirs of training runs, or their */vis_data/scalars.json',
    )
    parser.add_argument(
        '--names', nargs='+', help='names for the legend, default: the paths'
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
    if args.names and len(args.names) != len(args.logs):
        parser.error(f'{len(args.logs)} logs, but {len(args.names)} --names')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Plot as the command line says."""
    args = parse_args(argv)
    names = args.names or [osp.normpath(path) for path in args.logs]
    runs = {name: load_curves(path) for name, path in zip(names, args.logs)}
    save_figure(plot_training_curves(runs, args.keys, args.smooth), args.out)
    print(f'Figure written to {args.out}')


if __name__ == '__main__':
    main()
