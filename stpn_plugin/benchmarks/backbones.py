"""Prompted backbones against mmdet's own, and the published way to prompt them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from mmdet.models.backbones.pvt import PyramidVisionTransformerV2
from mmdet.models.backbones.swin import SwinTransformer
from torch import nn

from ..models.backbones import STPNPyramidVisionTransformerV2, STPNSwinTransformer
from .measuring import Run, Settings, Table, comparison, take_turns
from .published_swin import PublishedSwin

STOCK = 'mmdet'
PUBLISHED = 'published, prompted'
SIDES = (
    *(STOCK, PUBLISHED, 'ours', 'ours, prompted'),
    *('explicit', 'explicit, prompted'),
)
"""Compared: mmdet's class; the published way to prompt it, written anew; ours, and ours
with ``fused_attention=False``."""

KINDS: dict[str, tuple[type, type, dict[str, Any], int]] = {
    'swin': (SwinTransformer, STPNSwinTransformer, {}, 96),
    'pvt': (
        PyramidVisionTransformerV2,
        STPNPyramidVisionTransformerV2,
        dict(embed_dims=64, num_layers=[2, 2, 2, 2]),
        64,
    ),
}
"""mmdet's class, ours, their arguments and the channels of prompts."""


@dataclass(frozen=True)
class Case:
    """What a backbone is run on.

    Attributes:
        kind: One of :data:`KINDS`.
        train: Whether there is a backward pass.
        size: (H, W) of the images.
        batch: Number of images.
        prompts: Number of prompts of an image.
        dtype: Chosen by autocast, if it is not float32.
    """

    kind: str = 'swin'
    train: bool = False
    size: tuple[int, int] = (608, 1008)
    batch: int = 1
    prompts: int = 5
    dtype: str = 'float32'

    def title(self) -> str:
        """What it is, in a line."""
        what = 'forward and backward' if self.train else 'inference'
        name = dict(swin='Swin-T', pvt='PVTv2')[self.kind]
        size = f'{self.batch}x3x{self.size[0]}x{self.size[1]}'
        return f'{name}, {what}, {size}, {self.prompts} prompts, {self.dtype}'


def sides_of(kind: str) -> list[str]:
    """Sides that there are for a kind of backbone."""
    return [side for side in SIDES if kind == 'swin' or side != PUBLISHED]


def build_side(side: str, case: Case, settings: Settings) -> Run:
    """Build what a side does once: a forward pass, and a backward one in training."""
    stock, ours, kwargs, dims = KINDS[case.kind]
    kwargs = dict(kwargs, drop_path_rate=0.0)
    torch.manual_seed(0)
    if side == STOCK:
        backbone: nn.Module = stock(**kwargs)
    elif side == PUBLISHED:
        backbone = PublishedSwin(**kwargs)
    else:
        fused = not side.startswith('explicit')
        backbone = ours(fused_attention=fused, **kwargs)
    backbone.train(case.train)  # mmdet's Swin returns nothing from it
    backbone.to(settings.device)
    img = torch.randn(case.batch, 3, *case.size, device=settings.device)
    inputs = [img]
    if side.endswith('prompted'):
        shape = (case.batch, case.prompts, dims)
        inputs.append(torch.randn(shape, device=settings.device))

    def run() -> None:
        with torch.set_grad_enabled(case.train):
            with settings.precision(case.dtype):
                outs = backbone(*inputs)
            if case.train:
                backbone.zero_grad()
                sum(out.float().mean() for out in outs).backward()

    return run


def measure(case: Case, sides: list[str], repeats: int, settings: Settings) -> Table:
    """Compare sides, of which mmdet's is always one."""
    sides = [STOCK, *(side for side in sides if side != STOCK)]
    runs = {side: build_side(side, case, settings) for side in sides}
    costs = take_turns(runs, repeats, settings.device)
    bases = [side for side in (STOCK, PUBLISHED) if side in sides]
    notes = ''
    if PUBLISHED in sides:
        notes = (
            f'"{PUBLISHED}": the method as it was published, written anew on mmdet\'s '
            "modules; it gives the same maps. It is not the authors' program."
        )
    rows = comparison(costs, bases, settings)
    return Table(f'{case.title()}; medians of {repeats}', rows, notes)


def tables(settings: Settings) -> list[Table]:
    """All comparisons of backbones."""
    size = (64, 96) if settings.quick else (608, 1008)
    prompted = 'ours, prompted'
    found = []
    for dtype in settings.dtypes:
        for batch in settings.batches:
            case = Case(size=size, batch=batch, dtype=dtype)
            found.append(
                measure(
                    case, [PUBLISHED, 'ours', prompted], settings.repeats(9), settings
                )
            )
    for dtype in settings.dtypes:
        for batch in settings.batches:
            case = Case(train=True, size=size, batch=batch, dtype=dtype)
            found.append(
                measure(case, [PUBLISHED, prompted], settings.repeats(5), settings)
            )
    for train in (False, True):
        case = Case(kind='pvt', train=train, size=size)
        found.append(measure(case, ['ours', prompted], settings.repeats(5), settings))
    return found


def tables_of_kept_memory(settings: Settings) -> list[Table]:
    """Swin in inference, where the process keeps freed memory."""
    case = Case(size=(64, 96) if settings.quick else (608, 1008))
    sides = [PUBLISHED, 'ours', 'ours, prompted']
    table = measure(case, sides, settings.repeats(9), settings)
    return [
        table._replace(
            title=f'With freed memory kept: {table.title}',
            notes='As in testing on a CPU, see stpn_plugin/utils/allocation.py: what '
            'needs much memory gains most.',
        )
    ]
