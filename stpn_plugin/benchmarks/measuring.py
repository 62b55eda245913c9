"""Time and memory of several ways to do a thing, on any device.

Sides of a comparison take turns in one process, so that what else the machine does
falls on all of them: only ratios are to be relied on, which are medians of those of
each round. On a CPU that other programs use, too, processor time is the better measure,
as waiting is not in it; but with several threads it does not tell which of them had
nothing to do, and the clock has to.
"""

from __future__ import annotations

import ctypes
import os
import platform
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Callable, Iterator, NamedTuple, Sequence

import torch

Run = Callable[[], object]


@dataclass(frozen=True)
class Settings:
    """What to measure with.

    Attributes:
        device: As torch names it.
        dtypes: Floating point types, by torch's names; others than float32 are chosen
            by autocast.
        batches: Numbers of images.
        threads: Of torch, on the CPU.
        quick: Sizes so small that all ends in seconds and the figures mean nothing.
    """

    device: str = 'cpu'
    dtypes: Sequence[str] = ('float32',)
    batches: Sequence[int] = (1,)
    threads: int = 1
    quick: bool = False

    @property
    def on_cpu(self) -> bool:
        """Whether the CPU computes."""
        return torch.device(self.device).type == 'cpu'

    def repeats(self, count: int) -> int:
        """How often each side runs where ``count`` times are enough."""
        return 1 if self.quick else count

    @contextmanager
    def precision(self, dtype: str) -> Iterator[None]:
        """Context in which autocast chooses ``dtype``."""
        enabled = dtype != 'float32'
        kind = torch.device(self.device).type
        with torch.autocast(kind, getattr(torch, dtype), enabled=enabled):
            yield


class Table(NamedTuple):
    """A table of results.

    Attributes:
        title: What was measured.
        rows: Cells; the first row is the head.
        notes: What has to be known to read them.
    """

    title: str
    rows: list[list[str]]
    notes: str = ''


class Time(NamedTuple):
    """What a run takes.

    Attributes:
        seconds: By the clock.
        cpu_seconds: Of all threads of this process.
    """

    seconds: float
    cpu_seconds: float

    def main(self, settings: Settings) -> float:
        """The time that ratios are made of."""
        of_processor = settings.on_cpu and settings.threads == 1
        return self.cpu_seconds if of_processor else self.seconds


class Cost(NamedTuple):
    """What a side costs.

    Attributes:
        times: Of its run in each round.
        mib: Most memory beyond what was held before; None where it is unknown.
    """

    times: Sequence[Time]
    mib: float | None = None

    def median(self) -> Time:
        """Medians of the rounds."""
        return Time(*map(median, zip(*self.times)))

    def ratio(self, base: Cost, settings: Settings) -> float:
        """How many times as long as another side it takes, in the same rounds."""
        return median(
            mine.main(settings) / max(other.main(settings), 1e-9)
            for mine, other in zip(self.times, base.times)
        )


def synchronize(device: str) -> None:
    """Wait until a device has done all that it was asked to."""
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)


def timed(run: Run, device: str) -> Time:
    """Time of one run."""
    synchronize(device)
    clock, cpu = time.perf_counter(), time.process_time()
    run()
    synchronize(device)
    return Time(time.perf_counter() - clock, time.process_time() - cpu)


def peak_memory(run: Run, device: str) -> float | None:
    """Most MiB that a run holds beyond what was held before.

    On a CPU, Linux tells the most memory that the process had since it was last asked;
    memory that the C library keeps for later is given back before. None where there is
    no way to know.
    """
    if torch.device(device).type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        synchronize(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path('/proc/self/clear_refs').write_text('5')  # forgets the peak
    except (OSError, AttributeError, TypeError):
        run()
        return None
    before = _memory('VmRSS')
    run()
    return max(_memory('VmHWM') - before, 0)


def _memory(name: str) -> float:
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(f'{name}:'):
            return int(line.split()[1]) / 2**10
    raise OSError(f'/proc/self/status has no {name}')


def take_turns(
    runs: dict[str, Run], repeats: int, device: str, warm: bool = True
) -> dict[str, Cost]:
    """Run all sides in turn.

    Every other round goes backwards, so that no side is always the one after another.

    Args:
        runs: What each side does.
        repeats: Number of rounds.
        device: Where.
        warm: Whether each runs once before.

    Returns:
        Each side's times, and the memory of one more run.
    """
    for run in runs.values() if warm else ():
        run()
    found: dict[str, list[Time]] = {side: [] for side in runs}
    order = list(runs)
    for _ in range(repeats):
        for side in order:
            found[side].append(timed(runs[side], device))
        order.reverse()
    return {side: Cost(found[side], peak_memory(runs[side], device)) for side in runs}


def comparison(
    costs: dict[str, Cost],
    bases: Sequence[str],
    settings: Settings,
    counts: dict[str, int] | None = None,
    unit: str = '',
) -> list[list[str]]:
    """Rows of a table with ratios of time and memory.

    Args:
        costs: Of each side.
        bases: Sides that the others are divided by.
        settings: What was measured with.
        counts: How many units, such as frames, a run of each side does, by default 1.
            Times are those of one unit.
        unit: Its name; with it, there is a column of units a second.

    Returns:
        The head and a row for each side.
    """
    counts = counts or {}
    head = ['side', 's', 'CPU s', *(f'/ {base}' for base in bases)]
    if unit:
        head.append(f'{unit}s/s')
    rows = [[*head, 'peak MiB', *(f'/ {base}' for base in bases)]]
    for side, cost in costs.items():
        count, time = counts.get(side, 1), cost.median()
        row = [side, number(time.seconds / count), number(time.cpu_seconds / count)]
        for base in bases:
            times = cost.ratio(costs[base], settings) * counts.get(base, 1) / count
            row.append(f'{times:.2f}')
        if unit:
            row.append(number(count / max(time.main(settings), 1e-9)))
        row.append('–' if cost.mib is None else f'{cost.mib:.0f}')
        for base in bases:
            row.append(ratio(cost.mib, costs[base].mib))
        rows.append(row)
    return rows


def ratio(value: float | None, base: float | None) -> str:
    """``value / base``, where both are known."""
    return f'{value / base:.2f}' if value is not None and base else '–'


def number(value: float) -> str:
    """A measured number with three digits that count."""
    if value >= 100:
        return f'{value:,.0f}'
    return f'{value:.{2 if value >= 10 else 3}f}'


def machine(settings: Settings) -> str:
    """What it was measured on."""
    where = [_cpu_name(), f'{os.cpu_count()} cores', f'{settings.threads} thread(s)']
    if not settings.on_cpu:
        where.append(torch.cuda.get_device_name(settings.device))
    if hasattr(os, 'getloadavg'):
        where.append(f'load {os.getloadavg()[0]:.1f} at the start')
    where += [f'torch {torch.__version__}', f'Python {platform.python_version()}']
    return ', '.join(where)


def _cpu_name() -> str:
    try:
        for line in Path('/proc/cpuinfo').read_text().splitlines():
            if line.startswith('model name'):
                return line.split(':')[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
