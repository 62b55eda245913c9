"""Evaluate the predictions that a test run saved, without a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..evaluation import EVALUATOR_OF, MetricError, evaluate_results, load_results
from ..evaluation.result_files import check_results
from ..utils import check_writable, write_json
from .command import Command, argument, option
from .configs import ConfigOptions


@dataclass
class Options(ConfigOptions):
    """What to evaluate."""

    results: str = argument('file that tools/test.py --out wrote (.npz or .pkl)')
    eval: list[str] | None = option(
        f'what to evaluate, of: {", ".join(EVALUATOR_OF)}; default: the evaluators of '
        'the config',
        choices=list(EVALUATOR_OF),
        metavar='METRIC',
    )
    eval_options: dict[str, Any] | None = option(
        'options of the evaluators, e.g. classwise=True, or format_only=True '
        'outfile_prefix=a/b to write result files instead'
    )
    out: str | None = option('save the metrics', metavar='FILE.json', output=True)


def run(options: Options) -> None:
    """Evaluate."""
    cfg = options.read_config()
    if options.out:
        check_writable(options.out)
    results = load_results(options.results)
    check_results(results, options.results)
    try:
        metrics = evaluate_results(cfg, results, options.eval, options.eval_options)
    except MetricError as error:
        show_metrics(error.metrics, options.out)
        raise
    show_metrics(metrics, options.out)


def show_metrics(metrics: dict[str, float], path: str | None) -> None:
    """Print metrics, and write them to a file if one is wanted."""
    for name, value in metrics.items():
        print(f'{name}: {value:.4f}')
    if path:
        write_json(path, metrics)


main = Command(__doc__, Options, run)
