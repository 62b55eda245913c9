"""Time and memory of prompted backbones against mmdet's own.

All sides of a comparison have the same weights and take turns in one process, so
that what else the machine does falls on all of them: only ratios of medians are to be
relied on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..benchmarks.backbones import KINDS, SIDES, Case, measure, sides_of
from ..benchmarks.measuring import Settings, machine
from ..utils import text_table
from .command import BaseOptions, Command, flag, option
from .values import device, positive


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
    sides: list[str] | None = option(
        f'of: {", ".join(SIDES)}; default: all that there are for the kind',
        choices=SIDES,
        metavar='SIDE',
    )


def run(options: Options) -> None:
    """Run the comparison and print its table.

    Raises:
        ValueError: There is no such side for the kind of backbone.
    """
    known = sides_of(options.kind)
    sides = options.sides or known
    for side in sides:
        if side not in known:
            raise ValueError(
                f'--sides: for {options.kind} there is no side {side!r}; choose of '
                f'{", ".join(known)}'
            )
    torch.set_num_threads(options.threads)
    settings = Settings(device=options.device, threads=options.threads)
    case = Case(
        kind=options.kind,
        train=options.train,
        size=(options.size[0], options.size[1]),
        batch=options.batch,
        prompts=options.prompts,
        dtype=options.dtype,
    )
    print(machine(settings))
    table = measure(case, sides, options.repeats, settings)
    print(table.title)
    print(text_table(table.rows))
    print(table.notes)


main = Command(__doc__, Options, run)
