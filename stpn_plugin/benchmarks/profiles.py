"""Where the time of plain and prompted models goes."""

from __future__ import annotations

import torch
from torch.profiler import ProfilerActivity, profile

from . import test_loop
from .backbones import STOCK, Case, build_side
from .detectors import LARGE, SINGLE, SMALL, STPN
from .measuring import Run, Settings, Table, synchronize

TOP = 10


def shares(run: Run, settings: Settings) -> dict[str, float]:
    """Share of each operator in the time of one run."""
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


def _table(what: str, runs: dict[str, Run], settings: Settings) -> Table:
    """The largest shares of each side."""
    with torch.no_grad():
        sides = {side: shares(run, settings) for side, run in runs.items()}
    names = sorted(
        {name for side in sides.values() for name in side},
        key=lambda name: -max(side.get(name, 0) for side in sides.values()),
    )
    rows = [['operator', *sides]]
    for name in names[:TOP]:
        rows.append([name, *(f'{side.get(name, 0):.1%}' for side in sides.values())])
    return Table(f'Where the time goes: {what}', rows)


def tables(settings: Settings) -> list[Table]:
    """Of backbones and of whole detectors, with and without prompts."""
    size = (64, 96) if settings.quick else (608, 1008)
    scene = SMALL if settings.quick else LARGE
    batch = max(settings.batches)
    found = []
    for dtype in settings.dtypes:
        case = Case(size=size, batch=batch, dtype=dtype)
        backbones = {
            side: build_side(side, case, settings) for side in (STOCK, 'ours, prompted')
        }
        found.append(_table(case.title(), backbones, settings))
        detectors = {
            side: test_loop.build_side(config, scene, batch, dtype, settings)
            for side, config in (('single frame', SINGLE), ('STPN', STPN))
        }
        what = f'whole detectors, {batch} frame(s), {scene.name}, {dtype}'
        found.append(_table(what, detectors, settings))
    return found
