from __future__ import annotations

import sys

import pytest
import torch

from stpn_plugin.benchmarks.measuring import (
    Cost,
    Settings,
    Time,
    comparison,
    peak_memory,
    take_turns,
)

MIB = 2**18  # numbers of four bytes


@pytest.mark.skipif(sys.platform != 'linux', reason='Linux tells the peak')
def test_peak_memory_is_that_of_the_run_alone() -> None:
    kept = torch.ones(64 * MIB)
    peak_memory(lambda: torch.ones(256 * MIB).sum(), 'cpu')  # forgotten afterwards
    for size in (96, 32):
        found = peak_memory(lambda size=size: torch.ones(size * MIB).sum(), 'cpu')
        assert found == pytest.approx(size, abs=8)
    assert kept.sum() == len(kept)


@pytest.mark.gpu
def test_peak_memory_on_a_gpu() -> None:
    found = peak_memory(lambda: torch.ones(96 * MIB, device='cuda').sum(), 'cuda')
    assert found == pytest.approx(96, abs=8)


def test_sides_take_turns() -> None:
    order: list[str] = []
    runs = {side: lambda side=side: order.append(side) for side in 'ab'}
    costs = take_turns(runs, repeats=2, device='cpu')
    assert order == list('ab' + 'abba' + 'ab')  # warm up, time, memory
    assert {side: len(cost.times) for side, cost in costs.items()} == dict(a=2, b=2)


@pytest.mark.parametrize(
    ('device', 'threads', 'expected'),
    [('cpu', 1, '0.50'), ('cpu', 2, '2.00'), ('cuda', 1, '2.00')],
)
def test_ratios_are_of_processor_time_on_one_thread(
    device: str, threads: int, expected: str
) -> None:
    costs = dict(a=Cost([Time(2.0, 4.0)], 10.0), b=Cost([Time(16.0, 8.0)]))
    settings = Settings(device=device, threads=threads)
    head, first, second = comparison(
        costs, ['a'], settings, counts=dict(b=4), unit='frame'
    )
    assert head == ['side', 's', 'CPU s', '/ a', 'frames/s', 'peak MiB', '/ a']
    assert first[3] == first[6] == '1.00'
    assert second[:4] == ['b', '4.000', '2.000', expected]
    assert second[5:] == ['–', '–']


def test_ratios_are_those_of_rounds() -> None:
    """A machine that gets slower, or is slow for a while, changes none."""
    slowness = (1, 5, 2, 9, 3)
    costs = dict(
        a=Cost([Time(0.0, float(slow)) for slow in slowness]),
        b=Cost([Time(0.0, 2.0 * slow) for slow in slowness[:4]] + [Time(0.0, 99.0)]),
    )
    _, first, second = comparison(costs, ['a'], Settings())
    assert first[2:4] == ['3.000', '1.00']
    assert second[2:4] == ['10.00', '2.00']
