from __future__ import annotations

from typing import Iterator

import numpy as np
import pytest
import torch
from mmtrack.registry import MODELS
from torch import nn

from stpn_plugin.models.backbones.attention import split_heads
from stpn_plugin.visualization import (
    plot_stage_attention,
    plot_support_attention,
    record_attention,
    stage_shares,
)
from tests.support import tiny_models

NUM_PROMPTS = 3
UNIFORM = NUM_PROMPTS / (NUM_PROMPTS + 49)


class Detector(nn.Module):
    """A predictor and the backbone that it prompts."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = MODELS.build(tiny_models.backbone())
        self.prompt_predictor = MODELS.build(
            tiny_models.predictor(num_prompts=NUM_PROMPTS)
        )
        for name, parameter in self.named_parameters():
            if 'bias_table' in name:
                nn.init.normal_(parameter)

    def forward(self, img: torch.Tensor, ref_img: torch.Tensor) -> list:
        feats = self.backbone(ref_img[0])[-1][None]
        return self.backbone(img, self.prompt_predictor(feats)[0])


@pytest.fixture
def detector() -> Detector:
    return Detector().eval()


# Maps that fill no window, and some.
@pytest.fixture(params=[(64, 96), (100, 130)])
def images(request: pytest.FixtureRequest) -> Iterator[tuple]:
    torch.manual_seed(1)
    yield torch.randn(2, 3, *request.param), torch.randn(1, 4, 3, 64, 96)


def test_shapes_and_sums(detector: Detector, images: tuple) -> None:
    with torch.no_grad(), record_attention(detector) as recorded:
        outs = detector(*images)
    support = recorded.support['prompt_predictor']
    assert support.shape == (1, NUM_PROMPTS, 4, 2, 3)
    assert torch.allclose(support.sum((2, 3, 4)), torch.ones(()), atol=1e-5)
    places = [(0, 0), (1, 0), (1, 1), (2, 0), (3, 0)]
    assert list(recorded.patches) == places
    for (stage, _), (weights, uniform) in recorded.patches.items():
        assert weights.shape == (2, NUM_PROMPTS, *outs[stage].shape[-2:])
        assert uniform == UNIFORM
        assert weights.min() > 0 and weights.sum(1).max() < 1


def test_output_and_model_stay_the_same(detector: Detector, images: tuple) -> None:
    with torch.no_grad():
        expected = detector(*images)
        with record_attention(detector) as recorded:
            outs = detector(*images)
        assert all(torch.equal(a, b) for a, b in zip(outs, expected))
        with pytest.raises(KeyError), record_attention(detector) as interrupted:
            raise KeyError
        # Nothing is recorded from now on.
        before = {
            place: item.weights.clone() for place, item in recorded.patches.items()
        }
        outs = detector(*(image.flip(-1) for image in images))
    assert not any(torch.equal(a, b) for a, b in zip(outs, expected))
    assert not interrupted.patches and not interrupted.support
    for place, weights in before.items():
        assert torch.equal(recorded.patches[place].weights, weights)


def test_every_patch_is_in_its_place(detector: Detector, images: tuple) -> None:
    blocks = {
        (i, j): block.attn
        for i, stage in enumerate(detector.backbone.stages)
        for j, block in enumerate(stage.blocks)
    }
    calls = {}
    for place, module in blocks.items():
        module.register_forward_hook(
            lambda m, args, out, place=place: calls.update({place: args})
        )
    with torch.no_grad(), record_attention(detector) as recorded:
        detector(*images)
    assert {module.shift_size > 0 for module in blocks.values()} == {False, True}
    for place, module in blocks.items():
        tokens, (height, width) = calls[place]
        prompts, maps, grid = module.split(tokens, (height, width))
        windows = module.windows(maps, grid)
        with torch.no_grad():
            bias, kinds = module.biases(NUM_PROMPTS, grid)
            bias = bias if kinds is None else bias[kinds].repeat(2, 1, 1, 1)
            shared = module.w_msa.qkv(prompts)
            windows = module.w_msa.qkv(windows)
            q, k, _ = split_heads(shared, windows, module.w_msa.num_heads)
            scores = module.w_msa.scale * q @ k.transpose(-1, -2) + bias
        weights = scores.softmax(-1).mean(1).unflatten(0, windows.shape[:2])
        weights = weights[:, :, NUM_PROMPTS:, :NUM_PROMPTS]
        # The numbers of the patches, 0 for padding, go the way of the tokens.
        numbers = torch.arange(1.0, height * width + 1)[None, :, None]
        _, numbers, _ = module.split(numbers, (height, width))
        numbers = module.windows(numbers, grid)[0, ..., 0]
        recorded_at = recorded.patches[place].weights.flatten(2)
        for window, slot in torch.nonzero(numbers).tolist():
            patch = int(numbers[window, slot]) - 1
            assert torch.allclose(
                recorded_at[:, :, patch], weights[:, window, slot], atol=1e-6
            ), (place, window, slot)


def test_any_backbone_with_access_to_its_blocks() -> None:
    torch.manual_seed(0)
    detector = Detector()
    detector.backbone = MODELS.build(
        dict(
            type='STPNPyramidVisionTransformerV2',
            embed_dims=16,
            num_layers=[1, 2, 1, 1],
            num_heads=[1, 2, 4, 8],
            mlp_ratios=[2, 2, 2, 2],
        )
    )
    detector.eval()
    img, refs = torch.randn(2, 3, 64, 96), torch.randn(1, 4, 3, 64, 96)
    with torch.no_grad(), record_attention(detector) as recorded:
        outs = detector(img, refs)
    assert list(recorded.patches) == [(0, 0), (1, 0), (1, 1), (2, 0), (3, 0)]
    for (stage, _), (weights, uniform) in recorded.patches.items():
        assert weights.shape == (2, NUM_PROMPTS, *outs[stage].shape[-2:])
        assert uniform == NUM_PROMPTS / (NUM_PROMPTS + 2 * 3)
    assert sorted(stage_shares(recorded.patches)) == [0, 1, 2, 3]


def test_equal_attention(detector: Detector, images: tuple) -> None:
    for name, parameter in detector.named_parameters():
        if 'qkv' in name or 'bias_table' in name or 'ref_fc_embed' in name:
            nn.init.zeros_(parameter)
    with torch.no_grad(), record_attention(detector) as recorded:
        detector(*images)
    shares = stage_shares({(0, 0): recorded.patches[0, 0]})
    assert np.allclose(shares[0], UNIFORM)
    assert np.allclose(recorded.support['prompt_predictor'], 1 / (4 * 2 * 3))


def test_stage_shares_are_means_over_blocks(detector: Detector, images: tuple) -> None:
    with torch.no_grad(), record_attention(detector) as recorded:
        detector(*images)
    shares = stage_shares(recorded.patches)
    assert sorted(shares) == [0, 1, 2, 3]
    first, second = (recorded.patches[1, j].weights[0].sum(0) for j in (0, 1))
    assert np.allclose(shares[1], (first + second) / 2)


def test_support_figure() -> None:
    images = [np.full((64, 96, 3), i, np.uint8) for i in range(2)]
    weights = np.zeros((NUM_PROMPTS, 2, 2, 3))
    weights[:, 0] = 0.75 / 6
    weights[:, 1] = 0.25 / 6
    figure = plot_support_attention(images, weights, 32, ['a', 'b'])
    axes = np.array(figure.axes[:-1]).reshape(NUM_PROMPTS + 2, 2)
    assert [ax.get_title() for ax in axes[0]] == ['a', 'b']
    assert [ax.get_title() for ax in axes[1]] == ['75.0%', '25.0%']
    for ax in axes[1:, 0]:
        heat = ax.images[1]
        assert np.allclose(heat.get_array(), 1.5)
        assert tuple(heat.get_extent()) == (-0.5, 95.5, 63.5, -0.5)
        assert (heat.norm.vmin, heat.norm.vcenter, heat.norm.vmax) == (0.5, 1, 1.5)


def test_stage_figure() -> None:
    frames = [np.zeros((60, 90, 3), np.uint8)] * 2
    shares = [{0: np.full((15, 23), 0.1), 1: np.full((8, 12), s)} for s in (0.2, 0.4)]
    figure = plot_stage_attention(frames, shares, [4, 8], ['a', 'b'], uniform=0.1)
    axes = np.array(figure.axes[:-1]).reshape(2, 3)
    assert axes[1, 2].get_title() == 'stage 2: mean 40.0%'
    heat = axes[1, 2].images[1]
    assert np.allclose(heat.get_array(), 40)
    assert (heat.norm.vmin, heat.norm.vcenter, heat.norm.vmax) == (0, 10, 40)
    # The map is padded to whole patches; the frame is all that shows.
    assert tuple(heat.get_extent()) == (-0.5, 95.5, 63.5, -0.5)
    assert axes[1, 2].get_xlim() == (-0.5, 89.5)
    assert axes[1, 2].get_ylim() == (59.5, -0.5)
