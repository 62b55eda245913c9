"""Sort the errors of saved predictions by kind, and tell how much AP each costs.

The kinds are those of TIDE (Bolya et al., ECCV 2020).
"""

from __future__ import annotations

import argparse
from typing import Sequence

import stpn_plugin  # noqa: F401 (adapts the environment before mmtrack is imported)
from stpn_plugin.cli.saved_runs import (
    add_saved_run_arguments,
    iou,
    load_saved_runs,
)
from stpn_plugin.evaluation import error_breakdown
from stpn_plugin.utils import text_table, write_json
from stpn_plugin.visualization import plot_error_breakdown, save_figure


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_saved_run_arguments(parser, several=True)
    parser.add_argument(
        '--iou-thr', type=iou, default=0.5, help='least IoU of a match, default: 0.5'
    )
    parser.add_argument(
        '--background-iou',
        type=iou,
        default=0.1,
        help='highest IoU of a detection of nothing, default: 0.1',
    )
    parser.add_argument('--out', metavar='FILE.json', help='save the numbers')
    parser.add_argument('--figure', metavar='FILE.png', help='plot the AP they cost')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Analyse as the command line says."""
    args = parse_args(argv)
    breakdowns = {
        run.name: error_breakdown(
            run.gts, run.dets, len(run.classes), args.iou_thr, args.background_iou
        )
        for run in load_saved_runs(args)
    }
    for name, errors in breakdowns.items():
        rows = [['error', 'number', 'AP gained if mended']]
        for kind, delta_ap in errors.delta_ap.items():
            rows.append([kind, f'{errors.counts[kind]:,}', f'{delta_ap:.4f}'])
        rows.append(['false positives', '', f'{errors.false_positive_delta_ap:.4f}'])
        rows.append(['false negatives', '', f'{errors.false_negative_delta_ap:.4f}'])
        print(f'{name}: AP{100 * args.iou_thr:g} {errors.ap:.4f}')
        print(text_table(rows))
    if args.figure:
        save_figure(plot_error_breakdown(breakdowns), args.figure)
        print(f'Figure written to {args.figure}')
    if args.out:
        numbers = {name: errors._asdict() for name, errors in breakdowns.items()}
        write_json(args.out, numbers)
        print(f'Numbers written to {args.out}')


if __name__ == '__main__':
    main()
