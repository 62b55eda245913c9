"""Write one report on a detector as an HTML file that needs no other file.

It has the accuracy by motion speed, precision and recall, the kinds of errors and the
worst frames; with a work dir the training curves, and with a checkpoint the attention
of the prompts and the detections with and without them.
"""

from __future__ import annotations

import argparse
from typing import Sequence

from mmengine.device import get_device

import stpn_plugin  # noqa: F401 (adapts the environment before mmtrack is imported)
from stpn_plugin.builders import load_config
from stpn_plugin.cli.saved_runs import add_saved_run_arguments, load_saved_runs
from stpn_plugin.visualization import write_report


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_saved_run_arguments(parser, several=True)
    parser.add_argument(
        '--work-dirs',
        nargs='+',
        default=[],
        metavar='DIR',
        help='work dirs of training runs, for the training curves',
    )
    parser.add_argument('--checkpoint', help='weights, to look at the prompts')
    parser.add_argument(
        '--video', help='video to look at with --checkpoint, default: the first one'
    )
    parser.add_argument(
        '--number',
        type=int,
        default=4,
        help='how many of its frames, the least sharp ones, default: 4',
    )
    parser.add_argument(
        '--device', default=get_device(), help='where to run, default: %(default)s'
    )
    parser.add_argument(
        '--out', default='report.html', help='file to write, default: %(default)s'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Report as the command line says."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    missing = write_report(
        args.out,
        cfg,
        load_saved_runs(args),
        args.work_dirs,
        args.checkpoint,
        args.video,
        args.number,
        args.device,
    )
    print(f'Report written to {args.out}')
    if missing:
        print(f'Not included, for reasons given there: {", ".join(missing)}')


if __name__ == '__main__':
    main()
