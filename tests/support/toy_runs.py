"""Trainings in processes of their own that start at once.

A child is forked from a process that has imported everything. Tests ask one for it,
:class:`Forker`, since theirs may have started threads or CUDA.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, Callable

import torch
from mmengine.config import Config
from mmengine.runner import Runner

from tests.support import toy_training
from tests.support.commands import ROOT


def start(
    cfg: Config, rank: int = 0, ranks: int = 1, port: int = 0, first: Callable = int
) -> int:
    """Fork a process that trains; what it writes goes to ``<work dir>/output.<rank>``.

    Args:
        cfg: What it trains; its hooks are mmengine's Runner's, as of stock scripts.
        rank: Its number.
        ranks: Number of processes that train together.
        port: Port at which they meet.
        first: What it calls first.

    Returns:
        Its id.
    """
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        os.makedirs(cfg.work_dir, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        output = os.open(f'{cfg.work_dir}/output.{rank}', flags)
        os.dup2(output, 1)
        os.dup2(output, 2)
        torch.set_num_threads(1)
        if ranks > 1:
            _join(cfg, rank, ranks, port)
        first()
        Runner.from_cfg(cfg).train()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _join(cfg: Config, rank: int, ranks: int, port: int) -> None:
    names = dict(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=ranks, MASTER_PORT=port)
    os.environ.update({name: str(value) for name, value in names.items()})
    os.environ['MASTER_ADDR'] = '127.0.0.1'
    cfg.launcher = 'pytorch'
    cfg.model_wrapper_cfg = dict(
        type='MMDistributedDataParallel', broadcast_buffers=False, device_ids=None
    )
    torch.distributed.init_process_group('gloo')


def free_port() -> int:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


def end_of(process: int) -> int:
    """Wait for a process; its exit status, negative for the signal that ended it."""
    _, status = os.waitpid(process, 0)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


class Forker:
    """A process without CUDA that has imported everything."""

    def __enter__(self) -> Forker:
        environ = dict(
            os.environ,
            PYTHONPATH=str(ROOT),
            OMP_NUM_THREADS='1',
            CUDA_VISIBLE_DEVICES='',
        )
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'tests.support.toy_runs'],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding='utf-8',
        )
        return self

    def __exit__(self, *args: Any) -> None:
        self._process.communicate()

    def train(
        self,
        work_dir: Path,
        ranks: int = 1,
        hooks: tuple = (),
        override: dict | None = None,
        **kwargs: Any,
    ) -> list[int]:
        """Train to the end.

        Args:
            work_dir: Folder of the training.
            ranks: Number of processes.
            hooks: More hooks, as configs have them.
            override: Entries of the config, by their paths.
            kwargs: As for :func:`toy_config`.

        Returns:
            Exit status of each process.
        """
        order = dict(
            work_dir=str(work_dir),
            ranks=ranks,
            hooks=hooks,
            override=override or {},
            kwargs=kwargs,
        )
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(order) + '\n')
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def _serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        cfg = toy_training.toy_config(Path(order['work_dir']), **order['kwargs'])
        cfg.custom_hooks += order['hooks']
        cfg.merge_from_dict(order['override'])
        port = free_port()
        ranks = range(order['ranks'])
        processes = [start(cfg, rank, len(ranks), port) for rank in ranks]
        statuses = [end_of(process) for process in processes]
        sys.stdout.write(json.dumps(statuses) + '\n')
        sys.stdout.flush()


if __name__ == '__main__':
    _serve()
