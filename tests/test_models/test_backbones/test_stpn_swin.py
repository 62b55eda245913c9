from __future__ import annotations

from typing import Any

import pytest
import torch
from mmdet.models.backbones.swin import SwinTransformer
from mmtrack.registry import MODELS

from stpn_plugin.models.backbones import STPNSwinTransformer
from tests.support.golden import load_golden, load_weights

TINY = dict(embed_dims=24, depths=(2, 2, 2, 2), num_heads=(2, 4, 8, 16))


def build_golden(name: str):
    golden = load_golden(name)
    golden.model.pop('prompt_cfg')
    backbone = STPNSwinTransformer(**golden.model)
    load_weights(backbone, golden.weights)
    return backbone.eval(), golden


def build_tiny(**kwargs: Any) -> STPNSwinTransformer:
    torch.manual_seed(0)
    backbone = STPNSwinTransformer(**{**TINY, 'drop_path_rate': 0.0, **kwargs})
    for parameter in backbone.parameters():  # biases too must matter
        torch.nn.init.normal_(parameter, std=0.2)
    return backbone.eval()


@pytest.mark.parametrize(
    'name',
    [
        *(
            f'backbone_{kind}_{size}'
            for kind in ('noprompt', 'prompt')
            for size in ('64x96', '93x130', '112x112', '150x75')
        ),
        'backbone_prompt_batch',
    ],
)
def test_parity_with_authors(name: str) -> None:
    backbone, golden = build_golden(name)
    with torch.no_grad():
        outs = backbone(golden.inputs['x'], golden.inputs.get('prompts'))
    for i, out in enumerate(outs):
        torch.testing.assert_close(
            out, golden.outputs[f'stage{i}'], rtol=0, atol=golden.tolerance['atol']
        )


def test_gradient_parity_with_authors() -> None:
    backbone, golden = build_golden('backbone_grad')
    prompts = golden.inputs['prompts'].requires_grad_()
    outs = backbone(golden.inputs['x'], prompts)
    loss = sum((golden.inputs[f'w_{i}'] * out).sum() for i, out in enumerate(outs))
    loss.backward()
    torch.testing.assert_close(
        loss.detach(),
        golden.outputs['loss'],
        rtol=0,
        atol=golden.tolerance['loss_atol'],
    )
    grads = {name: p.grad for name, p in backbone.named_parameters()}
    grads['prompts'] = prompts.grad
    for name in ('prompts', *golden.cfg['grad_params']):
        expected = golden.outputs[f'grad_{name}']
        difference = (grads[name] - expected).abs().max() / expected.abs().max()
        assert difference <= golden.tolerance['max_abs_diff_over_max_abs'], name


def test_equals_mmdet_without_prompts_in_training() -> None:
    backbone = build_tiny(drop_path_rate=0.5, fused_attention=False).train()
    stock = SwinTransformer(**TINY, drop_path_rate=0.5)
    stock.load_state_dict(backbone.state_dict())
    stock.train()
    img = torch.randn(2, 3, 64, 96)
    torch.manual_seed(1)
    ours = backbone(img)
    torch.manual_seed(1)
    theirs = stock(img)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs))


def test_checkpointing_gives_the_same_gradients() -> None:
    grads = []
    for with_cp in (False, True):
        backbone = build_tiny(with_cp=with_cp, drop_path_rate=0.3).train()
        prompts = torch.linspace(-1, 1, 5 * 24).view(5, 24).requires_grad_()
        torch.manual_seed(2)
        img = torch.linspace(-2, 2, 2 * 3 * 64 * 64).view(2, 3, 64, 64)
        sum(out.square().mean() for out in backbone(img, prompts)).backward()
        grads.append([prompts.grad, backbone.patch_embed.projection.weight.grad])
    for a, b in zip(*grads):
        torch.testing.assert_close(a, b)


