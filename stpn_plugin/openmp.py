"""How torch's threads wait for each other on the CPU.

The threads of libgomp, which computes for torch on the CPU, spin while they wait.
Beside other programs they take the processor away from the very thread that they wait
for. A training step of the tiny Swin of ``projects/tiny_vid`` with two threads, beside
one busy process on two cores, took 3.94 s; with threads that sleep 0.28 s; with a
single thread 0.67 s. On an idle machine spinning and sleeping were alike, within noise.
"""

from __future__ import annotations

import os


def use_passive_waiting() -> None:
    """Let threads sleep while they wait, unless the user has said how to wait.

    Has an effect where torch is imported later, in this process or in one that it
    starts: libgomp reads its settings when it is loaded. It follows ``GOMP_SPINCOUNT``
    rather than what is set here.
    """
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
