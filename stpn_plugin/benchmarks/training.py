"""A training step of STPN against one of the single-frame detector."""

from __future__ import annotations

import torch
from mmengine.optim import OptimWrapper

from .detectors import (
    LARGE,
    SINGLE,
    SMALL,
    STPN,
    Scene,
    build,
    frames,
    read_config,
    with_stock_backbone,
)
from .measuring import Run, Settings, Table, comparison, take_turns

SINGLE_NAME = 'single frame'


def build_side(
    num_refs: int, with_cp: bool, scene: Scene, dtype: str, settings: Settings
) -> Run:
    """Build a training step; without support frames it is the single-frame one's."""
    cfg = read_config(STPN if num_refs else SINGLE, scene)
    if not num_refs:
        cfg = with_stock_backbone(cfg)
    cfg.model.detector.backbone.with_cp = with_cp
    model = build(cfg, settings)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2.5e-5, weight_decay=0.05)
    wrapper = OptimWrapper(optimizer)
    data = model.data_preprocessor(frames(scene, 0, 1, num_refs), training=True)

    def run() -> None:
        with settings.precision(dtype):
            losses = model.loss(data['inputs'], data['data_samples'])
        total, _ = model.parse_losses(losses)
        wrapper.update_params(total)

    return run


def measure(scene: Scene, dtype: str, repeats: int, settings: Settings) -> Table:
    """Compare training steps."""
    sides = {
        SINGLE_NAME: (0, False),
        'STPN, 2 support frames': (2, False),
        'STPN, 14 support frames': (14, False),
        'STPN, 2, with_cp=True': (2, True),
    }
    runs = {
        name: build_side(*how, scene, dtype, settings) for name, how in sides.items()
    }
    costs = take_turns(runs, repeats, settings.device, warm=scene.small)
    return Table(
        f'Training step with one key frame, {scene.name}, {dtype}; medians of '
        f'{repeats}',
        comparison(costs, [SINGLE_NAME], settings),
        "Single frame: mmdet's Swin. Support frames run without gradients and keep no "
        'activations: `support_chunk_size` of them are in memory at a time.',
    )


def tables(settings: Settings) -> list[Table]:
    """All about training."""
    found = []
    for dtype in settings.dtypes:
        found.append(measure(SMALL, dtype, settings.repeats(5), settings))
        if not settings.quick:
            found.append(measure(LARGE, dtype, 3 if settings.on_cpu else 5, settings))
    return found
