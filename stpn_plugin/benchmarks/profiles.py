"""Where the time of plain and prompted backbones goes."""

from __future__ import annotations

import torch
from torch.profiler import ProfilerActivity, profile

from .backbones import STOCK, Case, build_side
from .measuring import Settings, Table, synchronize

TOP = 10


def shares(case: Case, side: str, settings: Settings) -> dict[str, float]:
    """Share of each operator in the time of one run."""
    run = build_side(side, case, settings)
    run()
    activities = [ProfilerActivity.CPU]
    if not settings.on_cpu:
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as found:
        run()
        synchronize(settings.device)
    times = {event.key: _own_time(event, settings) for event in found.key_averages()}
    total = max(sum(times.values()), 1e-9)
    return {name: spent / total for name, spent in times.items()}


def _own_time(event: object, settings: Settings) -> float:
    """Microseconds without those of what it calls; torch < 2.4 has another name."""
    if settings.on_cpu:
        return float(getattr(event, 'self_cpu_time_total', 0))
    for name in ('self_device_time_total', 'self_cuda_time_total'):
        if hasattr(event, name):
            return float(getattr(event, name))
    return 0.0


def tables(settings: Settings) -> list[Table]:
    """The largest shares, with and without prompts."""
    size = (64, 96) if settings.quick else (608, 1008)
    found = []
    for dtype in settings.dtypes:
        case = Case(size=size, batch=max(settings.batches), dtype=dtype)
        with torch.no_grad():
            sides = {
                side: shares(case, side, settings) for side in (STOCK, 'ours, prompted')
            }
        names = sorted(
            {name for side in sides.values() for name in side},
            key=lambda name: -max(side.get(name, 0) for side in sides.values()),
        )
        rows = [['operator', *sides]]
        for name in names[:TOP]:
            rows.append(
                [name, *(f'{side.get(name, 0):.1%}' for side in sides.values())]
            )
        found.append(Table(f'Where the time goes: {case.title()}', rows))
    return found
