"""Metrics of a run, each of which may fail without the others."""

from __future__ import annotations

import logging
import pickle
import traceback
from typing import Any, Mapping, Sequence

from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.logging import print_log
from mmengine.registry import EVALUATOR
from mmengine.structures import BaseDataElement


class MetricError(RuntimeError):
    """One or more metrics failed.

    Attributes:
        failures: What went wrong, by the name of the metric.
        metrics: What the other metrics found.
    """

    def __init__(self, failures: dict[str, str], metrics: dict[str, float]) -> None:
        reasons = '\n'.join(f'  {name}: {text}' for name, text in failures.items())
        found = ' What the others found is logged above.' if metrics else ''
        super().__init__(f'these metrics failed:\n{reasons}\n{found}'.rstrip())
        self.failures = failures
        self.metrics = metrics


@EVALUATOR.register_module()
class VideoEvaluator(Evaluator):
    """Computes all metrics that can be computed.

    With mmengine's ``Evaluator`` the first metric that raises takes the others'
    results with it, and among several processes leaves the others waiting for ever:
    metrics are computed by the first process, the others wait for what it found.

    Here a metric that raises, in any process, is left out, and its traceback logged.
    The others are computed and logged. Then all processes raise the same error.

    Args:
        metrics: As for mmengine's ``Evaluator``.
    """

    def __init__(self, metrics: dict | BaseMetric | Sequence) -> None:
        super().__init__(metrics)
        self._failures: dict[int, str] = {}  # of this process, by index of the metric

    def process(
        self, data_samples: Sequence[BaseDataElement], data_batch: Any = None
    ) -> None:
        """Let each metric process a batch.

        Args:
            data_samples: Predictions of the model, and the ground truth.
            data_batch: What the model was given.

        Raises:
            MetricError: If no metric is left. Among several processes all is said at
                the end.
        """
        samples = [
            sample.to_dict() if isinstance(sample, BaseDataElement) else sample
            for sample in data_samples
        ]
        for i, metric in enumerate(self.metrics):
            if i in self._failures:
                continue
            try:
                metric.process(data_batch, samples)
            except Exception as error:
                self._failures[i] = _log_failure(metric, error)
                metric.results.clear()
        if self.metrics and len(self._failures) == len(self.metrics):
            if get_world_size() == 1:
                failures, self._failures = self._failures, {}
                raise MetricError(self._by_name(failures), {})

    def evaluate(self, size: int) -> dict[str, float]:
        """Compute the metrics.

        Args:
            size: Length of the data set.

        Returns:
            What all metrics found, by name.

        Raises:
            MetricError: If a metric failed in any of the processes.
        """
        found: dict[str, float] = {}
        failures: dict[int, str] = {}
        for i, metric in enumerate(self.metrics):
            failure = _first_of_all(self._failures.get(i) or _sending_failure(metric))
            values: dict[str, float] = {}
            if failure is None:
                values, failure = _evaluate(metric, size)
            metric.results.clear()
            clash = sorted(found.keys() & values.keys())
            if clash:
                failure = (
                    f'it reports {clash[0]}, and so does another metric; give them '
                    'different prefixes'
                )
            if failure is None:
                found.update(values)
            else:
                failures[i] = failure
        self._failures = {}
        if failures:
            named = [f'{name}: {value}' for name, value in found.items()]
            if named:
                print_log('Metrics: ' + ', '.join(named), logger='current')
            raise MetricError(self._by_name(failures), found)
        return found

    def _by_name(self, failures: dict[int, str]) -> dict[str, str]:
        names = [type(metric).__name__ for metric in self.metrics]
        return {
            names[i] if names.count(names[i]) == 1 else f'{names[i]} ({i})': failure
            for i, failure in failures.items()
        }


def _evaluate(metric: BaseMetric, size: int) -> tuple[dict[str, float], str | None]:
    """What a metric found and what went wrong, the same in all processes."""
    failure: str | None = None
    compute = metric.compute_metrics

    # mmtrack's MOT metric keeps its results elsewhere, and calls it without.
    def compute_or_note(*results: list) -> dict:
        nonlocal failure
        try:
            computed = compute(*results)
            if not isinstance(computed, Mapping):
                raise TypeError(f'compute_metrics returned {computed!r}, not a dict')
            if get_world_size() > 1:
                pickle.dumps(computed)  # it is going to be sent
        except Exception as error:
            failure = _log_failure(metric, error)
            return {}
        return computed  # type: ignore[return-value]

    # The metric's own `evaluate`, whichever it has, collects the results before this
    # and sends the metrics to the other processes after it.
    setattr(metric, 'compute_metrics', compute_or_note)  # noqa: B010 (mypy)
    values: dict[str, float] = {}
    try:
        values = metric.evaluate(size)
    except Exception as error:
        if get_world_size() > 1:  # nobody knows what the others wait for
            raise
        failure = _log_failure(metric, error)
    finally:
        delattr(metric, 'compute_metrics')
    return values, _first_of_all(failure)


def _sending_failure(metric: BaseMetric) -> str | None:
    """Why a process cannot send its results to the first one, if it cannot."""
    if get_world_size() == 1:
        return None
    try:
        pickle.Pickler(_Nowhere(), protocol=2).dump(metric.results)
    except Exception as error:
        return _log_failure(metric, error)
    return None


class _Nowhere:
    """A file that keeps nothing."""

    def write(self, data: bytes) -> int:
        return len(data)


def _first_of_all(failure: str | None) -> str | None:
    """The failure of the first process that has one, in all processes."""
    for rank, text in enumerate(all_gather_object(failure)):
        if text is not None:
            return f'{text} (process {rank})' if get_world_size() > 1 else text
    return None


#: Errors that somebody wrote for what is wrong with the input.
_OF_USERS = (OSError, ValueError)


def _log_failure(metric: BaseMetric, error: Exception) -> str:
    """Log an error, if it may be a bug with its traceback; returns it in one line."""
    text = f'{type(error).__name__}: {error}'
    print_log(
        f'{type(metric).__name__} failed in process {get_rank()}:\n'
        f'{text if isinstance(error, _OF_USERS) else traceback.format_exc()}',
        logger='current',
        level=logging.ERROR,
    )
    return text
