from __future__ import annotations

import torch
from mmengine.optim import build_optim_wrapper
from mmtrack.registry import OPTIM_WRAPPERS
from torch import nn

import stpn_plugin  # noqa: F401


def test_runs_in_bfloat16_and_trains_float32_weights() -> None:
    model = nn.Linear(3, 3)
    before = model.weight.detach().clone()
    wrapper = build_optim_wrapper(
        model,
        dict(
            type=OPTIM_WRAPPERS.get('CPUAmpOptimWrapper'),
            optimizer=dict(type='SGD', lr=0.1),
            accumulative_counts=2,
        ),
    )
    for steps in (1, 2):
        with wrapper.optim_context(model):
            out = model(torch.ones(2, 3))
        assert out.dtype is torch.bfloat16
        wrapper.update_params(out.float().sum())
        assert torch.equal(model.weight, before) == (steps == 1)
    assert model.weight.dtype is torch.float32
