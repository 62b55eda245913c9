"""What training keeps in memory, and ways to keep less that give the same gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmtrack.registry import MODELS
from torch import Tensor, nn

from tests.support import tiny_models

FASTER_RCNN = 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'


def build(**backbone: Any) -> nn.Module:
    torch.manual_seed(0)
    detector = tiny_models.detector(FASTER_RCNN)
    detector.backbone.update(backbone)
    model = MODELS.build(
        dict(type='STPN', detector=detector, prompt_predictor=tiny_models.predictor())
    )
    return model.train()


def loss(model: nn.Module, num_refs: int = 2, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    inputs = tiny_models.inputs(num_refs=num_refs, seed=seed)
    total, _ = model.parse_losses(model.loss(inputs, tiny_models.samples(seed=seed)))
    return total


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def test_support_frames_keep_no_activations() -> None:
    model = build()
    kept = []
    for num_refs in (2, 14):
        tensors: dict[int, int] = {}

        def keep(x: Tensor, tensors: dict[int, int] = tensors) -> Tensor:
            storage = x.untyped_storage()
            tensors[storage.data_ptr()] = storage.nbytes()
            return x

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            total = loss(model, num_refs)
        kept.append(sum(tensors.values()))
        del total
    # 12 frames more, of 6 last tokens each, that pass the predictor: its input, keys,
    # values and scores, and nothing of the backbone.
    tokens = 12 * 2 * 3
    assert kept[1] - kept[0] < 4 * tokens * (tiny_models.CHANNELS[-1] + 200)


@pytest.mark.slow
@pytest.mark.parametrize('num_refs', [2, 14])
def test_checkpointing_by_config_gives_the_same_gradients(num_refs: int) -> None:
    found = []
    for with_cp in (False, True):
        model = build(with_cp=with_cp)
        loss(model, num_refs).backward()
        found.append(gradients(model))
    for name, expected in found[0].items():
        torch.testing.assert_close(found[1][name], expected, msg=name)


def test_accumulation_by_config_gives_the_mean_of_the_gradients() -> None:
    model = build(drop_path_rate=0.0)
    expected: dict[str, Tensor] = {}
    for seed in range(2):
        model.zero_grad()
        loss(model, seed=seed).backward()
        for name, grad in gradients(model).items():
            expected[name] = expected.get(name, 0) + grad / 2
    model.zero_grad()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    wrapper = build_optim_wrapper(
        model,
        dict(optimizer=dict(type='SGD', lr=1.0), accumulative_counts=2),
    )
    for seed in range(2):
        with wrapper.optim_context(model):
            total = loss(model, seed=seed)
        wrapper.update_params(total)
    for name, parameter in model.named_parameters():
        step = before[name] - parameter.detach()
        torch.testing.assert_close(step, expected[name], rtol=1e-3, atol=1e-5, msg=name)
