"""Time and memory of prompted backbones against mmdet's own.

All sides of a comparison have the same weights and take turns in one process, so
that what else the machine does falls on all of them: only ratios of medians are to be
relied on. Peak memory is measured in a process for each side.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Callable

import torch
from mmdet.models.backbones.pvt import PyramidVisionTransformerV2
from mmdet.models.backbones.swin import SwinTransformer
from torch import nn

from ..models.backbones import STPNPyramidVisionTransformerV2, STPNSwinTransformer
from ..utils import end_with_parent, markdown_table
from .command import BaseOptions, Command, flag, option
from .values import device, positive

STOCK = 'mmdet'
SIDES = (STOCK, 'ours', 'ours, prompted', 'explicit', 'explicit, prompted')
"""Compared: mmdet's class, ours, and ours with ``fused_attention=False``."""

KINDS: dict[str, tuple[type, type, dict]] = {
    'swin': (SwinTransformer, STPNSwinTransformer, {}),
    'pvt': (
        PyramidVisionTransformerV2,
        STPNPyramidVisionTransformerV2,
        dict(embed_dims=64, num_layers=[2, 2, 2, 2]),
    ),
}


@dataclass
class Options(BaseOptions):
    """What to measure."""

    kind: str = option('default: %(default)s', default='swin', choices=list(KINDS))
    train: bool = flag('forward and backward')
    size: tuple[int, int] = option(
        'default: %(default)s',
        default=(608, 1008),
        type=positive,
        nargs=2,
        metavar=('H', 'W'),
    )
    batch: int = option('images, default: %(default)s', default=1, type=positive)
    prompts: int = option(
        'prompts of an image, default: %(default)s', default=5, type=positive
    )
    repeats: int = option('default: %(default)s', default=5, type=positive)
    threads: int = option('default: %(default)s', default=1, type=positive)
    device: str = option('default: %(default)s', default='cpu', type=device)
    dtype: str = option(
        'default: %(default)s',
        default='float32',
        choices=['float32', 'bfloat16', 'float16'],
    )
    sides: list[str] = option(
        f'of: {", ".join(SIDES)}; default: all',
        default=SIDES,
        choices=SIDES,
        metavar='SIDE',
    )


def build_side(side: str, options: Options) -> Callable[[], None]:
    """Build what a side does once.

    Args:
        side: One of ``SIDES``.
        options: The command line's.

    Returns:
        A forward in inference, or forward and backward with ``options.train``.
    """
    stock, ours, settings = KINDS[options.kind]
    torch.manual_seed(0)
    if side == STOCK:
        backbone: nn.Module = stock(drop_path_rate=0.0, **settings)
    else:
        fused = not side.startswith('explicit')
        backbone = ours(drop_path_rate=0.0, fused_attention=fused, **settings)
    backbone.train(options.train)  # mmdet's Swin returns nothing from it
    backbone.to(options.device)
    img = torch.randn(options.batch, 3, *options.size, device=options.device)
    dims = 96 if options.kind == 'swin' else 64
    prompts = torch.randn(options.batch, options.prompts, dims, device=options.device)
    inputs = (img, prompts) if side.endswith('prompted') else (img,)
    dtype = getattr(torch, options.dtype)
    device_type = torch.device(options.device).type

    def run() -> None:
        lower = torch.autocast(device_type, dtype, enabled=dtype is not torch.float32)
        with torch.set_grad_enabled(options.train), lower:
            outs = backbone(*inputs)
            if options.train:
                backbone.zero_grad()
                sum(out.float().mean() for out in outs).backward()
        if device_type == 'cuda':
            torch.cuda.synchronize()

    return run


def time_sides(
    runs: dict[str, Callable[[], None]], repeats: int
) -> dict[str, tuple[float, float]]:
    """Run all sides in turn; the median seconds of each, by clock and of CPU."""
    times: dict[str, list[tuple[float, float]]] = {side: [] for side in runs}
    for run in runs.values():
        run()
    for _ in range(repeats):
        for side, run in runs.items():
            clock, cpu = time.perf_counter(), time.process_time()
            run()
            spent = (time.perf_counter() - clock, time.process_time() - cpu)
            times[side].append(spent)
    return {
        side: (median(clock for clock, _ in spent), median(cpu for _, cpu in spent))
        for side, spent in times.items()
    }


def peak_memory(side: str, options: Options) -> float:
    """MiB that a side takes beyond what is there before it first runs."""
    torch.set_num_threads(options.threads)
    run = build_side(side, options)
    if options.device != 'cpu':
        before = torch.cuda.memory_allocated()
        run()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    before = _resident_peak()
    run()
    return _resident_peak() - before


def _resident_peak() -> float:
    """Peak resident MiB of this process; `ru_maxrss` is its parent's too."""
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) / 2**10
    raise RuntimeError('peak memory on CPU is read from Linux: no VmHWM in /proc')


def run(options: Options) -> None:
    """Run the comparison and print its table."""
    torch.set_num_threads(options.threads)
    sides = [STOCK, *(side for side in options.sides if side != STOCK)]
    runs = {side: build_side(side, options) for side in sides}
    times = time_sides(runs, options.repeats)
    del runs
    memory = {}
    context = multiprocessing.get_context('spawn')
    for side in sides:
        with context.Pool(1, initializer=end_with_parent) as pool:
            memory[side] = pool.apply(peak_memory, (side, options))

    device = 'cpu' if options.device == 'cpu' else torch.cuda.get_device_name()
    print(
        f'{options.kind}, {"forward and backward" if options.train else "inference"}, '
        f'{options.batch}x3x{options.size[0]}x{options.size[1]}, '
        f'{options.prompts} prompts, '
        f'{options.dtype}, medians of {options.repeats} alternating runs'
    )
    print(
        f'{platform.machine()} {platform.system()}, {os.cpu_count()} cores, '
        f'{options.threads} thread(s), load {os.getloadavg()[0]:.1f}, {device}, '
        f'torch {torch.__version__}, Python {platform.python_version()}'
    )
    rows = [['side', 's', 'ratio', 'CPU s', 'ratio', 'peak MiB', 'ratio']]
    for side in sides:
        row = [side]
        for value, base, form in (
            (times[side][0], times[STOCK][0], '.3f'),
            (times[side][1], times[STOCK][1], '.3f'),
            (memory[side], memory[STOCK], '.0f'),
        ):
            row += [format(value, form), f'{value / max(base, 1e-9):.2f}']
        rows.append(row)
    print(markdown_table(rows))


main = Command(__doc__, Options, run)
