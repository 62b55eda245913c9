"""Training with threads that spin while they wait, and with threads that sleep.

The setting is read when torch is loaded, so each is measured in a process of its own,
beside one that keeps a processor busy.
"""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median

import torch

from .detectors import STPN, Scene, build, read_config
from .measuring import Settings, Table, timed

PROGRAM = 'import torch; from stpn_plugin.benchmarks.waiting import main; main()'
"""Loads torch before this package, which would let threads sleep."""

CASES = {
    '2 threads, as torch has them': dict(OMP_NUM_THREADS='2'),
    '2 threads, OMP_WAIT_POLICY=PASSIVE': dict(
        OMP_NUM_THREADS='2', OMP_WAIT_POLICY='PASSIVE'
    ),
    '1 thread': dict(OMP_NUM_THREADS='1'),
}
BUSY = 'import os; parent = os.getppid()\nwhile os.getppid() == parent: pass'
"""Ends with its parent, however that ends."""

LIMIT = 10.0
"""Seconds after which no further step is begun."""

SIZE = (64, 96)
BATCH = 16


def main() -> None:
    """Print the seconds of training steps, one line each."""
    scene = Scene('', SIZE, small=True)
    backbone = build(read_config(STPN, scene), Settings()).detector.backbone.train()
    img, prompts = torch.randn(BATCH, 3, *SIZE), torch.randn(5, 32)

    def step() -> None:
        sum(out.mean() for out in backbone(img, prompts)).backward()

    spent = timed(step, 'cpu').seconds  # the first takes longer: it counts if it must
    steps = [spent]
    while len(steps) < 6 and spent < LIMIT:
        steps.append(timed(step, 'cpu').seconds)
        spent += steps[-1]
    sys.stdout.write('\n'.join(map(str, steps[1:] or steps)))


def steps_of(variables: dict[str, str]) -> list[float]:
    """Seconds of training steps in a process with environment variables."""
    names = ('OMP_NUM_THREADS', 'OMP_WAIT_POLICY', 'GOMP_SPINCOUNT')
    environment = {k: v for k, v in os.environ.items() if k not in names}
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM],
        env={**environment, **variables},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [float(line) for line in done.stdout.split()]


def tables(settings: Settings) -> list[Table]:
    """The comparison."""
    rows = [['torch', 's', 'ratio']]
    base = None
    busy = subprocess.Popen([sys.executable, '-c', BUSY])
    try:
        for name, variables in CASES.items():
            seconds = median(steps_of(variables))
            base = base or seconds
            rows.append([name, f'{seconds:.3f}', f'{seconds / base:.2f}'])
    finally:
        busy.kill()
        busy.wait()
    return [
        Table(
            f'Training step of the small Swin, {BATCH}x3x{SIZE[0]}x{SIZE[1]}, beside '
            'one busy process',
            rows,
            'Seconds by the clock. The commands of this package let threads sleep '
            '(`OMP_WAIT_POLICY=PASSIVE`), unless the user has said how to wait.',
        )
    ]
