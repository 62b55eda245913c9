from __future__ import annotations

from typing import Any

import pytest
import torch

from stpn_plugin.models.backbones.attention import attend

SCALE = 0.3
WINDOWS, HEADS, LENGTH, DIM = 900, 4, 18, 8  # more than one piece


def tensors(num_kinds: int) -> list:
    torch.manual_seed(0)
    qkv = torch.randn(WINDOWS, LENGTH, 3, HEADS, DIM).permute(2, 0, 3, 1, 4)
    bias = torch.randn(num_kinds, HEADS, LENGTH, LENGTH)
    return [x.double().requires_grad_() for x in (qkv, bias)]


@pytest.mark.parametrize('num_kinds', [1, 4])
def test_gradients_are_those_of_the_explicit_form(num_kinds: int) -> None:
    kinds = None
    if num_kinds > 1:
        kinds = torch.arange(WINDOWS) % num_kinds
    results: list[Any] = []
    for fused in (True, False):
        inputs = tensors(num_kinds)
        out = attend(*inputs, kinds, SCALE, fused=fused)
        out.square().sum().backward()
        results.append([out.detach(), *(x.grad for x in inputs)])
    for a, b in zip(*results):
        torch.testing.assert_close(a, b)


def test_training_keeps_no_weights() -> None:
    kept = []
    inputs = tensors(1)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: kept.append(tuple(x.shape)) or x, lambda x: x
    ):
        attend(*inputs, None, SCALE)
    assert kept and (WINDOWS, HEADS, LENGTH, LENGTH) not in kept
