"""What the shell scripts start, without starting it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.commands import ROOT


def words(script: str, *args: str, **environ: str) -> list[str]:
    """Arguments that a script gives to the interpreter."""
    done = subprocess.run(
        [str(ROOT / 'tools' / script), *args],
        env={**os.environ, 'PYTHON': 'echo', **environ},
        stdout=subprocess.PIPE,
        check=True,
        encoding='utf-8',
    )
    return done.stdout.split()


def test_dist_train() -> None:
    given = words('dist_train.sh', 'config.py', '4', '--amp')
    assert given[:2] == ['-m', 'torch.distributed.run']
    assert {'--nnodes=1', '--nproc_per_node=4', '--master_port=29500'} <= set(given)
    assert given[-5].endswith('tools/train.py')
    assert given[-4:] == ['config.py', '--launcher', 'pytorch', '--amp']


def test_several_machines() -> None:
    environ = dict(NNODES='2', NODE_RANK='1', PORT='1234', MASTER_ADDR='10.0.0.1')
    for script in ('dist_train.sh', 'dist_test.sh'):
        given = words(script, 'config.py', '8', **environ)
        assert {
            '--nnodes=2',
            '--node_rank=1',
            '--master_port=1234',
            '--master_addr=10.0.0.1',
        } <= set(given)


@pytest.mark.parametrize('checkpoint', [(), ('a b.pth',)])
def test_dist_test_with_and_without_checkpoint(checkpoint: tuple) -> None:
    given = words('dist_test.sh', 'config.py', *checkpoint, '2', '--eval', 'bbox')
    tail = ['config.py', *' '.join(checkpoint).split()]
    tail += ['--launcher', 'pytorch', '--eval', 'bbox']
    assert '--nproc_per_node=2' in given and given[-len(tail) :] == tail


@pytest.mark.parametrize(
    'args',
    [
        ('dist_train.sh', 'config.py'),
        ('dist_train.sh', 'config.py', '--amp', '2'),
        ('dist_test.sh', 'config.py', 'a.pth'),
        ('slurm_train.sh', 'part', 'job', 'config.py'),
        ('slurm_test.sh', 'part', 'job'),
    ],
)
def test_usage(args: tuple) -> None:
    done = subprocess.run(
        [str(ROOT / 'tools' / args[0]), *args[1:]], stderr=subprocess.PIPE
    )
    assert done.returncode == 2 and b'Usage:' in done.stderr


@pytest.mark.parametrize('name', ['train', 'test'])
def test_slurm(name: str, tmp_path: Path) -> None:
    (tmp_path / 'srun').write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / 'srun').chmod(0o755)
    given = words(
        *(f'slurm_{name}.sh', 'part', 'job', 'config.py', 'last', '--cfg-options'),
        'a=b',
        PATH=f'{tmp_path}:{os.environ["PATH"]}',
        GPUS='16',
        CPUS_PER_TASK='3',
        SRUN_ARGS='--qos=high --mem=0',
    )
    assert {
        '--job-name=job',
        '--gres=gpu:8',
        '--ntasks=16',
        '--ntasks-per-node=8',
        '--cpus-per-task=3',
        '--qos=high',
        '--mem=0',
    } <= set(given)
    tool = given[given.index('-u') + 1 :]
    assert tool[0].endswith(f'tools/{name}.py') and tool[1] == 'config.py'
    assert 'last' in tool and tool[tool.index('--launcher') + 1] == 'slurm'
    assert tool[tool.index('--cfg-options') + 1] == 'a=b'
