"""Evaluation of saved predictions."""

from __future__ import annotations

from typing import Any, Sequence

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmtrack.registry import DATASETS
from mmtrack.utils import register_all_modules

from ..evaluation import VideoEvaluator
from .evaluators import as_list, check_outputs, select_evaluators, set_options


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
        cfg (Config): The config, for its ``test_evaluator`` and the classes of its
            ``test_dataloader.dataset``.
        results (Sequence[dict]): Predictions of all images of the dataset, as
            :func:`stpn_plugin.evaluation.load_results` reads them.
        names (Sequence[str], optional): What to evaluate, see
            :func:`select_evaluators`. Defaults to the evaluators of the config.
        options (dict[str, Any], optional): Options of the evaluators, see
            :func:`set_options`.

    Returns:
        dict[str, float]: The metrics.

    Raises:
        MetricError: If any of them failed. The error has what the others found.
    """
    register_all_modules(init_default_scope=False)
    init_default_scope(cfg.get('default_scope', 'mmtrack'))
    dataset_cfg = cfg.test_dataloader.dataset
    evaluators = as_list(cfg.test_evaluator)
    if names:
        evaluators = select_evaluators(evaluators, names, dataset_cfg)
    if options:
        evaluators = set_options(evaluators, options)
    check_outputs(evaluators)
    evaluator = VideoEvaluator(evaluators)
    # Its classes are known before any annotation is read.
    evaluator.dataset_meta = DATASETS.build({**dataset_cfg, 'lazy_init': True}).metainfo
    return evaluator.offline_evaluate(results, chunk_size=64)
