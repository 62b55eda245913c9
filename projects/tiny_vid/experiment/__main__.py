"""Run the experiment: see the package for what it is.

Example:
    $ python -m projects.tiny_vid.experiment --jobs 2
"""

from __future__ import annotations

import argparse
import os
import os.path as osp
import signal
import sys
from typing import Sequence

from projects.tiny_vid import demo
from projects.tiny_vid.experiment.plan import METHODS, Run, plan
from projects.tiny_vid.experiment.report import report
from projects.tiny_vid.experiment.run import Launcher, claim, complete, prepare_data


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m projects.tiny_vid.experiment',
        description='Compare a single-frame detector with prompted ones on tiny_vid.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        '--methods',
        nargs='+',
        choices=list(METHODS),
        default=list(METHODS),
        help='what to compare',
    )
    parser.add_argument(
        '--seeds', nargs='+', type=int, default=[0, 1, 2], help='a run for each'
    )
    parser.add_argument(
        '--work-dir', default='work_dirs/tiny_vid_experiment', help='folder of all runs'
    )
    parser.add_argument(
        '--jobs', type=int, default=1, help='how many runs go on at a time'
    )
    parser.add_argument(
        '--scale',
        type=float,
        default=1.0,
        help='train this many times as long as the configs say, e.g. 0.01 for a trial',
    )
    args = parser.parse_args(argv)
    if args.jobs < 1:
        parser.error('--jobs must be at least 1')
    if args.scale <= 0:
        parser.error('--scale must be above 0')
    args.methods = [method for method in METHODS if method in args.methods]
    args.seeds = sorted(set(args.seeds))
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    args = parse_args(argv)
    work_dir = osp.abspath(args.work_dir)
    os.chdir(demo.ROOT)  # the configs name the data relative to it
    launcher = Launcher()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('terminated'))
    try:
        settings = prepare_data(work_dir, launcher)
        runs = plan(work_dir, args.methods, args.seeds, args.scale)
        detectors = [run for of_seeds in runs.values() for run in of_seeds]
        for run in detectors:
            stage: Run | None = run
            while stage is not None:
                claim(stage, settings)
                stage = stage.start
        failures = complete(detectors, launcher, args.jobs, launcher.stop)
    except KeyboardInterrupt:
        raise SystemExit(
            'interrupted; the same command goes on from the last checkpoints'
        ) from None
    except (OSError, RuntimeError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    report(runs, work_dir)
    if failures:
        raise SystemExit('failed runs, left out above:\n' + '\n'.join(failures))


if __name__ == '__main__':
    main()
