"""Choose and configure the evaluators of a test run."""

from __future__ import annotations

import copy
import inspect
import os.path as osp
from typing import Any, Sequence

from mmtrack.registry import METRICS

from ..utils import check_writable

#: What ``--eval`` can name, and the metric that computes it.
EVALUATOR_OF = {
    'bbox': 'CocoVideoMetric',
    'segm': 'CocoVideoMetric',
    'proposal': 'CocoVideoMetric',
    'proposal_fast': 'CocoVideoMetric',
    'motion': 'VIDMotionMetric',
}


def as_list(evaluator: dict | Sequence[dict] | None) -> list[dict]:
    """The metrics of an evaluator, in whichever of mmengine's ways a config has it.

    Raises:
        ValueError: If it is something else.
    """
    if not evaluator:
        return []
    if isinstance(evaluator, dict):
        return as_list(evaluator['metrics']) if 'metrics' in evaluator else [evaluator]
    if not isinstance(evaluator, (list, tuple)) or not all(
        isinstance(metric, dict) for metric in evaluator
    ):
        raise ValueError(
            f'test_evaluator has to be a dict or a list of dicts, not {evaluator!r}'
        )
    return list(evaluator)


def select_evaluators(
    evaluators: Sequence[dict], names: Sequence[str], dataset: dict
) -> list[dict]:
    """Choose evaluators by what they measure.

    Args:
        evaluators: Evaluators of the config. One that a name asks for keeps its
            options.
        names: Keys of :data:`EVALUATOR_OF`.
        dataset: Config of the test dataset. A new evaluator is given its annotation
            file, if no other evaluator has one.

    Returns:
        One evaluator for each metric type that the names ask for.

    Raises:
        ValueError: If a name is unknown.
    """
    unknown = [name for name in names if name not in EVALUATOR_OF]
    if unknown:
        raise ValueError(f'Cannot evaluate {unknown}. Choose of {list(EVALUATOR_OF)}.')
    selected = []
    for metric_type in dict.fromkeys(EVALUATOR_OF[name] for name in names):
        evaluator = _find(evaluators, metric_type, dataset)
        if metric_type == 'CocoVideoMetric':
            evaluator['metric'] = [n for n in names if EVALUATOR_OF[n] == metric_type]
        selected.append(evaluator)
    return selected


def format_only_evaluator(
    evaluators: Sequence[dict], dataset: dict, outfile_prefix: str
) -> dict:
    """Get an evaluator that writes result files and does not evaluate.

    Args:
        evaluators: Evaluators of the config.
        dataset: Config of the test dataset.
        outfile_prefix: Path of the files without their endings. One that the config
            gives to the evaluator wins.

    Returns:
        ``VIDMotionMetric``, which writes both ILSVRC's submission format and COCO's.
    """
    evaluator = _find(evaluators, 'VIDMotionMetric', dataset)
    evaluator['format_only'] = True
    if evaluator.get('outfile_prefix') is None:
        evaluator['outfile_prefix'] = outfile_prefix
    return evaluator


def set_options(evaluators: Sequence[dict], options: dict[str, Any]) -> list[dict]:
    """Set options of evaluators.

    Args:
        evaluators: Evaluators to configure.
        options: Arguments of their constructors. Each goes to all evaluators that have
            it.

    Returns:
        The evaluators with these options.

    Raises:
        ValueError: If no evaluator has one of the options.
    """
    evaluators = [copy.deepcopy(evaluator) for evaluator in evaluators]
    for key, value in options.items():
        owners = [e for e in evaluators if _accepts(e['type'], key)]
        if not owners:
            raise ValueError(
                f'--eval-options {key}: none of the evaluators '
                f'{[e["type"] for e in evaluators]} has this option.'
            )
        for owner in owners:
            owner[key] = value
    return evaluators


def check_outputs(evaluators: Sequence[dict]) -> None:
    """Raise an OSError now if what evaluators will write could not be written."""
    for evaluator in evaluators:
        if evaluator.get('out_file_path') is not None:
            check_writable(evaluator['out_file_path'])
        if evaluator.get('outfile_prefix') is not None:
            check_writable(f'{evaluator["outfile_prefix"]}.json')


def _find(evaluators: Sequence[dict], metric_type: str, dataset: dict) -> dict:
    """Get the evaluator of a type, or a new one on the same annotations."""
    for evaluator in evaluators:
        if evaluator['type'].split('.')[-1] == metric_type:
            return copy.deepcopy(evaluator)
    for evaluator in evaluators:
        if evaluator.get('ann_file') is not None:
            return dict(type=metric_type, ann_file=evaluator['ann_file'])
    ann_file = osp.join(dataset.get('data_root') or '', dataset['ann_file'])
    return dict(type=metric_type, ann_file=ann_file)


def _accepts(metric_type: str, option: str) -> bool:
    """Whether a metric's constructor, or one it forwards to, has an argument."""
    metric = METRICS.get(metric_type)
    if metric is None:
        raise KeyError(f'There is no metric {metric_type} (evaluators of the config).')
    for cls in metric.__mro__:
        parameters = inspect.signature(cls.__init__).parameters
        if option in parameters:
            return True
        if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return False
    return False
