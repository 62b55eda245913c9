"""The operators against a compiled mmcv, where one is installed."""

from __future__ import annotations

import importlib
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType
from typing import Any, Callable

import mmcv
import pytest
import torch
from mmcv import ops
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction

compiled = importlib.import_module('mmcv._ext')
pytestmark = pytest.mark.skipif(
    not str(compiled.__file__).endswith(tuple(EXTENSION_SUFFIXES)),
    reason='mmcv is not compiled',
)
# mmcv has these for CUDA only.
CUDA_ONLY = pytest.param('cuda', marks=pytest.mark.gpu)


@pytest.fixture
def both(backend: ModuleType, operators_of: Callable) -> Callable:
    """Runs a function with the compiled operators, then with those under test."""

    def run(function: Callable[[], Any]) -> tuple[Any, Any]:
        results = []
        for extension in (compiled, backend):
            with operators_of(extension):
                results.append(function())
        return results[0], results[1]

    return run


def _with_gradients(function: Callable, *inputs: torch.Tensor) -> list[torch.Tensor]:
    """The result and a gradient for each input that requires one."""
    leaves = [x for x in inputs if x.requires_grad]
    result = function(*inputs)
    torch.manual_seed(1)
    grads = torch.autograd.grad(result, leaves, torch.randn_like(result))
    return [result.detach(), *grads]


def _boxes(num: int) -> torch.Tensor:
    corners = torch.randint(-10, 60, (num, 2)).float()
    return torch.cat((corners, corners + torch.randint(0, 40, (num, 2))), 1)


def test_version():
    assert mmcv.__version__.startswith('2.0.0')


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.3, 0.5, 0.6, 0.7])
def test_nms(device, both, threshold, offset):
    boxes, scores = _boxes(300).to(device), torch.rand(300, device=device)
    want, got = both(lambda: ops.nms(boxes, scores, threshold, offset))
    assert 10 < len(want[1]) < 300
    assert torch.equal(got[1], want[1]) and torch.equal(got[0], want[0])


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
def test_soft_nms(both, method, offset):
    boxes = _boxes(200)
    # Few values: which of two equal scores comes first must agree, too.
    scores = torch.randint(1, 10, (200,)) / 10
    boxes[:, 2:] += 1
    want, got = both(
        lambda: ops.soft_nms(boxes, scores, 0.3, 0.5, 0.05, method, offset)
    )
    assert 10 < len(want[1]) < 200
    assert torch.equal(got[1], want[1])
    torch.testing.assert_close(got[0], want[0])


def test_nms_match(both):
    dets = torch.cat((_boxes(200), torch.rand(200, 1)), 1)
    want, got = both(lambda: ops.nms_match(dets, 0.4))
    assert [group.tolist() for group in got] == [group.tolist() for group in want]


def _rois(device: torch.device) -> torch.Tensor:
    boxes = _boxes(50)
    boxes[:, 2:] += 1
    return torch.cat((torch.randint(0, 2, (50, 1)), boxes), 1).to(device)


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('ratio', [0, 2])
def test_roi_align(device, both, ratio, mode, aligned):
    images = torch.randn(2, 4, 30, 25, device=device, requires_grad=True)
    rois = _rois(device)
    want, got = both(
        lambda: _with_gradients(
            lambda x: ops.roi_align(x, rois, 5, 0.5, ratio, mode, aligned), images
        )
    )
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('device', [CUDA_ONLY])
def test_roi_pool(device, both):
    images = torch.randn(2, 4, 30, 25, device=device, requires_grad=True)
    rois = _rois(device)
    want, got = both(
        lambda: _with_gradients(lambda x: ops.roi_pool(x, rois, 5, 0.5), images)
    )
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('groups', [1, 2])
@pytest.mark.parametrize('deform_groups', [1, 2])
def test_deform_conv(device, both, groups, deform_groups):
    images = torch.randn(4, 4, 9, 8, device=device, requires_grad=True)
    weight = torch.randn(6, 4 // groups, 3, 3, device=device, requires_grad=True)
    offset = torch.randn(4, 18 * deform_groups, 5, 8, device=device, requires_grad=True)
    geometry = ((2, 1), 1, 1, groups, deform_groups)
    want, got = both(
        lambda: _with_gradients(
            lambda *x: ops.deform_conv2d(*x, *geometry, False, 2),
            images,
            offset,
            weight,
        )
    )
    torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-4)

    mask = torch.rand(4, 9 * deform_groups, 5, 8, device=device, requires_grad=True)
    bias = torch.randn(6, device=device, requires_grad=True)
    inputs = (images, offset, mask, weight, bias)
    want, got = both(
        lambda: _with_gradients(
            lambda *x: ops.modulated_deform_conv2d(*x, *geometry), *inputs
        )
    )
    torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('device', [CUDA_ONLY])
@pytest.mark.parametrize('name', ['sigmoid_focal_loss', 'softmax_focal_loss'])
def test_focal_losses(device, both, name):
    logits = torch.randn(40, 7, device=device, requires_grad=True)
    targets = torch.randint(0, 7, (40,), device=device)
    weight = torch.rand(7, device=device)
    want, got = both(
        lambda: _with_gradients(
            lambda x: getattr(ops, name)(x, targets, 2.0, 0.25, weight, 'mean'), logits
        )
    )
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('device', [CUDA_ONLY])
def test_ms_deform_attn(device, both):
    shapes = torch.tensor([[9, 7], [4, 5]], device=device)
    starts = torch.tensor([0, 63], device=device)
    value = torch.randn(2, 83, 2, 8, device=device, requires_grad=True)
    points = torch.rand(2, 11, 2, 2, 3, 2, device=device, requires_grad=True)
    attention = torch.rand(2, 11, 2, 2, 3, device=device, requires_grad=True)
    want, got = both(
        lambda: _with_gradients(
            lambda v, p, a: MultiScaleDeformableAttnFunction.apply(
                v, shapes, starts, p, a, 64
            ),
            value,
            points,
            attention,
        )
    )
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)
