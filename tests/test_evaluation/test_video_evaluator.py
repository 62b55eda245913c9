from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.evaluator import BaseMetric
from mmengine.registry import EVALUATOR
from mmtrack.evaluation import BaseVideoMetric

from stpn_plugin.evaluation import MetricError, VideoEvaluator

ROOT = Path(__file__).parents[2]


class Count(BaseMetric):
    """Counts samples; fails where and when it is told to."""

    fails_in = ''  # 'process', 'sending', 'computing', 'type' or 'received'
    on_rank = 0

    def fails(self, where: str) -> bool:
        from mmengine.dist import get_rank

        return self.fails_in == where and self.on_rank == get_rank()

    def process(self, data_batch, data_samples) -> None:
        if self.fails('process'):
            raise KeyError('bad sample')
        self.results.extend(data_samples)
        if self.fails('sending'):
            self.results.append(lambda: 'no pickle')

    def compute_metrics(self, results: list) -> dict:
        if self.fails('computing'):
            raise ZeroDivisionError('no samples')
        if self.fails('type'):
            return None
        if self.fails('received'):
            return dict(count=lambda: 'no pickle')
        return dict(count=len(results))


class VideoCount(Count, BaseVideoMetric):
    """The same, collected by mmtrack."""


def metric(prefix: str, fails_in: str = '', on_rank: int = 0, cls: type = Count):
    made = cls(prefix=prefix)
    made.fails_in, made.on_rank = fails_in, on_rank
    return made


def evaluate(metrics: list[BaseMetric]) -> dict:
    evaluator = VideoEvaluator(metrics)
    for start in (0, 2):
        evaluator.process([dict(id=start), dict(id=start + 1)])
    return evaluator.evaluate(4)


def test_without_failures_it_is_mmengines() -> None:
    built = EVALUATOR.build(dict(type='VideoEvaluator', metrics=[metric('a')]))
    assert built.offline_evaluate([{}, {}, {}], chunk_size=2) == {'a/count': 3}
    assert evaluate([metric('a'), metric('b')]) == {'a/count': 4, 'b/count': 4}


@pytest.mark.parametrize('where', ['process', 'computing', 'type'])
def test_a_failure_hides_nothing(where: str) -> None:
    class Broken(Count):
        pass

    for at in range(3):
        metrics = [metric('a'), metric('b')]
        metrics.insert(at, metric('broken', where, cls=Broken))
        with pytest.raises(MetricError, match='Broken: ') as raised:
            evaluate(metrics)
        assert raised.value.metrics == {'a/count': 4, 'b/count': 4}
        assert list(raised.value.failures) == ['Broken']


def test_each_run_starts_anew() -> None:
    broken = metric('b', 'computing')
    evaluator = VideoEvaluator([metric('a'), broken])
    evaluator.process([{}])
    with pytest.raises(MetricError):
        evaluator.evaluate(1)
    broken.fails_in = ''
    evaluator.process([{}, {}])
    assert evaluator.evaluate(2) == {'a/count': 2, 'b/count': 2}


def test_several_failures_and_metrics_of_one_type() -> None:
    with pytest.raises(MetricError) as raised:
        evaluate([metric('a', 'process'), metric('b'), metric('c', 'computing')])
    assert raised.value.failures == {
        'Count (0)': "KeyError: 'bad sample'",
        'Count (2)': 'ZeroDivisionError: no samples',
    }
    assert raised.value.metrics == {'b/count': 4}


def test_names_given_twice() -> None:
    with pytest.raises(MetricError, match='a/count.*different prefixes') as raised:
        evaluate([metric('a'), metric('a'), metric('b')])
    assert raised.value.metrics == {'a/count': 4, 'b/count': 4}


def test_it_ends_when_no_metric_is_left() -> None:
    evaluator = VideoEvaluator([metric('a', 'process')])
    with pytest.raises(MetricError, match='bad sample'):
        evaluator.process([{}])


CASES = [
    *(('process', 0), ('process', 1), ('sending', 0), ('sending', 1)),
    *(('type', 0), ('received', 0), ('computing', 0)),
]

TWO = """
import json
import torch.distributed as dist
from tests.test_evaluation import test_video_evaluator as case

dist.init_process_group('gloo')
for where, rank in case.CASES:
    try:
        case.evaluate([
            case.metric('a', where, rank),
            case.metric('b'),
            case.metric('c', where, rank, case.VideoCount),
            case.metric('d', cls=case.VideoCount),
        ])
    except case.MetricError as error:
        print('RAISED' + json.dumps([str(error), error.failures, error.metrics]))
        if (where, rank) == case.CASES[-1]:
            raise
"""


@pytest.mark.slow
def test_all_processes_raise_the_same(tmp_path: Path) -> None:
    """Started one by one, as by slurm: no agent ends one when the other fails."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', TWO],
            cwd=tmp_path,
            env=dict(
                os.environ,
                MASTER_ADDR='127.0.0.1',
                MASTER_PORT=port,
                WORLD_SIZE='2',
                RANK=str(i),
                PYTHONPATH=str(ROOT),
                CUDA_VISIBLE_DEVICES='',
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding='utf-8',
        )
        for i in range(2)
    ]
    try:
        raised = []
        for process in processes:
            shown, _ = process.communicate(timeout=300)
            # 1, or SIGABRT: gloo's threads may outlive the interpreter.
            assert process.returncode in (1, -signal.SIGABRT), shown
            lines = [x for x in shown.splitlines() if x.startswith('RAISED')]
            raised.append([json.loads(line[len('RAISED') :]) for line in lines])
    finally:
        for process in processes:
            process.kill()
    assert raised[0] == raised[1]
    assert len(raised[0]) == len(CASES)
    for (_, rank), (_, failures, metrics) in zip(CASES, raised[0]):
        assert list(failures) == ['Count (0)', 'VideoCount (2)']
        assert all(text.endswith(f'(process {rank})') for text in failures.values())
        assert metrics == {'b/count': 4, 'd/count': 8}  # BaseMetric drops padding
