#!/usr/bin/env python
"""Time and memory of prompted backbones against mmdet's own.

All sides of a comparison have the same weights and take turns in one process, so
that what else the machine does falls on all of them: only ratios of medians are to be
relied on. Peak memory is measured in a process for each side.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import time
from pathlib import Path
from statistics import median
from typing import Callable, Sequence

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')  # read when torch is loaded

import torch  # noqa: E402
from mmdet.models.backbones.pvt import PyramidVisionTransformerV2  # noqa: E402
from mmdet.models.backbones.swin import SwinTransformer  # noqa: E402
from torch import nn  # noqa: E402

from stpn_plugin.models.backbones import (  # noqa: E402
    STPNPyramidVisionTransformerV2,
    STPNSwinTransformer,
)
from stpn_plugin.utils import markdown_table  # noqa: E402

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


def build_side(side: str, args: argparse.Namespace) -> Callable[[], None]:
    """Build what a side does once.

    Args:
        side: One of ``SIDES``.
        args: The command line's.

    Returns:
        A forward in inference, or forward and backward with ``args.train``.
    """
    stock, ours, settings = KINDS[args.kind]
    torch.manual_seed(0)
    if side == STOCK:
        backbone: nn.Module = stock(drop_path_rate=0.0, **settings)
    else:
        fused = not side.startswith('explicit')
        backbone = ours(drop_path_rate=0.0, fused_attention=fused, **settings)
    backbone.train(args.train)  # mmdet's Swin returns nothing from it
    backbone.to(args.device)
    img = torch.randn(args.batch, 3, *args.size, device=args.device)
    dims = 96 if args.kind == 'swin' else 64
    prompts = torch.randn(args.batch, args.prompts, dims, device=args.device)
    inputs = (img, prompts) if side.endswith('prompted') else (img,)
    dtype = getattr(torch, args.dtype)
    device_type = torch.device(args.device).type

    def run() -> None:
        lower = torch.autocast(device_type, dtype, enabled=dtype is not torch.float32)
        with torch.set_grad_enabled(args.train), lower:
            outs = backbone(*inputs)
            if args.train:
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


def peak_memory(side: str, args: argparse.Namespace) -> float:
    """MiB that a side takes beyond what is there before it first runs."""
    torch.set_num_threads(args.threads)
    run = build_side(side, args)
    if args.device != 'cpu':
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


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--kind', choices=KINDS, default='swin')
    parser.add_argument('--train', action='store_true', help='forward and backward')
    parser.add_argument(
        '--size', type=int, nargs=2, default=(608, 1008), metavar=('H', 'W')
    )
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--prompts', type=int, default=5, help='prompts of an image')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--device', default='cpu')
    parser.add_argument(
        '--dtype', choices=('float32', 'bfloat16', 'float16'), default='float32'
    )
    parser.add_argument('--sides', nargs='+', choices=SIDES, default=SIDES)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the comparison and print its table."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    sides = [STOCK, *(side for side in args.sides if side != STOCK)]
    runs = {side: build_side(side, args) for side in sides}
    times = time_sides(runs, args.repeats)
    del runs
    memory = {}
    context = multiprocessing.get_context('spawn')
    for side in sides:
        with context.Pool(1) as pool:
            memory[side] = pool.apply(peak_memory, (side, args))

    device = 'cpu' if args.device == 'cpu' else torch.cuda.get_device_name()
    print(
        f'{args.kind}, {"forward and backward" if args.train else "inference"}, '
        f'{args.batch}x3x{args.size[0]}x{args.size[1]}, {args.prompts} prompts, '
        f'{args.dtype}, medians of {args.repeats} alternating runs'
    )
    print(
        f'{platform.machine()} {platform.system()}, {os.cpu_count()} cores, '
        f'{args.threads} thread(s), load {os.getloadavg()[0]:.1f}, {device}, '
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


if __name__ == '__main__':
    main()
