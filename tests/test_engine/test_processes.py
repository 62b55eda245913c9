"""No process outlives those that it belongs to."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from tests.support.commands import ROOT
from tests.support.toy_runs import free_port
from tests.support.toy_training import losses, toy_config

WORKERS = """
import os
import time
from stpn_plugin.datasets.converters.ordered_map import ordered_map

def wait(task):
    os.write(1, b'started\\n')  # at once: two print
    time.sleep(1000)

for _ in ordered_map(wait, range(4), 2):
    pass
"""

TRAINING = """
import sys
from pathlib import Path
from mmengine.runner import Runner
from tests.support.toy_training import toy_config

cfg = toy_config(Path(sys.argv[1]), workers=2, val=False)
cfg.train_cfg.max_epochs = 100_000
cfg.train_dataloader.prefetch_factor = 20
cfg.train_dataloader.dataset.length = 1000
Runner.from_cfg(cfg).train()
"""


def until(condition: Callable[[], Any], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def children(process: int) -> list[int]:
    path = Path(f'/proc/{process}/task/{process}/children')
    if not path.exists():
        return []
    return [int(child) for child in path.read_text().split()]


def is_alive(process: int) -> bool:
    try:
        state = Path(f'/proc/{process}/stat').read_text().rsplit(')', 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != 'Z'  # that nobody has buried yet


@contextlib.contextmanager
def launched(tmp_path: Path, *options: str) -> Iterator[subprocess.Popen]:
    """A training by two processes, under torchrun."""
    work_dir = tmp_path / 'work'
    cfg = toy_config(work_dir, val=False)
    cfg.train_cfg.max_epochs = 100_000
    cfg.default_hooks.checkpoint.interval = 1000
    config = tmp_path / 'toy.py'
    cfg.dump(str(config))
    environ = dict(
        os.environ,
        PYTHON=sys.executable,
        PYTHONPATH=str(ROOT),
        PORT=str(free_port()),
        OMP_NUM_THREADS='1',
        CUDA_VISIBLE_DEVICES='',
    )
    command = [str(ROOT / 'tools/dist_train.sh'), str(config), '2', *options]
    with open(tmp_path / 'output', 'w') as output:
        job = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environ,
            stdout=output,
            stderr=output,
            start_new_session=True,  # so that nothing stays if the test fails
        )
    try:
        yield job
    finally:
        ranks = [rank for child in children(job.pid) for rank in children(child)]
        for process in (job.pid, *children(job.pid), *ranks):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        job.wait()


def launcher_and_ranks(job: subprocess.Popen, tmp_path: Path) -> tuple[int, list[int]]:
    until((tmp_path / 'work/losses.1').exists)
    launcher = job.pid if len(children(job.pid)) == 2 else children(job.pid)[0]
    ranks = children(launcher)
    assert len(ranks) == 2
    return launcher, ranks


@pytest.mark.slow
def test_a_stopped_process_ends_the_job(tmp_path: Path) -> None:
    """It is neither dead nor at work: the others wait for it, but not for ever."""
    timeout = ('--cfg-options', 'env_cfg.dist_cfg.timeout=5')
    with launched(tmp_path, *timeout) as job:
        _, ranks = launcher_and_ranks(job, tmp_path)
        os.kill(ranks[1], signal.SIGSTOP)
        until(lambda: job.poll() is not None)
        assert job.returncode != 0
        until(lambda: not any(is_alive(rank) for rank in ranks))
    shown = (tmp_path / 'output').read_text()
    assert 'timed out' in shown.lower()


@pytest.mark.slow
def test_a_killed_launcher_leaves_no_processes(tmp_path: Path) -> None:
    with launched(tmp_path) as job:
        launcher, ranks = launcher_and_ranks(job, tmp_path)
        os.kill(launcher, signal.SIGKILL)
        until(lambda: not any(is_alive(rank) for rank in ranks))
    # They saved what they had, after the same iteration.
    assert (tmp_path / 'work/interim.pth').exists()
    done = [list(losses(tmp_path / 'work', rank)) for rank in range(2)]
    assert done[0] == done[1]


@pytest.mark.slow
def test_workers_of_a_killed_process_end() -> None:
    parent = subprocess.Popen(
        [sys.executable, '-c', WORKERS],
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
    )
    assert parent.stdout
    for _ in range(2):
        assert parent.stdout.readline() == b'started\n'
    workers = children(parent.pid)
    parent.kill()
    assert len(workers) >= 2
    until(lambda: not any(is_alive(worker) for worker in workers))
    parent.communicate()


@pytest.mark.slow
def test_workers_of_a_killed_training_end(tmp_path: Path) -> None:
    """Also those that cannot get rid of what they have loaded."""
    with open(tmp_path / 'output', 'w') as output:
        training = subprocess.Popen(
            [sys.executable, '-c', TRAINING, str(tmp_path)],
            env=dict(os.environ, PYTHONPATH=str(ROOT), CUDA_VISIBLE_DEVICES=''),
            stdout=output,
            stderr=output,
        )
    until((tmp_path / 'losses.0').exists)
    workers = children(training.pid)
    training.send_signal(signal.SIGSTOP)
    time.sleep(2)  # for their pipe to be full
    training.kill()
    training.wait()
    assert len(workers) >= 2
    until(lambda: not any(is_alive(worker) for worker in workers))
