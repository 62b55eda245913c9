"""Plot precision over recall, of one results file or several."""

from __future__ import annotations

import argparse
from typing import Sequence

import stpn_plugin  # noqa: F401 (adapts the environment before mmtrack is imported)
from stpn_plugin.cli.saved_runs import (
    add_saved_run_arguments,
    iou,
    load_saved_runs,
)
from stpn_plugin.evaluation import MOTION_RANGES
from stpn_plugin.visualization import (
    mean_precision,
    per_class_precision,
    plot_precision_recall,
    save_figure,
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_saved_run_arguments(parser, several=True)
    parser.add_argument(
        '--iou-thr', type=iou, default=0.5, help='IoU threshold, default: 0.5'
    )
    curves = parser.add_mutually_exclusive_group()
    curves.add_argument(
        '--classes',
        nargs='*',
        help='plot these classes instead of the mean; without names, all that have '
        'objects',
    )
    curves.add_argument(
        '--speeds',
        action='store_true',
        help='plot the mean for every motion speed',
    )
    parser.add_argument(
        '--out', default='pr.png', help='picture to write, default: %(default)s'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Plot as the command line says."""
    args = parse_args(argv)
    curves = {}
    runs = load_saved_runs(args)
    for run in runs:
        prefix = f'{run.name}, ' if len(runs) > 1 else ''
        if args.classes is not None:
            by_class = per_class_precision(run, args.classes, args.iou_thr)
            curves.update({prefix + name: curve for name, curve in by_class.items()})
        elif args.speeds:
            for name, limits in MOTION_RANGES.items():
                curves[prefix + name] = mean_precision(run, args.iou_thr, limits)
        else:
            curves[run.name] = mean_precision(run, args.iou_thr)
    title = 'Precision and recall'
    if args.classes is None:
        title += ', mean over the classes'
    save_figure(plot_precision_recall(curves, title, args.iou_thr), args.out)
    print(f'Figure written to {args.out}')


if __name__ == '__main__':
    main()
