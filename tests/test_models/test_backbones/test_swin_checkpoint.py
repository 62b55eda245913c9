from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmdet.models.backbones.swin import SwinTransformer
from torch import Tensor

from stpn_plugin.models.backbones import STPNSwinTransformer
from tests.support.swin_names import authors, timm

TINY = dict(embed_dims=24, depths=(1, 1, 1, 1), num_heads=(2, 4, 8, 16), window_size=7)


@pytest.fixture()
def weights() -> dict[str, Tensor]:
    torch.manual_seed(3)
    backbone = SwinTransformer(**TINY)
    for parameter in backbone.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return backbone.state_dict()


def load(path: Path, checkpoint: dict, **kwargs) -> STPNSwinTransformer:
    torch.save(checkpoint, path)
    backbone = STPNSwinTransformer(
        **{**TINY, **kwargs}, init_cfg=dict(type='Pretrained', checkpoint=str(path))
    )
    backbone.init_weights()
    return backbone


def prefixed(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    others = {'neck.weight': torch.zeros(1), 'prompt_predictor.query': torch.zeros(1)}
    return {**{prefix + key: value for key, value in weights.items()}, **others}


@pytest.mark.parametrize('convert_weights', [False, True])
@pytest.mark.parametrize(
    'wrap',
    [
        lambda weights: weights,
        lambda weights: dict(state_dict=weights, meta={}),
        lambda weights: dict(state_dict=prefixed(weights, 'backbone.')),
        lambda weights: dict(state_dict=prefixed(weights, 'detector.backbone.')),
        lambda weights: dict(state_dict=prefixed(weights, 'module.backbone.')),
    ],
    ids=['bare', 'backbone', 'detector', 'video detector', 'data parallel'],
)
def test_mmdet_names(tmp_path: Path, weights, wrap, convert_weights: bool) -> None:
    backbone = load(
        tmp_path / 'swin.pth', wrap(weights), convert_weights=convert_weights
    )
    assert all(torch.equal(backbone.state_dict()[k], v) for k, v in weights.items())


@pytest.mark.parametrize(
    'wrap',
    [
        lambda weights: dict(model=authors(weights)),
        lambda weights: dict(state_dict=prefixed(authors(weights), 'backbone.')),
        timm,
        lambda weights: timm(weights, merging_first=False),
    ],
    ids=['ImageNet', 'COCO detector', 'timm', 'old timm'],
)
def test_authors_names(tmp_path: Path, weights, wrap) -> None:
    checkpoint = wrap(weights)
    backbone = load(tmp_path / 'swin.pth', checkpoint, convert_weights=True)
    assert all(torch.equal(backbone.state_dict()[k], v) for k, v in weights.items())


def test_authors_names_need_conversion(tmp_path: Path, weights) -> None:
    with pytest.raises(ValueError, match='swin.pth.*convert_weights=True'):
        load(tmp_path / 'swin.pth', dict(model=authors(weights)))


def test_no_swin_weights(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='no Swin weights'):
        load(tmp_path / 'resnet.pth', dict(state_dict={'conv1.weight': torch.zeros(1)}))


def test_another_window_size(tmp_path: Path, weights) -> None:
    table = 'stages.1.blocks.0.attn.w_msa.relative_position_bias_table'
    side = torch.arange(13.0)
    ramp = (side[:, None] + side[None]).view(-1, 1).repeat(1, 4)
    backbone = load(tmp_path / 'swin.pth', {**weights, table: ramp}, window_size=5)
    resized = backbone.state_dict()[table]
    assert resized.shape == (81, 4)
    maps = resized.view(9, 9, 4)
    torch.testing.assert_close(maps[4, 4], torch.full((4,), 12.0))  # centre stays
    assert (maps[1:] > maps[:-1]).all()
    backbone(torch.randn(1, 3, 64, 64))


def test_another_image_size(tmp_path: Path) -> None:
    stock = SwinTransformer(**TINY, use_abs_pos_embed=True, pretrain_img_size=64)
    torch.nn.init.normal_(stock.absolute_pos_embed)
    kwargs = dict(use_abs_pos_embed=True)
    same = load(
        tmp_path / 'a.pth', stock.state_dict(), pretrain_img_size=64, **kwargs
    ).absolute_pos_embed
    assert torch.equal(same, stock.absolute_pos_embed)
    other = load(
        tmp_path / 'b.pth', stock.state_dict(), pretrain_img_size=(32, 48), **kwargs
    )
    assert other.absolute_pos_embed.shape == (1, 8 * 12, 24)


def test_without_checkpoint(tmp_path: Path) -> None:
    backbone = STPNSwinTransformer(**TINY)
    backbone.init_weights()
    assert backbone.stages[0].blocks[0].attn.w_msa.qkv.bias.abs().sum() == 0
