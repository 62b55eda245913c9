"""Evaluate the predictions that ``tools/test.py --out`` saved, without a model."""

from __future__ import annotations

import argparse
from typing import Sequence

from mmengine.config import DictAction

import stpn_plugin  # noqa: F401 (adapts the environment before mmtrack is imported)
from stpn_plugin.builders import load_config
from stpn_plugin.evaluation import (
    EVALUATOR_OF,
    MetricError,
    evaluate_results,
    load_results,
)
from stpn_plugin.utils import check_writable, write_json


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file of the test run')
    parser.add_argument(
        'results', help='file that tools/test.py --out wrote (.npz or .pkl)'
    )
    parser.add_argument(
        '--eval',
        nargs='+',
        choices=list(EVALUATOR_OF),
        metavar='METRIC',
        help=f'what to evaluate, of: {", ".join(EVALUATOR_OF)}; default: the '
        'evaluators of the config',
    )
    parser.add_argument(
        '--eval-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='options of the evaluators, e.g. classwise=True, or format_only=True '
        'outfile_prefix=a/b to write result files instead',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override entries of the config',
    )
    parser.add_argument('--out', metavar='FILE.json', help='save the metrics')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Evaluate as the command line says."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    if args.out:
        check_writable(args.out)
    results = load_results(args.results)
    try:
        metrics = evaluate_results(cfg, results, args.eval, args.eval_options)
    except MetricError as error:
        show_metrics(error.metrics, args.out)
        raise
    show_metrics(metrics, args.out)


def show_metrics(metrics: dict[str, float], path: str | None) -> None:
    """Print metrics, and write them to a file if one is wanted."""
    for name, value in metrics.items():
        print(f'{name}: {value:.4f}')
    if path:
        write_json(path, metrics)


if __name__ == '__main__':
    main()
