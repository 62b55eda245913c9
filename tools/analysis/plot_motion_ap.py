"""Plot AP by motion speed as bars, of one results file or several."""

from __future__ import annotations

import argparse
import math
from typing import Sequence

import stpn_plugin  # noqa: F401 (adapts the environment before mmtrack is imported)
from stpn_plugin.cli.saved_runs import (
    add_saved_run_arguments,
    iou,
    load_saved_runs,
)
from stpn_plugin.visualization import motion_aps, plot_motion_ap, save_figure


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_saved_run_arguments(parser, several=True)
    parser.add_argument(
        '--iou-thr', type=iou, default=0.5, help='IoU threshold, default: 0.5'
    )
    parser.add_argument(
        '--out', default='motion_ap.png', help='picture to write, default: %(default)s'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Plot as the command line says."""
    args = parse_args(argv)
    aps = {run.name: motion_aps(run, args.iou_thr) for run in load_saved_runs(args)}
    save_figure(plot_motion_ap(aps, args.iou_thr), args.out)
    for name, by_range in aps.items():
        values = ', '.join(
            f'{r} none' if math.isnan(ap) else f'{r} {100 * ap:.1f}'
            for r, ap in by_range.items()
        )
        print(f'{name}: {values}')
    print(f'Figure written to {args.out}')


if __name__ == '__main__':
    main()
