"""Test a video object detector: evaluate, save, format or draw its predictions."""

from __future__ import annotations

import argparse
from typing import Sequence

import stpn_plugin  # noqa: F401 (adapts the environment before torch and mmtrack)

# isort: split
from mmengine.config import DictAction

from stpn_plugin.builders import load_weights
from stpn_plugin.cli.launch import add_common_arguments, prepare_test_cfg
from stpn_plugin.engine import build_runner
from stpn_plugin.evaluation import EVALUATOR_OF


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser)
    parser.add_argument(
        'checkpoint_arg',
        nargs='?',
        metavar='checkpoint',
        help='checkpoint file or URL, default: "load_from" of the config',
    )
    parser.add_argument('--checkpoint', help='the same, as an option')
    parser.add_argument(
        '--out',
        type=_results_path,
        metavar='FILE.npz',
        help='write all predictions to FILE.npz (recommended: smaller, safe to read '
        'from others), or to FILE.pkl, a pickle as mmengine writes it',
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        '--eval',
        nargs='+',
        choices=list(EVALUATOR_OF),
        metavar='METRIC',
        help=f'what to evaluate, of: {", ".join(EVALUATOR_OF)}; default: the '
        'evaluators of the config',
    )
    what.add_argument(
        '--format-only',
        action='store_true',
        help='do not evaluate, write the predictions as an ILSVRC VID submission and '
        'as COCO JSON: <work dir>/results.txt and results.bbox.json',
    )
    parser.add_argument(
        '--eval-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='options of the evaluators, e.g. classwise=True or outfile_prefix=a/b',
    )
    parser.add_argument('--show', action='store_true', help='show predictions')
    parser.add_argument(
        '--show-dir',
        metavar='DIR',
        help='draw predictions into DIR/<video>/<frame>; score threshold and interval '
        'are default_hooks.visualization.score_thr and .interval of the config',
    )
    return parser.parse_intermixed_args(argv)


def _results_path(path: str) -> str:
    if not path.endswith(('.npz', '.pkl', '.pickle')):
        raise argparse.ArgumentTypeError(f'{path} must end with .npz, .pkl or .pickle')
    return path


def main(argv: Sequence[str] | None = None) -> None:
    """Test as the command line says."""
    cfg = prepare_test_cfg(parse_args(argv))
    runner = build_runner(cfg)
    load_weights(runner.model, cfg.load_from)
    runner.test()


if __name__ == '__main__':
    main()
