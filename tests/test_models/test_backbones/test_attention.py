from __future__ import annotations

from typing import Any

import pytest
import torch

from stpn_plugin.models.backbones.attention import (
    attend,
    attend_in_training,
    merge_heads,
    split_heads,
)

SCALE = 0.3
IMAGES, WINDOWS, HEADS, LENGTH, DIM = 2, 20, 4, 18, 8
KINDS = torch.arange(WINDOWS) % 3


def tensors(num_kinds: int, num_prompts: int) -> list:
    torch.manual_seed(0)
    size = LENGTH + num_prompts
    shapes = [
        (IMAGES, WINDOWS, LENGTH, 3 * HEADS * DIM),
        (num_kinds, HEADS, size, size),
        (IMAGES, num_prompts, 3 * HEADS * DIM),
    ]
    inputs = [torch.randn(shape).double().requires_grad_() for shape in shapes]
    return inputs if num_prompts else [*inputs[:2], None]


@pytest.mark.usefixtures('small_pieces')
@pytest.mark.parametrize('num_kinds', [1, 3])
@pytest.mark.parametrize('num_prompts', [0, 2])
def test_gradients_are_those_of_the_explicit_form(
    num_kinds: int, num_prompts: int
) -> None:
    kinds = KINDS if num_kinds > 1 else None
    results: list[Any] = []
    for in_pieces in (True, False):
        qkv, bias, shared = inputs = tensors(num_kinds, num_prompts)
        if in_pieces:
            parts = [x for x in (shared, qkv.flatten(1, 2)) if x is not None]
            out = attend_in_training(
                torch.cat(parts, dim=1), num_prompts, bias, kinds, SCALE
            )
            mean, out = out[:, :num_prompts], out[:, num_prompts:]
            out = out.unflatten(1, (WINDOWS, LENGTH))
        else:
            joined = split_heads(shared, qkv, HEADS)
            all_kinds = None if kinds is None else kinds.repeat(IMAGES)
            out = attend(joined, bias, all_kinds, SCALE, fused=False)
            out = merge_heads(out, IMAGES)
            mean, out = out[:, :, :num_prompts].mean(dim=1), out[:, :, num_prompts:]
        outs = [out, mean] if num_prompts else [out]
        sum((i + 1) * x.square().sum() for i, x in enumerate(outs)).backward()
        grads = [x.grad for x in inputs if x is not None]
        results.append([*(x.detach() for x in outs), *grads])
    for a, b in zip(*results):
        torch.testing.assert_close(a, b)


def test_training_keeps_nothing_but_what_comes_in() -> None:
    kept = []
    windows, bias, shared = tensors(3, 2)
    qkv = torch.cat((shared, windows.flatten(1, 2)), dim=1)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: kept.append(tuple(x.shape)) or x, lambda x: x
    ):
        attend_in_training(qkv, 2, bias, KINDS, SCALE)
    inputs = [tuple(x.shape) for x in (qkv, bias, KINDS)]
    assert sorted(kept) == sorted(inputs)
