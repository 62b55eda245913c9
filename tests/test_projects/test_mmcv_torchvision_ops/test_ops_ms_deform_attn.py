"""Multi-scale deformable attention against plain loops over sampling points."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction

SHAPES = [(4, 3), (2, 5), (1, 1)]
STARTS = [0, 12, 22]
BATCH, QUERIES, HEADS, DIMS, POINTS = 3, 5, 2, 4, 2


def _attend(
    value: torch.Tensor, locations: torch.Tensor, attention: torch.Tensor
) -> torch.Tensor:
    shapes = torch.tensor(SHAPES, device=value.device)
    starts = torch.tensor(STARTS, device=value.device)
    return MultiScaleDeformableAttnFunction.apply(
        value, shapes, starts, locations, attention, 64
    )


def _inputs(
    device: torch.device, dtype: torch.dtype = torch.float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Value, locations (some outside the map) and attention."""
    value = torch.randn(BATCH, 23, HEADS, DIMS, dtype=dtype)
    points = (BATCH, QUERIES, HEADS, len(SHAPES), POINTS)
    locations = 1.6 * torch.rand(*points, 2, dtype=dtype) - 0.3
    attention = torch.randn(points, dtype=dtype).flatten(3).softmax(-1).view(points)
    return value.to(device), locations.to(device), attention.to(device)


def _attend_by_loops(
    value: torch.Tensor, locations: torch.Tensor, attention: torch.Tensor
) -> torch.Tensor:
    value, locations, attention = (
        x.double().cpu().numpy() for x in (value, locations, attention)
    )
    output = np.zeros((BATCH, QUERIES, HEADS, DIMS))
    for b, q, head, level, point in np.ndindex(*attention.shape):
        height, width = SHAPES[level]
        keys = value[b, STARTS[level] : STARTS[level] + height * width, head]
        image = keys.reshape(height, width, DIMS)
        # Pixel centres lie at half integers; outside is zero.
        x = locations[b, q, head, level, point, 0] * width - 0.5
        y = locations[b, q, head, level, point, 1] * height - 0.5
        x0, y0 = math.floor(x), math.floor(y)
        for row, column in ((y0, x0), (y0, x0 + 1), (y0 + 1, x0), (y0 + 1, x0 + 1)):
            if 0 <= row < height and 0 <= column < width:
                factor = (1 - abs(y - row)) * (1 - abs(x - column))
                factor *= attention[b, q, head, level, point]
                output[b, q, head] += factor * image[row, column]
    return torch.tensor(output.reshape(BATCH, QUERIES, -1))


def test_against_loops(device):
    inputs = _inputs(device)
    expected = _attend_by_loops(*inputs).float()
    torch.testing.assert_close(_attend(*inputs).cpu(), expected, rtol=1e-4, atol=1e-5)


def test_gradient(device):
    inputs = [x.requires_grad_() for x in _inputs(device, torch.double)]
    assert torch.autograd.gradcheck(_attend, inputs, nondet_tol=1e-10)


def test_gradients_are_added(device, backend):
    inputs = _inputs(device)
    grad = torch.randn(BATCH, QUERIES, HEADS * DIMS, device=device)
    totals = [torch.ones_like(x) for x in inputs]
    shapes = torch.tensor(SHAPES, device=device)
    starts = torch.tensor(STARTS, device=device)
    backend.ms_deform_attn_backward(
        inputs[0], shapes, starts, *inputs[1:], grad, *totals, im2col_step=64
    )
    leaves = [x.clone().requires_grad_() for x in inputs]
    for total, own in zip(totals, torch.autograd.grad(_attend(*leaves), leaves, grad)):
        torch.testing.assert_close(total, 1 + own)


def test_levels_in_any_order(device):
    """``value_level_start_index`` says where a level lies."""
    value, locations, attention = _inputs(device)
    split = value.split([h * w for h, w in SHAPES], dim=1)
    output = MultiScaleDeformableAttnFunction.apply(
        torch.cat((split[2], split[0], split[1]), dim=1),
        torch.tensor(SHAPES, device=device),
        torch.tensor([1, 13, 0], device=device),
        locations,
        attention,
        64,
    )
    torch.testing.assert_close(output, _attend(value, locations, attention))


@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_half_precision_under_autocast(device, dtype):
    """Autocast gives a narrow value and locations in float32."""
    value, locations, attention = _inputs(device)
    narrow = [value.to(dtype), locations, attention.to(dtype)]
    wide = [x.float() for x in narrow]
    for x in (*narrow, *wide):
        x.requires_grad_()
    with torch.autocast(device.type, dtype=torch.bfloat16):
        output = _attend(*narrow)
    expected = _attend(*wide)
    assert output.dtype == dtype
    assert torch.equal(output, expected.to(dtype))
    output.float().square().sum().backward()
    expected.to(dtype).float().square().sum().backward()
    tolerance = dict(rtol=8 * torch.finfo(dtype).eps, atol=8 * torch.finfo(dtype).eps)
    for got, want in zip(narrow, wide):
        assert got.grad.dtype == got.dtype
        torch.testing.assert_close(got.grad, want.grad.to(got.dtype), **tolerance)


def test_strided_tensors(device):
    value, locations, attention = _inputs(device)
    strided = [
        value.transpose(1, 2).contiguous().transpose(1, 2),
        locations.transpose(2, 3).contiguous().transpose(2, 3),
        attention.transpose(2, 3).contiguous().transpose(2, 3),
    ]
    strided = [x.requires_grad_() for x in strided]
    dense = [x.requires_grad_() for x in (value, locations, attention)]
    outputs = [_attend(*strided), _attend(*dense)]
    torch.testing.assert_close(*outputs)
    for output in outputs:
        output.sum().backward()  # an expanded gradient
    for one, other in zip(strided, dense):
        torch.testing.assert_close(one.grad, other.grad)
