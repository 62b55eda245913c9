from __future__ import annotations

import pytest
import torch

from stpn_plugin.models.backbones import STPNSwinTransformer
from stpn_plugin.models.backbones.windows import move, window_places

CPU = torch.device('cpu')


@pytest.mark.parametrize('hw_shape', [(4, 6), (5, 7), (1, 1)])
@pytest.mark.parametrize('shift', [0, 1])
@pytest.mark.parametrize('num_prompts', [0, 3])
def test_moving_there_and_back(
    hw_shape: tuple[int, int], shift: int, num_prompts: int
) -> None:
    places = window_places(hw_shape, 2, shift, num_prompts, CPU)
    ways = places.windows, places.tokens
    number = num_prompts + hw_shape[0] * hw_shape[1]
    tokens = torch.rand(2, number, 3, dtype=torch.double, requires_grad=True)
    windows = move(tokens, *ways)
    torch.testing.assert_close(move(windows, *ways[::-1]), tokens)
    torch.testing.assert_close(windows.sum(), tokens.sum())  # the rest is zero
    assert torch.autograd.gradcheck(lambda x: move(x, *ways), tokens)
    assert torch.autograd.gradgradcheck(lambda x: move(x, *ways).square(), tokens)


def test_windows_hold_squares_of_shifted_maps() -> None:
    tokens = torch.arange(3 + 5 * 5).view(1, -1, 1)
    places = window_places((5, 5), 2, 1, 3, CPU)
    prompts, windows = places.windows.take(tokens)[0, :, 0].split((3, 36))
    assert prompts.tolist() == [0, 1, 2]
    rows = torch.zeros(6, 6, dtype=torch.long)
    rows[:5, :5] = 3 + torch.arange(25).view(5, 5)
    rows = rows.roll((-1, -1), dims=(0, 1))
    for number, window in enumerate(windows.view(9, 2, 2)):
        y, x = 2 * (number // 3), 2 * (number % 3)
        assert window.tolist() == rows[y : y + 2, x : x + 2].tolist()


def test_places_found_in_inference_serve_training() -> None:
    window_places.cache_clear()
    backbone = STPNSwinTransformer(
        embed_dims=8, depths=(2,), num_heads=(2,), strides=(4,), out_indices=(0,)
    )
    img = torch.rand(1, 3, 32, 40)
    with torch.inference_mode():
        backbone(img)
    (out,) = backbone(img)
    out.sum().backward()
    assert all(weight.grad is not None for weight in backbone.stages.parameters())
