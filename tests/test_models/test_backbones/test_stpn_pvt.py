from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.models.backbones.pvt import (
    MixFFN,
    PVTEncoderLayer,
    PyramidVisionTransformerV2,
    SpatialReductionAttention,
)
from mmdet.models.layers import nchw_to_nlc, nlc_to_nchw
from mmengine.config import ConfigDict
from mmtrack.registry import MODELS
from torch import nn

from stpn_plugin.models.backbones import STPNPyramidVisionTransformerV2
from stpn_plugin.models.backbones.prompted_pvt_layers import (
    PromptedMixFFN,
    PromptedPVTLayer,
    PromptedSpatialReductionAttention,
    convolve,
)
from tests.support import tiny_models

CHANNELS = [8, 16, 40, 64]
TINY = dict(embed_dims=8, num_layers=[2, 1, 1, 1], mlp_ratios=[2, 2, 2, 2])
DETECTORS = [
    'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    'retinanet/retinanet_r50_fpn_1x_coco.py',
]


def randomize(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in module.parameters():  # biases too must matter
        nn.init.normal_(parameter, std=0.2)
    return module.eval()


def build_tiny(**kwargs: Any) -> STPNPyramidVisionTransformerV2:
    return randomize(
        STPNPyramidVisionTransformerV2(**{**TINY, 'drop_path_rate': 0.0, **kwargs})
    )


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('size', [(64, 96), (93, 130), (37, 71)])
def test_equals_mmdet_without_prompts(size, training: bool) -> None:
    rates = dict(drop_path_rate=0.5, drop_rate=0.2, attn_drop_rate=0.2)
    backbone = build_tiny(**rates, fused_attention=False).train(training)
    stock = PyramidVisionTransformerV2(**TINY, **rates)
    stock.load_state_dict(backbone.state_dict())
    stock.train(training)
    img = torch.randn(2, 3, *size)
    torch.manual_seed(1)
    ours = backbone(img)
    torch.manual_seed(1)
    theirs = stock(img)
    assert [out.shape[1] for out in ours] == CHANNELS
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs))


@pytest.mark.parametrize('use_conv_ffn', [False, True])
@pytest.mark.parametrize('sr_ratio', [1, 2])
def test_layer_equals_mmdet_without_prompts(sr_ratio: int, use_conv_ffn: bool) -> None:
    stock = randomize(
        PVTEncoderLayer(8, 2, 16, sr_ratio=sr_ratio, use_conv_ffn=use_conv_ffn)
    )
    tokens = torch.randn(2, 5 * 7, 8)
    layer = PromptedPVTLayer(stock, with_cp=False, fused_attention=False)
    assert list(layer.state_dict()) == list(stock.state_dict())
    assert torch.equal(layer(tokens, (5, 7)), stock(tokens, (5, 7)))
    prompted = layer(torch.cat((torch.randn(2, 3, 8), tokens), dim=1), (5, 7))
    assert prompted.shape == (2, 3 + 5 * 7, 8)


@pytest.mark.parametrize(
    'conv',
    [
        nn.Conv2d(4, 6, 3, stride=2, padding=1),
        nn.Conv2d(4, 4, 3, padding=1, groups=4),
        nn.Conv2d(4, 4, 2, stride=2),
    ],
    ids=['patch_embedding', 'depth_wise', 'spatial_reduction'],
)
def test_convolutions_take_prompts_for_constant_maps(conv: nn.Conv2d) -> None:
    prompts, patches = torch.randn(2, 3, 4), torch.randn(2, 6 * 8, 4)
    tokens, hw_shape = convolve([conv], torch.cat((prompts, patches), dim=1), (6, 8))
    maps = conv(patches.transpose(1, 2).view(2, 4, 6, 8))
    assert hw_shape == maps.shape[2:]
    torch.testing.assert_close(tokens[:, 3:], nchw_to_nlc(maps))
    for i in range(3):
        constant = conv(prompts[:, i, :, None, None].expand(-1, -1, 6, 8))
        torch.testing.assert_close(tokens[:, i], constant[:, :, 2, 2])


def test_attention_to_prompts_and_reduced_patches() -> None:
    stock = randomize(SpatialReductionAttention(8, 2, sr_ratio=2))
    tokens, hw_shape = torch.randn(2, 3 + 4 * 6, 8), (4, 6)
    out = PromptedSpatialReductionAttention(stock, True)(tokens, hw_shape)

    kernel, bias = stock.sr.weight, stock.sr.bias
    prompts = tokens[:, :3] @ kernel.sum(dim=(2, 3)).t() + bias
    patches = stock.sr(tokens[:, 3:].transpose(1, 2).view(2, 8, *hw_shape))
    keys = stock.norm(torch.cat((prompts, patches.flatten(2).transpose(1, 2)), dim=1))
    assert keys.shape[1] == 3 + 2 * 3
    w_q, w_k, w_v = stock.attn.in_proj_weight.chunk(3)
    b_q, b_k, b_v = stock.attn.in_proj_bias.chunk(3)
    heads = [slice(0, 4), slice(4, 8)]
    q, k, v = tokens @ w_q.t() + b_q, keys @ w_k.t() + b_k, keys @ w_v.t() + b_v
    expected = [
        (q[..., h] @ k[..., h].transpose(1, 2) / 2).softmax(dim=-1) @ v[..., h]
        for h in heads
    ]
    expected = stock.attn.out_proj(torch.cat(expected, dim=-1))
    torch.testing.assert_close(out, expected)