def test_frozen_stages() -> None:
    backbone = build_tiny(frozen_stages=2, drop_path_rate=0.5)
    assert backbone.train() is backbone
    assert not backbone.stages[0].training and not backbone.stages[1].training
    assert backbone.stages[2].training
    prompts = torch.randn(5, 24, requires_grad=True)
    backbone(torch.randn(1, 3, 64, 64), prompts)[-1].sum().backward()
    assert prompts.grad.abs().sum() > 0
    for name, parameter in backbone.named_parameters():
        frozen = name.startswith(
            ('patch_embed', 'stages.0', 'stages.1', 'norm0', 'norm1')
        )
        assert parameter.requires_grad != frozen, name


def test_absolute_position_embedding_at_any_size() -> None:
    backbone = build_tiny(
        use_abs_pos_embed=True, pretrain_img_size=64, fused_attention=False
    )
    stock = SwinTransformer(
        **TINY, drop_path_rate=0.0, use_abs_pos_embed=True, pretrain_img_size=64
    )
    stock.load_state_dict(backbone.state_dict())
    img = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        ours, theirs = backbone(img), (stock.train(False), stock(img))[1]
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs))
        out = backbone(torch.randn(1, 3, 90, 130), torch.randn(5, 24))
    assert out[0].shape == (1, 24, 23, 33)


def test_prompt_dropout_acts_in_training_only() -> None:
    backbone = build_tiny(prompt_drop_rate=1.0)
    img, prompts = torch.randn(1, 3, 64, 64), torch.randn(5, 24)
    kept = backbone(img, prompts)
    backbone.train()
    dropped = backbone(img, prompts)
    assert not torch.allclose(kept[0], dropped[0], atol=1e-3)
    torch.testing.assert_close(dropped, backbone(img, torch.zeros(5, 24)))


def test_built_from_the_registry() -> None:
    backbone = MODELS.build(dict(type='STPNSwinTransformer', **TINY))
    assert isinstance(backbone, SwinTransformer)


@pytest.mark.parametrize(
    'arch, embed_dims, depths, num_heads',
    [
        ('tiny', 96, [2, 2, 6, 2], [3, 6, 12, 24]),
        ('small', 96, [2, 2, 18, 2], [3, 6, 12, 24]),
        ('base', 128, [2, 2, 18, 2], [4, 8, 16, 32]),
        ('large', 192, [2, 2, 18, 2], [6, 12, 24, 48]),
    ],
)
def test_arch_is_a_published_one(
    arch: str, embed_dims: int, depths: list, num_heads: list
) -> None:
    backbone = STPNSwinTransformer(arch=arch, mlp_ratio=1)
    assert backbone.num_features == [embed_dims * 2**i for i in range(4)]
    assert [len(stage.blocks) for stage in backbone.stages] == depths
    heads = [stage.blocks[0].attn.w_msa.num_heads for stage in backbone.stages]
    assert heads == num_heads


def test_explicit_values_win_over_arch() -> None:
    backbone = STPNSwinTransformer(
        arch='base', embed_dims=24, num_heads=(2, 4, 8, 16), depths=(1, 1, 1, 1)
    )
    assert backbone.num_features == [24, 48, 96, 192]
    assert [len(stage.blocks) for stage in backbone.stages] == [1, 1, 1, 1]


def test_unknown_arch_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="'huge'.*'tiny', 'small', 'base', 'large'"):
        STPNSwinTransformer(arch='huge')


@pytest.mark.gpu
def test_cuda_matches_cpu() -> None:
    backbone, img, prompts = (
        build_tiny(),
        torch.randn(2, 3, 70, 101),
        torch.randn(5, 24),
    )
    with torch.no_grad():
        cpu = backbone(img, prompts)
        cuda = backbone.cuda()(img.cuda(), prompts.cuda())
    for a, b in zip(cpu, cuda):
        torch.testing.assert_close(a, b.cpu(), rtol=1e-3, atol=1e-3)
