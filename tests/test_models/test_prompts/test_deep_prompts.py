"""Prompts of single blocks: learned (VPT) and predicted."""

from __future__ import annotations

import pytest
import torch
from mmtrack.registry import MODELS

from stpn_plugin.models.backbones import STPNSwinTransformer
from tests.support import tiny_models
from tests.support.golden import Golden, load_golden, load_weights


def split(golden: Golden, names: tuple):
    """The backbone of a case, and the weights of its prompt source."""
    golden.model.pop('prompt_cfg')
    mine = {k: v for k, v in golden.weights.items() if any(n in k for n in names)}
    backbone = STPNSwinTransformer(**golden.model).eval()
    load_weights(backbone, {k: v for k, v in golden.weights.items() if k not in mine})
    return backbone, mine


def assert_stages(outs, golden: Golden) -> None:
    for i, out in enumerate(outs):
        torch.testing.assert_close(
            out, golden.outputs[f'stage{i}'], rtol=0, atol=golden.tolerance['atol']
        )


@pytest.mark.parametrize('kind', ['shallow', 'deep'])
def test_learned_prompts_parity(kind: str) -> None:
    golden = load_golden(f'static_prompt_{kind}')
    backbone, weights = split(golden, ('prompt_embeddings',))
    depths = golden.model['depths'] if kind == 'deep' else ()
    source = MODELS.build(
        dict(
            type='LearnedPrompts',
            prompt_dims=golden.model['embed_dims'],
            deep_depths=depths,
        )
    )
    source.load_state_dict(weights)
    with torch.no_grad():
        assert_stages(backbone(golden.inputs['x'], source()), golden)


def test_predicted_prompts_parity() -> None:
    golden = load_golden('deep_backbone')
    backbone, weights = split(golden, ('predictor',))
    dims = golden.model['embed_dims']
    source = MODELS.build(
        dict(
            type='DeepPromptPredictor',
            predictor=dict(type='AveragePromptPredictor'),
            channels=[dims * 2**i for i in range(4)],
            blocks=[(2, 1), (3, 0), (3, 1)],
        )
    )
    source.load_state_dict(weights)
    with torch.no_grad():
        feats = source.support_features(backbone, golden.inputs['refs'])
        prompts = source({block: value[None] for block, value in feats.items()})
        for (stage, block), value in prompts.items():
            torch.testing.assert_close(
                value[0],
                golden.outputs[f'prompt_s{stage}_b{block}'],
                rtol=0,
                atol=golden.tolerance['atol'],
            )
        assert_stages(backbone(golden.inputs['x'], prompts), golden)


def test_learned_prompts_start_within_their_bound() -> None:
    source = MODELS.build(
        dict(type='LearnedPrompts', prompt_dims=16, deep_depths=(1, 2, 1, 1))
    )
    bound = (6 / (3 * 16 + 16)) ** 0.5
    for name, parameter in source.named_parameters():
        assert parameter.abs().max() <= bound if parameter.numel() else True, name
    assert source.prompt_embeddings.abs().max() > 0.8 * bound
    assert [tuple(value.shape) for value in source().values()] == [
        (5, 16),
        (5, 32),
        (5, 32),
        (5, 64),
        (5, 128),
    ]


def test_deep_predictor_needs_blocks() -> None:
    with pytest.raises(ValueError, match='names no'):
        MODELS.build(
            dict(
                type='DeepPromptPredictor',
                predictor=dict(type='AveragePromptPredictor'),
                channels=[16],
                blocks=[],
            )
        )


@pytest.mark.parametrize(
    'source, needs_support',
    [
        (dict(type='LearnedPrompts', prompt_dims=16), False),
        (dict(type='LearnedPrompts', prompt_dims=16, deep_depths=(1, 2, 1, 1)), False),
        (
            dict(
                type='DeepPromptPredictor',
                predictor=dict(type='AttentionPromptPredictor', num_heads=4),
                channels=tiny_models.CHANNELS,
                blocks=[(1, 1), (2, 0)],
            ),
            True,
        ),
        (dict(type='MixerPromptPredictor', in_channels=128, prompt_dims=16), True),
    ],
)
def test_every_source_trains_and_detects_within_stpn(source, needs_support) -> None:
    model = MODELS.build(
        dict(
            type='STPN',
            detector=tiny_models.detector('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'),
            prompt_predictor=source,
        )
    )
    inputs = tiny_models.inputs(2, num_refs=2 if needs_support else None)
    total, _ = model.parse_losses(model.loss(inputs, tiny_models.samples(2)))
    total.backward()
    grads = [p.grad for p in model.prompt_predictor.parameters() if p.numel()]
    assert all(grad is not None for grad in grads)
    assert sum(grad.abs().sum() for grad in grads) > 0
    inputs = tiny_models.inputs(num_refs=2 if needs_support else None)
    with torch.no_grad():
        (result,) = model.eval().predict(inputs, tiny_models.samples())
    assert len(result.pred_det_instances) > 0
