"""Sources of prompts take their dimensions from the backbone, or must fit it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmtrack.registry import MODELS
from torch import nn

from stpn_plugin.models.backbones import (
    STPNPyramidVisionTransformerV2,
    STPNSwinTransformer,
)

BACKBONES = {
    'swin': lambda **kwargs: STPNSwinTransformer(
        embed_dims=16, depths=(1, 2, 1, 1), num_heads=(2, 2, 4, 8), **kwargs
    ),
    'pvt': lambda **kwargs: STPNPyramidVisionTransformerV2(
        embed_dims=8, num_layers=[1, 2, 1, 1], mlp_ratios=[2, 2, 2, 2], **kwargs
    ),
}
AVERAGE = dict(type='AveragePromptPredictor', num_prompts=3)
SOURCES = [
    dict(type='AttentionPromptPredictor', num_heads=4),
    AVERAGE,
    dict(type='MixerPromptPredictor'),
    dict(type='LearnedPrompts'),
    dict(type='LearnedPrompts', deep_depths=(1, 2, 1, 1)),
    dict(type='LearnedPrompts', deep=True),
    dict(type='DeepPromptPredictor', predictor=AVERAGE, blocks=[(1, 1), (3, 0)]),
]


def build(cfg: dict, backbone: nn.Module) -> Any:
    """Build a source as a detector does."""
    dims = MODELS.get(cfg['type']).dims_from(backbone)
    return MODELS.build({**dims, **cfg})


@pytest.mark.parametrize('cfg', SOURCES, ids=lambda cfg: cfg['type'])
@pytest.mark.parametrize('out_indices', [(0, 1, 2, 3), (1, 2)])
@pytest.mark.parametrize('kind', BACKBONES)
def test_source_built_from_the_backbone_prompts_it(
    kind: str, out_indices: tuple, cfg: dict
) -> None:
    backbone = BACKBONES[kind](out_indices=out_indices).eval()
    source = build(cfg, backbone)
    source.check_backbone(backbone)
    img = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        args = []
        if source.needs_support:
            feats = source.support_features(backbone, img)
            if isinstance(feats, dict):
                args = [{place: value[None] for place, value in feats.items()}]
            else:
                args = [feats[None]]
        outs = backbone(img, source(*args))
        plain = backbone(img)
    assert not torch.allclose(outs[-1], plain[-1])


@pytest.mark.parametrize(
    'cfg, message',
    [
        (
            dict(type='AveragePromptPredictor', in_channels=96, prompt_dims=16),
            'in_channels=96, .*STPNSwinTransformer, needs in_channels=128',
        ),
        (dict(type='LearnedPrompts', prompt_dims=8), 'needs prompt_dims=16'),
        (
            dict(type='LearnedPrompts', prompt_dims=16, deep_depths=(1, 3, 1, 1)),
            r'blocks \[\(1, 2\)\]',
        ),
        (
            dict(
                type='DeepPromptPredictor',
                predictor=AVERAGE,
                channels=[16, 32, 48, 128],
                blocks=[(2, 0)],
            ),
            'stage 2 of STPNSwinTransformer has 64',
        ),
        (
            dict(
                type='DeepPromptPredictor',
                predictor=AVERAGE,
                channels=[16, 32, 64, 128],
                blocks=[(2, 1)],
            ),
            r'blocks \[\(2, 1\)\]',
        ),
    ],
    ids=['in_channels', 'prompt_dims', 'deep_depths', 'channels', 'blocks'],
)
def test_source_that_does_not_fit_is_refused(cfg: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MODELS.build(cfg).check_backbone(BACKBONES['swin']())


def test_stages_beyond_the_channels_are_refused() -> None:
    with pytest.raises(ValueError, match=r'stages \[4\]'):
        MODELS.build(
            dict(
                type='DeepPromptPredictor',
                predictor=AVERAGE,
                channels=[16, 32, 64, 128],
                blocks=[(4, 0)],
            )
        )


@pytest.mark.parametrize('kind', BACKBONES)
def test_deep_prompts_are_for_all_blocks(kind: str) -> None:
    cfg, backbone = dict(type='LearnedPrompts'), BACKBONES[kind]()
    deep = build(dict(cfg, deep=True), backbone)
    stated = build(dict(cfg, deep_depths=(1, 2, 1, 1)), backbone)
    assert list(deep()) == [(0, 0), (1, 0), (1, 1), (2, 0), (3, 0)]
    stated.load_state_dict(deep.state_dict())
    fewer = build(dict(cfg, deep=True, deep_depths=(1, 1)), backbone)
    assert list(fewer()) == [(0, 0), (1, 0)]
    assert not isinstance(build(cfg, backbone)(), dict)


class InputOnly(nn.Module):
    """Takes prompts at its input, and offers no access to blocks."""

    out_indices = (0,)
    feat_channels = (16,)
    feat_strides = (4,)

    def forward(self, x: torch.Tensor, prompts: Any = None) -> tuple:
        return (x,)


def test_block_prompts_need_access_to_blocks() -> None:
    shallow = MODELS.build(dict(type='LearnedPrompts', prompt_dims=16))
    shallow.check_backbone(InputOnly())
    deep = build(
        dict(type='DeepPromptPredictor', predictor=AVERAGE, blocks=[(0, 0)]),
        InputOnly(),
    )
    with pytest.raises(TypeError, match='InputOnly lacks .*block_inputs'):
        deep.check_backbone(InputOnly())
    with pytest.raises(ValueError, match='deep=True needs num_blocks'):
        build(dict(type='LearnedPrompts', deep=True), InputOnly())
