from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmtrack.registry import HOOKS, MODELS
from torch import Tensor, nn

from stpn_plugin.models.prompting import prompted
from tests.support import tiny_models

if tuple(map(int, torch.__version__.split('.')[:2])) < (2, 14):
    pytest.skip(
        'how many graphs torch.compile makes is known of torch 2.14 alone',
        allow_module_level=True,
    )

SIZES = [(64, 96), (96, 128), (128, 64), (160, 96)]


def build() -> nn.Module:
    torch.manual_seed(0)
    predictor = dict(type='AttentionPromptPredictor', num_heads=2)
    return nn.ModuleDict(
        dict(
            backbone=MODELS.build(tiny_models.two_stages()),
            prompt_predictor=MODELS.build(
                dict(predictor, in_channels=16, prompt_dims=8)
            ),
        )
    ).train()


def run_hook(model: nn.Module, **options: Any) -> None:
    hook = HOOKS.build(dict(type='CompileHook', backend='eager', **options))
    runner: Any = SimpleNamespace(model=model)
    hook.before_train(runner)
    hook.before_val(runner)  # changes nothing more


def step(model: Any, size: tuple[int, int]) -> list[Tensor]:
    """What training does with backbone and predictor; maps, and a gradient."""
    model.zero_grad()
    generator = torch.Generator().manual_seed(sum(size))
    support = torch.randn(4, 3, *size, generator=generator)
    images = torch.randn(2, 3, *size, generator=generator)
    with torch.no_grad():
        feats = model.backbone(support)[-1].unflatten(0, (2, 2))
    with prompted(model.backbone, model.prompt_predictor(feats)):
        maps = model.backbone(images)
    sum(one.square().sum() for one in maps).backward()
    return [*maps, model.prompt_predictor.query.grad]


def num_graphs() -> int:
    from torch._dynamo.utils import counters

    return counters['stats']['unique_graphs']


@pytest.mark.slow
def test_few_graphs_serve_all_sizes() -> None:
    """And no part of the forward pass is outside of a graph: ``fullgraph``."""
    torch._dynamo.reset()
    model, plain = build(), build()
    names = list(model.state_dict())
    run_hook(model, fullgraph=True, dynamic=True)
    before = num_graphs()
    for size in SIZES:
        for found, expected in zip(step(model, size), step(plain, size)):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    # Of support frames, of the predictor, and of prompted frames.
    assert num_graphs() - before == 3
    assert list(model.state_dict()) == names
    assert copy.deepcopy(plain).state_dict().keys() == model.state_dict().keys()


@pytest.mark.slow
def test_second_size_makes_the_last_graphs() -> None:
    torch._dynamo.reset()
    model = build()
    run_hook(model, fullgraph=True)
    before = num_graphs()
    made = []
    for size in SIZES[:3]:
        step(model, size)
        made.append(num_graphs() - before)
    assert made == [3, 6, 6]


def test_modules_by_name() -> None:
    model = build()
    run_hook(model, modules=['prompt_predictor'])
    assert 'forward' in vars(model.prompt_predictor)
    assert 'forward' not in vars(model.backbone)
    with pytest.raises(ValueError, match="no module 'neck'"):
        run_hook(model, modules=['neck'])
