"""Train a video object detector."""

from __future__ import annotations

import argparse
from typing import Sequence

import stpn_plugin  # noqa: F401 (adapts the environment before mmtrack is imported)
from stpn_plugin.builders import check_training_state, load_weights
from stpn_plugin.cli.launch import add_common_arguments, prepare_train_cfg
from stpn_plugin.engine import build_runner


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    parser.add_argument(
        '--amp', action='store_true', help='train with automatic mixed precision'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate linearly with the number of images per '
        'iteration, over all processes',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint, or from the latest one in the work dir',
    )
    return parser.parse_intermixed_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Train as the command line says."""
    cfg = prepare_train_cfg(parse_args(argv))
    runner = build_runner(cfg)
    if cfg.get('load_from') is not None:
        # Before the data sets are read; the runner loads it again, and tells.
        checkpoint = load_weights(runner.model, cfg.load_from, partly=not cfg.resume)
        if cfg.resume:
            check_training_state(checkpoint, cfg.load_from)
    runner.train()


if __name__ == '__main__':
    main()
