"""Measure speed and memory of backbones, tests, training, loading and metric.

All sides of a comparison take turns in one process. On a CPU, ratios are of processor
time, which other programs on the machine change least; on a GPU, of time by the clock.
Weights are random and frames are generated, so nothing has to be there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import torch

from ..benchmarks import (
    backbones,
    exported,
    loading,
    motion_metric,
    profiles,
    test_loop,
    training,
    waiting,
)
from ..benchmarks.measuring import Settings, Table, machine
from ..utils import (
    check_writable,
    keep_freed_memory,
    markdown_table,
    text_table,
    whole_text,
)
from .command import BaseOptions, Command, flag, option
from .values import device, positive

PARTS: dict[str, Callable[[Settings], list[Table]]] = {
    'backbones': backbones.tables,
    'profile': profiles.tables,
    'training': training.tables,
    'loading': loading.tables,
    'metric': motion_metric.tables,
    'waiting': waiting.tables,
    'kept-memory': backbones.tables_of_kept_memory,
    'test-loop': test_loop.tables,
    'exported': exported.tables,
}
KEEP_MEMORY = ('kept-memory', 'test-loop', 'exported')
"""Parts that keep freed memory on a CPU, as testing does. They come last, as there is
no way back."""
ON_GPU = ('backbones', 'profile', 'test-loop', 'training')
"""Parts that a GPU makes a difference to; without ``--parts``, only they run on one."""


@dataclass
class Options(BaseOptions):
    """What to measure."""

    parts: list[str] | None = option(
        f'of: {", ".join(PARTS)}; default: all, on a GPU {", ".join(ON_GPU)}',
        choices=list(PARTS),
        metavar='PART',
    )
    device: str = option('default: %(default)s', default='cpu', type=device)
    dtypes: list[str] | None = option(
        'default: float32, on a GPU float32 and bfloat16',
        choices=['float32', 'bfloat16', 'float16'],
    )
    batches: list[int] | None = option(
        'images of a batch, default: 1, on a GPU 1 and 8', type=positive, nargs='+'
    )
    threads: int = option('of torch, default: %(default)s', default=1, type=positive)
    quick: bool = flag('see in seconds whether all works; the figures mean nothing')
    out: str | None = option(
        'write the tables as Markdown', metavar='FILE.md', output=True
    )


def run(options: Options) -> None:
    """Run all parts and print their tables.

    Raises:
        OSError: If the file cannot be written.
    """
    if options.out:
        check_writable(options.out)
    torch.set_num_threads(options.threads)
    on_cpu = torch.device(options.device).type == 'cpu'
    settings = Settings(
        device=options.device,
        dtypes=options.dtypes or (['float32'] if on_cpu else ['float32', 'bfloat16']),
        batches=options.batches or ([1] if on_cpu else [1, 8]),
        threads=options.threads,
        quick=options.quick,
    )
    where = machine(settings)
    print(where)
    document = [f'Measured on: {where}.']
    chosen = options.parts or (PARTS if on_cpu else ON_GPU)
    for name in [part for part in PARTS if part in chosen]:
        if name in KEEP_MEMORY:
            keep_freed_memory(options.device)
        for table in PARTS[name](settings):
            print(f'\n{table.title}\n{text_table(table.rows)}')
            if table.notes:
                print(table.notes)
            document += [f'**{table.title}**', markdown_table(table.rows)]
            document += [table.notes] if table.notes else []
    if options.out:
        with whole_text(options.out) as file:
            file.write('\n\n'.join(document) + '\n')


main = Command(__doc__, Options, run)
