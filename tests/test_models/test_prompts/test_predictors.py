from __future__ import annotations

import pytest
import torch
from mmtrack.registry import MODELS

from tests.support.golden import load_golden

PREDICTORS = [
    dict(type='AttentionPromptPredictor', in_channels=64, prompt_dims=32),
    dict(type='AveragePromptPredictor', in_channels=64, prompt_dims=32),
    dict(type='MixerPromptPredictor', in_channels=64, prompt_dims=32),
]


@pytest.mark.parametrize('name', ['att_T2', 'att_T14', 'avg_T2', 'avg_T14'])
def test_parity_with_authors(name: str) -> None:
    golden = load_golden(f'predictor_{name}')
    if name.startswith('att'):
        heads = golden.model.pop('num_attention_blocks')
        golden.model.update(type='AttentionPromptPredictor', num_heads=heads)
    else:
        golden.model.update(type='AveragePromptPredictor')
    predictor = MODELS.build(golden.model)
    predictor.load_state_dict(golden.weights)
    prompts = predictor(golden.inputs['feats'].unsqueeze(0))
    torch.testing.assert_close(
        prompts[0], golden.outputs['prompts'], rtol=0, atol=golden.tolerance['atol']
    )


@pytest.mark.parametrize('cfg', PREDICTORS, ids=lambda cfg: cfg['type'])
def test_each_image_has_its_own_prompts(cfg: dict) -> None:
    predictor = MODELS.build(cfg)
    feats = torch.randn(3, 4, 64, 3, 5)
    prompts = predictor(feats)
    assert prompts.shape == (3, 5, 32)
    for i in range(3):
        torch.testing.assert_close(prompts[i], predictor(feats[i : i + 1])[0])


@pytest.mark.parametrize('cfg', PREDICTORS, ids=lambda cfg: cfg['type'])
def test_order_of_support_frames_does_not_matter(cfg: dict) -> None:
    predictor = MODELS.build(cfg)
    feats = torch.randn(1, 4, 64, 3, 5)
    torch.testing.assert_close(predictor(feats), predictor(feats.flip(1)))


@pytest.mark.parametrize('cfg', PREDICTORS, ids=lambda cfg: cfg['type'])
def test_every_parameter_gets_a_gradient(cfg: dict) -> None:
    predictor = MODELS.build(cfg)
    predictor(torch.randn(2, 2, 64, 3, 3)).square().sum().backward()
    for name, parameter in predictor.named_parameters():
        if name != 'ref_fc_embed.bias':  # adds the same to all keys: no effect
            assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize('cfg', PREDICTORS, ids=lambda cfg: cfg['type'])
@pytest.mark.parametrize(
    'shape, message',
    [
        ((2, 64, 3, 3), 'must have shape'),
        ((1, 0, 64, 3, 3), 'no frame'),
        ((1, 2, 32, 3, 3), '32 channels'),
    ],
)
def test_bad_support_features(cfg: dict, shape: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MODELS.build(cfg)(torch.randn(shape))


def test_average_needs_as_many_positions_as_prompts() -> None:
    with pytest.raises(ValueError, match='4 positions'):
        MODELS.build(PREDICTORS[1])(torch.randn(1, 2, 64, 2, 2))


def test_attention_dims_must_divide() -> None:
    with pytest.raises(ValueError, match='divisible'):
        MODELS.build(dict(PREDICTORS[0], num_heads=5))


def test_attention_weights_explain_the_prompts() -> None:
    predictor = MODELS.build(PREDICTORS[0])
    feats = torch.randn(1, 3, 64, 2, 4)
    weights = predictor.attention(feats)
    assert weights.shape == (1, 16, 5, 3 * 2 * 4)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 16, 5))
    values = predictor.ref_fc(predictor.reduction(feats.flatten(3).transpose(2, 3)))
    values = values.flatten(1, 2).unflatten(-1, (16, -1)).transpose(1, 2)
    prompts = predictor.fc((weights @ values).transpose(1, 2).flatten(2))
    torch.testing.assert_close(prompts, predictor(feats))


def test_mixer_knows_positions_and_any_number_of_frames() -> None:
    predictor = MODELS.build(PREDICTORS[2])
    feats = torch.randn(1, 3, 64, 7, 7)
    prompts = predictor(feats)
    assert not torch.allclose(prompts, predictor(feats.flip(-1)), atol=1e-4)
    torch.testing.assert_close(prompts, predictor(feats.repeat(1, 4, 1, 1, 1)))
    assert predictor(torch.randn(1, 1, 64, 3, 20)).shape == (1, 5, 32)
