"""Evaluation of saved predictions."""

from __future__ import annotations

from typing import Any, Sequence

from mmengine.config import Config

from ..builders import ConfigError, dataset_meta, entry, scope_of
from .evaluator_configs import as_list, check_outputs, select_evaluators, set_options
from .video_evaluator import VideoEvaluator


def evaluate_results(
    cfg: Config,
    results: Sequence[dict],
    names: Sequence[str] | None = None,
    options: dict[str, Any] | None = None,
) -> dict[str, float]:
    """Evaluate saved predictions as a test run would have.

    Neither the model nor the images are needed, only the annotation files of the
    evaluators.

    Args:
        cfg: The config, for its ``test_evaluator`` and the classes of its
            ``test_dataloader.dataset``.
        results: Predictions of all images of the dataset, as
            :func:`stpn_plugin.evaluation.load_results` reads them.
        names: What to evaluate, see :func:`select_evaluators`. Defaults to the
            evaluators of the config.
        options: Options of the evaluators, see :func:`set_options`.

    Returns:
        The metrics.

    Raises:
        ConfigError: If the config has no evaluator.
        MetricError: If any of them failed. The error has what the others found.
    """
    evaluators = as_list(entry(cfg, 'test_evaluator'))
    if names:
        dataset = entry(cfg, 'test_dataloader.dataset')
        evaluators = select_evaluators(evaluators, names, dataset)
    if not evaluators:
        raise ConfigError(f'test_evaluator of {cfg.filename} is empty')
    with scope_of(cfg):
        if options:
            evaluators = set_options(evaluators, options)
        check_outputs(evaluators)
        evaluator = VideoEvaluator(evaluators)
    evaluator.dataset_meta = dataset_meta(cfg)
    return evaluator.offline_evaluate(results, chunk_size=64)
