"""Options of the commands that analyse saved predictions."""

from __future__ import annotations

import argparse

from mmengine.config import DictAction

from ..builders import load_config
from ..evaluation import SavedRun, load_saved_run
from ..utils import name_runs


def add_saved_run_arguments(parser: argparse.ArgumentParser, several: bool) -> None:
    """Add what tools need that analyse saved predictions.

    Args:
        parser (argparse.ArgumentParser): Parser to extend, in place.
        several (bool): Whether the tool compares several results files.
    """
    parser.add_argument('config', help='config file of the test run')
    parser.add_argument(
        'results',
        nargs='+' if several else 1,
        help='file that tools/test.py --out wrote (.npz or .pkl)'
        + (', or several of one data set' if several else ''),
    )
    if several:
        parser.add_argument(
            '--names', nargs='+', help='names for the legend, default: the file names'
        )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override entries of the config',
    )


def iou(text: str) -> float:
    """Read an IoU from a command line, where 50 may be meant as 50 %."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f'{text} is not in (0, 1]')
    return value


def load_saved_runs(args: argparse.Namespace) -> list[SavedRun]:
    """Read the runs that a command line names.

    Args:
        args (argparse.Namespace): Arguments of :func:`add_saved_run_arguments`.

    Returns:
        list[SavedRun]: A run per results file.

    Raises:
        ValueError: If the runs cannot be told apart by their names, see
            :func:`~stpn_plugin.utils.name_runs`; see also :func:`load_saved_run`.
    """
    names = name_runs(args.results, getattr(args, 'names', None))
    cfg = load_config(args.config, args.cfg_options)
    return [load_saved_run(cfg, *pair) for pair in zip(args.results, names)]
