"""Show the frames of saved predictions on which the detector does worst.

The score of a frame is the confidence in right detections, divided by the number of
objects plus the confidence in wrong ones. The worst frame of every video comes before
the second worst of any.
"""

from __future__ import annotations

import argparse
from typing import Sequence

import stpn_plugin  # noqa: F401 (adapts the environment before mmtrack is imported)
from stpn_plugin.cli.saved_runs import add_saved_run_arguments, load_saved_runs
from stpn_plugin.visualization import plot_worst_frames, save_figure


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_saved_run_arguments(parser, several=False)
    parser.add_argument(
        '--number', type=int, default=12, help='how many frames, default: 12'
    )
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.3,
        help='draw detections of this score or more, default: 0.3',
    )
    parser.add_argument(
        '--out', default='worst_frames.png', help='picture, default: %(default)s'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw as the command line says."""
    args = parse_args(argv)
    (run,) = load_saved_runs(args)
    save_figure(plot_worst_frames(run, args.number, args.score_thr), args.out)
    print(f'Figure written to {args.out}')


if __name__ == '__main__':
    main()