def test_ffn_of_a_prompt_is_that_of_a_flat_region() -> None:
    stock = randomize(MixFFN(8, 16, use_conv=True))
    prompt = torch.randn(1, 1, 8)
    flat = stock(prompt.expand(-1, 25, -1), (5, 5), identity=torch.zeros(()))
    out = PromptedMixFFN(stock)(
        torch.randn(1, 26, 8).index_copy_(1, torch.tensor([0]), prompt), (5, 5)
    )
    torch.testing.assert_close(out[:, 0], flat[:, 12])


def test_order_of_prompts_does_not_matter() -> None:
    backbone = build_tiny()
    img, prompts = torch.randn(1, 3, 64, 96), torch.randn(5, 8)
    for a, b in zip(backbone(img, prompts), backbone(img, prompts.flip(0))):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_checkpointing_gives_the_same_gradients() -> None:
    grads = []
    for with_cp in (False, True):
        backbone = build_tiny(with_cp=with_cp, drop_path_rate=0.3).train()
        prompts = torch.linspace(-1, 1, 5 * 8).view(5, 8).requires_grad_()
        torch.manual_seed(2)
        img = torch.linspace(-2, 2, 2 * 3 * 64 * 64).view(2, 3, 64, 64)
        sum(out.square().mean() for out in backbone(img, prompts)).backward()
        grads.append([prompts.grad, *(p.grad for p in backbone.parameters())])
    for a, b in zip(*grads):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize('prefix', [None, 'backbone.'])
def test_loads_checkpoints_of_mmdet(tmp_path: Path, prefix: Any) -> None:
    weights = randomize(PyramidVisionTransformerV2(**TINY)).state_dict()
    path = tmp_path / 'mmdet.pth'
    stored = {f'{prefix or ""}{name}': value for name, value in weights.items()}
    torch.save(dict(state_dict=stored), path)
    init_cfg = ConfigDict(type='Pretrained', checkpoint=str(path))
    if prefix:
        init_cfg.prefix = prefix
    backbone = STPNPyramidVisionTransformerV2(**TINY, init_cfg=init_cfg)
    backbone.init_weights()
    loaded = backbone.state_dict()
    assert list(loaded) == list(weights)
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)


@pytest.mark.parametrize('base', DETECTORS)
def test_stpn_trains_and_detects(base: str) -> None:
    torch.manual_seed(0)
    detector = tiny_models.detector(base)
    start = 4 - len(detector.neck.in_channels)
    detector.backbone = dict(
        type='mmtrack.STPNPyramidVisionTransformerV2',
        out_indices=range(start, 4),
        **TINY,
    )
    detector.neck.in_channels = CHANNELS[start:]
    predictor = tiny_models.predictor(in_channels=CHANNELS[-1], prompt_dims=CHANNELS[0])
    model = MODELS.build(
        dict(type='STPN', detector=detector, prompt_predictor=predictor)
    )
    model.init_weights()
    samples = tiny_models.samples(batch_size=2)
    total, _ = model.parse_losses(model.loss(tiny_models.inputs(2), samples))
    total.backward()
    assert torch.isfinite(total)
    assert model.prompt_predictor.query.grad.abs().sum() > 0
    unused = [name for name, p in model.named_parameters() if p.grad is None]
    assert not unused  # DistributedDataParallel would stop

    scores = []
    for seed in (0, 1):  # other support frames
        inputs = tiny_models.inputs(num_refs=3)
        inputs['ref_img'] = tiny_models.inputs(num_refs=3, seed=seed)['ref_img']
        with torch.no_grad():
            (result,) = model.eval().predict(inputs, tiny_models.samples())
        scores.append(result.pred_det_instances.scores[:5])
    assert scores[0].shape == scores[1].shape == (5,)
    assert not torch.equal(*scores)


@pytest.mark.gpu
def test_cuda_matches_cpu() -> None:
    backbone, img = build_tiny(), torch.randn(2, 3, 70, 101)
    prompts = torch.randn(5, 8)
    with torch.no_grad():
        cpu = backbone(img, prompts)
        cuda = backbone.cuda()(img.cuda(), prompts.cuda())
    for a, b in zip(cpu, cuda):
        torch.testing.assert_close(a, b.cpu(), rtol=1e-3, atol=1e-3)


@pytest.mark.usefixtures('small_pieces')
@pytest.mark.parametrize('use_conv', [True, False])
def test_large_maps_pass_the_mlp_as_small_ones_do(use_conv: bool) -> None:
    """In inference the hidden channels are computed a few at a time."""
    torch.manual_seed(0)
    stock = MixFFN(8, 64, use_conv=use_conv).eval()
    ffn = PromptedMixFFN(stock)
    tokens = torch.randn(2, 3 + 15 * 20, 8)
    with torch.no_grad():
        outs = ffn(tokens, (15, 20))
        expected = stock.layers(nlc_to_nchw(tokens[:, 3:], (15, 20)))
    torch.testing.assert_close(outs[:, 3:], nchw_to_nlc(expected))
    torch.testing.assert_close(outs, ffn(tokens, (15, 20)).detach())
