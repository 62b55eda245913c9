"""Freed memory stays with a process that computes on the CPU."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from stpn_plugin.utils.allocation import keep_freed_memory

# Fills and frees 64 MiB again and again: how many pages does the system have to fetch?
# Now and then small blocks that live on stand where the large one was.
PROGRAM = """
import resource, sys
import torch
from stpn_plugin.utils.allocation import keep_freed_memory
print(keep_freed_memory(sys.argv[1]))
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24).sum()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(sorted(faults() for _ in range(9))[4])
"""


def run(device: str, **environment: str) -> list:
    kept = {k: v for k, v in os.environ.items() if 'MALLOC' not in k}
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM, device],
        env={**kept, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='glibc is of Linux')
def test_pages_are_fetched_once() -> None:
    fetched = {
        kept: int(number)
        for kept, number in (run('cpu'), run('meta'), run('cpu', MALLOC_TOP_PAD_='0'))
    }
    assert fetched.keys() == {'True', 'False'}
    assert fetched['True'] < 100 < 10_000 < fetched['False']


@pytest.mark.parametrize('name', ['MALLOC_MMAP_MAX_', 'GLIBC_TUNABLES'])
def test_the_users_setting_wins(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, '1')
    assert not keep_freed_memory('cpu')


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('ctypes.CDLL', lambda name: object())
    assert not keep_freed_memory('cpu')
