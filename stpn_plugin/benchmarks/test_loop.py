"""Frames a second of whole detectors, and memory of a video's first frame."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Iterator

import torch

from .detectors import (
    LARGE,
    SELSA,
    SINGLE,
    SMALL,
    STPN,
    Scene,
    build,
    frames,
    read_config,
    with_stock_backbone,
)
from .measuring import (
    Run,
    Settings,
    Table,
    Time,
    comparison,
    peak_memory,
    take_turns,
    timed,
)

SINGLE_NAME = 'single frame'
TURN = 8
"""Frames that a side tests in its turn, so that all sides' turns are alike."""
NUM_REFS = 2
"""Support frames of the videos that are timed: after the first frame, their number
makes no difference to STPN."""


def build_side(
    config: str, scene: Scene, batch: int, dtype: str, settings: Settings
) -> Run:
    """Open a video, and return what tests its next :data:`TURN` frames."""
    cfg = read_config(config, scene)
    if config == SINGLE:
        cfg = with_stock_backbone(cfg)
    model = build(cfg, settings)
    starts = count(1, batch)

    def test(first: int, number: int, num_refs: int) -> None:
        data = frames(scene, first, number, num_refs)
        with torch.no_grad(), settings.precision(dtype):
            model.test_step(data)

    test(0, 1, 0 if config == SINGLE else NUM_REFS)

    def turn() -> None:
        for _ in range(TURN // batch):
            test(next(starts), batch, 0)

    return turn


def loop_table(scene: Scene, dtype: str, repeats: int, settings: Settings) -> Table:
    """Compare detectors after a video's first frame."""
    make = partial(build_side, scene=scene, dtype=dtype, settings=settings)
    sides = {
        SINGLE_NAME: (SINGLE, 1),
        f'{SINGLE_NAME}, batch 8': (SINGLE, 8),
        'STPN, batch 1': (STPN, 1),
        'STPN, batch 8': (STPN, 8),
        'SELSA R50': (SELSA, 1),
    }
    runs = {name: make(config, batch=n) for name, (config, n) in sides.items()}
    with torch.no_grad():
        costs = take_turns(runs, repeats, settings.device)
    counts = dict.fromkeys(sides, TURN)
    rows = comparison(costs, [SINGLE_NAME], settings, counts, unit='frame')
    return Table(
        f"Test loop after a video's first frame, {scene.name}, {dtype}; medians of "
        f'{repeats} times {TURN} frames',
        rows,
        'Times are those of one frame; memory is that of the batch. Single frame: '
        "mmdet's Swin; SELSA: mmtrack's, a ResNet-50-DC5 with "
        f'{NUM_REFS} reference frames. No boxes are left of random weights. '
        'On a CPU freed memory is kept, as in testing.',
    )


@contextmanager
def all_cores(settings: Settings) -> Iterator[Settings]:
    """Let torch use all cores, as testing does, and settings say so."""
    threads = os.cpu_count() or 1
    torch.set_num_threads(threads)
    try:
        yield replace(settings, threads=threads)
    finally:
        torch.set_num_threads(settings.threads)


def batch_table(scene: Scene, dtype: str, repeats: int, settings: Settings) -> Table:
    """Compare batches of a video's frames on all cores."""
    with all_cores(settings) as wide:
        runs = {
            f'batch {batch}': build_side(STPN, scene, batch, dtype, wide)
            for batch in (1, TURN)
        }
        with torch.no_grad():
            costs = take_turns(runs, repeats, wide.device)
        rows = comparison(
            costs, ['batch 1'], wide, dict.fromkeys(runs, TURN), unit='frame'
        )
    return Table(
        f'STPN by test batch size, {wide.threads} threads, {scene.name}, {dtype}; '
        f'medians of {repeats} times {TURN} frames',
        rows,
        "After a video's first frame, with as many threads as there are cores, as "
        'testing has them; times by the clock.',
    )


def support_table(scene: Scene, num_frames: int, settings: Settings) -> Table:
    """Cost of making prompts from support frames, by ``support_chunk_size``."""
    model = build(read_config(STPN, scene), settings)
    imgs = torch.randn(1, num_frames, 3, *scene.size, device=settings.device)
    rows = [['frames at a time', 's a frame', 'CPU s a frame', 'peak MiB']]
    for chunk in (2, 14):
        model.support_chunk_size = chunk
        costs: list[Time] = []

        def run(costs: list[Time] = costs) -> None:
            once = partial(model.support_features, imgs)
            costs.append(timed(once, settings.device))

        mib = peak_memory(run, settings.device)
        (cost,) = costs
        times = (cost.seconds / num_frames, cost.cpu_seconds / num_frames)
        shown = '–' if mib is None else f'{mib:.0f}'
        rows.append([str(chunk), *(f'{t:.3f}' for t in times), shown])
    return Table(
        f"{num_frames} support frames at a video's first frame, {scene.name}",
        rows,
        'By `support_chunk_size` of the model, 14 by default: memory depends on it, '
        'and not on the number of support frames. One run each.',
    )


def tables(settings: Settings) -> list[Table]:
    """All about the test loop."""
    found = []
    for dtype in settings.dtypes:
        found.append(loop_table(SMALL, dtype, settings.repeats(21), settings))
        if not settings.quick:
            found.append(loop_table(LARGE, dtype, 3, settings))
        if settings.on_cpu:
            scene = SMALL if settings.quick else LARGE
            found.append(batch_table(scene, dtype, settings.repeats(9), settings))
    if settings.quick:
        return [*found, support_table(SMALL, 4, settings)]
    return [*found, support_table(LARGE, 28, settings)]
