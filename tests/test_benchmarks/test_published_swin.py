from __future__ import annotations

from typing import Any

import pytest
import torch

from stpn_plugin.benchmarks.published_swin import PublishedSwin
from stpn_plugin.models.backbones import STPNSwinTransformer

TINY: dict[str, Any] = dict(
    embed_dims=24, depths=(2, 2, 2, 1), num_heads=(2, 2, 4, 8), drop_path_rate=0.0
)


@pytest.mark.parametrize('size', [(64, 96), (250, 330)])
def test_gives_the_maps_of_ours(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    ours = STPNSwinTransformer(**TINY).eval()
    for name, parameter in ours.named_parameters():
        if name.endswith('bias_table'):
            torch.nn.init.normal_(parameter)
    published = PublishedSwin(**TINY)
    published.load_state_dict(ours.state_dict())
    published.train(False)
    img, prompts = torch.randn(2, 3, *size), torch.randn(2, 5, 24)
    with torch.no_grad():
        for a, b in zip(published(img, prompts), ours(img, prompts)):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
