from __future__ import annotations

import copy

import pytest
import torch
from mmcv.cnn.bricks.transformer import FFN

from stpn_plugin.models.backbones.mlp import TokenMLP

TOKENS, DIMS, HIDDEN = 300, 4, 64


def build(**kwargs: object) -> TokenMLP:
    torch.manual_seed(0)
    ffn = FFN(DIMS, HIDDEN, act_cfg=dict(type='GELU'), **kwargs)
    return TokenMLP(ffn).double()


@pytest.mark.usefixtures('small_pieces')
def test_gradients_are_those_of_the_layers() -> None:
    in_pieces = build()
    whole = copy.deepcopy(in_pieces)
    tokens = torch.randn(2, TOKENS, DIMS).double()
    grads = []
    for layers, run in ((in_pieces, in_pieces), (whole, whole.layers)):
        x = tokens.clone().requires_grad_()
        out = run(x)
        out.square().sum().backward()
        grads.append([out.detach(), x.grad, *(p.grad for p in layers.parameters())])
    for a, b in zip(*grads):
        torch.testing.assert_close(a, b)


def test_training_keeps_one_hidden_tensor() -> None:
    kept = []
    mlp = build()
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: kept.append(x.numel()) or x, lambda x: x
    ):
        mlp(torch.randn(1, 900, DIMS).double())
    assert kept.count(900 * HIDDEN) == 1


@pytest.mark.parametrize('frozen', [[0], [0, 1, 2, 3]])
def test_frozen_weights_get_no_gradient(frozen: list) -> None:
    mlp = build()
    for i, parameter in enumerate(mlp.parameters()):
        parameter.requires_grad_(i not in frozen)
    mlp(torch.randn(1, 9, DIMS).double().requires_grad_()).sum().backward()
    assert [p.grad is None for p in mlp.parameters()] == [i in frozen for i in range(4)]


def test_dropout_draws_as_the_layers_do() -> None:
    mlp = build(ffn_drop=0.5).train()
    tokens = torch.randn(1, 50, DIMS).double()
    torch.manual_seed(1)
    expected = mlp.layers(tokens)
    torch.manual_seed(1)
    assert torch.equal(mlp(tokens), expected)
