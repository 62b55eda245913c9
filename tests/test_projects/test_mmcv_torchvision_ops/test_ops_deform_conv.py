"""Deformable convolutions against plain loops over output pixels and kernel taps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import (
    DeformConv2dPack,
    ModulatedDeformConv2dPack,
    deform_conv2d,
    modulated_deform_conv2d,
)

CASES = [
    dict(),
    dict(stride=2, padding=1),
    dict(stride=(1, 2), padding=(2, 1), dilation=(1, 2)),
    dict(padding=1, groups=2),
    dict(padding=1, deform_groups=2),
    dict(stride=(2, 1), padding=(0, 1), groups=4, deform_groups=2),
]


def _pair(value: Any) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def _make(
    case: dict, dtype: torch.dtype = torch.float, kernel: tuple[int, int] = (3, 2)
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Input, offset (some far outside), mask and weight."""
    images = torch.randn(4, 4, 6, 7, dtype=dtype)
    weight = torch.randn(4, 4 // case.get('groups', 1), *kernel, dtype=dtype)
    size = F.conv2d(
        images,
        weight,
        stride=case.get('stride', 1),
        padding=case.get('padding', 0),
        dilation=case.get('dilation', 1),
        groups=case.get('groups', 1),
    ).shape[2:]
    taps = case.get('deform_groups', 1) * kernel[0] * kernel[1]
    offset = 2 * torch.randn(4, 2 * taps, *size, dtype=dtype)
    mask = torch.rand(4, taps, *size, dtype=dtype)
    return images, offset, mask, weight


def _sample(plane: np.ndarray, y: float, x: float) -> float:
    """Bilinear, zero outside."""
    y0, x0 = math.floor(y), math.floor(x)
    value = 0.0
    for row, factor_y in ((y0, 1 - (y - y0)), (y0 + 1, y - y0)):
        for column, factor_x in ((x0, 1 - (x - x0)), (x0 + 1, x - x0)):
            if 0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]:
                value += plane[row, column] * factor_y * factor_x
    return value


def _deform_conv_by_loops(
    images: torch.Tensor,
    offset: torch.Tensor,
    mask: torch.Tensor,
    weight: torch.Tensor,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    deform_groups: int = 1,
) -> torch.Tensor:
    images, offset, mask, weight = (
        x.double().numpy() for x in (images, offset, mask, weight)
    )
    stride, padding, dilation = _pair(stride), _pair(padding), _pair(dilation)
    batch, channels = images.shape[:2]
    kernel = weight.shape[2:]
    size = offset.shape[2:]
    offset = offset.reshape(batch, deform_groups, *kernel, 2, *size)
    mask = mask.reshape(batch, deform_groups, *kernel, *size)
    columns = np.zeros((batch, channels, *kernel, *size))
    for b, c, i, j, oy, ox in np.ndindex(*columns.shape):
        group = c // (channels // deform_groups)
        dy, dx = offset[b, group, i, j, :, oy, ox]
        y = oy * stride[0] - padding[0] + i * dilation[0] + dy
        x = ox * stride[1] - padding[1] + j * dilation[1] + dx
        value = _sample(images[b, c], y, x)
        columns[b, c, i, j, oy, ox] = value * mask[b, group, i, j, oy, ox]
    columns = columns.reshape(batch, groups, channels // groups, *kernel, *size)
    weight = weight.reshape(groups, len(weight) // groups, *weight.shape[1:])
    output = np.einsum('bgcijyx,gocij->bgoyx', columns, weight)
    return torch.tensor(output.reshape(batch, -1, *size))


@pytest.mark.parametrize('case', CASES)
def test_deform_conv_against_loops(device, case):
    images, offset, mask, weight = _make(case)
    expected = _deform_conv_by_loops(
        images, offset, torch.ones_like(mask), weight, **case
    )
    args = [x.to(device) for x in (images, offset, weight)]
    output = deform_conv2d(*args, *_positional(case))
    torch.testing.assert_close(output.cpu(), expected.float(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('with_bias', [True, False])
@pytest.mark.parametrize('case', CASES)
def test_modulated_deform_conv_against_loops(device, case, with_bias):
    images, offset, mask, weight = _make(case)
    expected = _deform_conv_by_loops(images, offset, mask, weight, **case)
    bias = torch.randn(4) if with_bias else None
    if with_bias:
        expected += bias.view(-1, 1, 1)
        bias = bias.to(device)
    args = [x.to(device) for x in (images, offset, mask, weight)]
    output = modulated_deform_conv2d(*args, bias, *_positional(case))
    torch.testing.assert_close(output.cpu(), expected.float(), rtol=1e-4, atol=1e-4)


def _positional(case: dict) -> list:
    """The geometry as the autograd functions take it."""
    defaults = dict(stride=1, padding=0, dilation=1, groups=1, deform_groups=1)
    return list({**defaults, **case}.values())


@pytest.mark.parametrize('case', CASES[2:])
def test_deform_conv_gradient(device, case):
    images, offset, _, weight = _make(case, torch.double, kernel=(2, 1))
    inputs = [x.to(device).requires_grad_() for x in (images, offset, weight)]
    assert torch.autograd.gradcheck(
        lambda *x: deform_conv2d(*x, *_positional(case)),
        inputs,
        fast_mode=True,
        nondet_tol=1e-10,
    )


@pytest.mark.parametrize('case', CASES[2:])
def test_modulated_deform_conv_gradient(device, case):
    inputs = [*_make(case, torch.double, kernel=(2, 1)), torch.randn(4).double()]
    inputs = [x.to(device).requires_grad_() for x in inputs]
    assert torch.autograd.gradcheck(
        lambda *x: modulated_deform_conv2d(*x, *_positional(case)),
        inputs,
        fast_mode=True,
        nondet_tol=1e-10,
    )
    assert torch.autograd.gradcheck(
        lambda *x: modulated_deform_conv2d(*x, None, *_positional(case)),
        inputs[:4],
        fast_mode=True,
        nondet_tol=1e-10,
    )


def test_gradients_of_some_inputs_only(device):
    case = CASES[1]
    images, offset, _, weight = (x.to(device) for x in _make(case))
    leaves = [x.clone().requires_grad_() for x in (images, offset, weight)]
    deform_conv2d(*leaves, *_positional(case)).square().sum().backward()
    for i, name in enumerate(('input', 'offset', 'weight')):
        alone = [images, offset, weight]
        alone[i] = alone[i].clone().requires_grad_()
        deform_conv2d(*alone, *_positional(case)).square().sum().backward()
        torch.testing.assert_close(alone[i].grad, leaves[i].grad, msg=name)


def test_zero_offset_is_plain_convolution(device):
    images, offset, mask, weight = (x.to(device) for x in _make(CASES[3]))
    expected = F.conv2d(images, weight, padding=1, groups=2)
    args = _positional(CASES[3])
    output = deform_conv2d(images, 0 * offset, weight, *args)
    torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-4)
    mask = torch.ones_like(mask)
    output = modulated_deform_conv2d(images, 0 * offset, mask, weight, None, *args)
    torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('im2col_step', [1, 2, 32])
def test_im2col_step_changes_nothing(device, im2col_step):
    images, offset, _, weight = (x.to(device) for x in _make({}))
    output = deform_conv2d(images, offset, weight, *_positional({}), False, im2col_step)
    assert torch.equal(output, deform_conv2d(images, offset, weight))


def test_weight_gradient_is_scaled_and_added(device, backend):
    images, offset, _, weight = (x.to(device) for x in _make({}))
    images.requires_grad_()
    weight.requires_grad_()
    output = deform_conv2d(images, offset, weight)
    output.sum().backward()
    total = torch.ones_like(weight)
    backend.deform_conv_backward_parameters(
        *(images, offset, torch.ones_like(output), total, images, images),
        *(2, 3, 1, 1, 0, 0, 1, 1, 1, 1),
        scale=0.5,
        im2col_step=1,
    )
    torch.testing.assert_close(total, 1 + 0.5 * weight.grad)


@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_half_precision(device, dtype):
    tensors = [x.to(device, dtype) for x in _make(CASES[1])]
    wide = [x.float() for x in tensors]
    for x in (*tensors, *wide):
        x.requires_grad_()
    tolerance = dict(rtol=8 * torch.finfo(dtype).eps, atol=8 * torch.finfo(dtype).eps)
    args = _positional(CASES[1])
    for keep in ([0, 1, 3], [0, 1, 2, 3]):
        conv = deform_conv2d if len(keep) == 3 else modulated_deform_conv2d
        bias = () if len(keep) == 3 else (None,)
        output = conv(*(tensors[i] for i in keep), *bias, *args)
        expected = conv(*(wide[i] for i in keep), *bias, *args)
        assert output.dtype == dtype
        assert torch.equal(output, expected.to(dtype))
        grad = torch.randn_like(output)
        grads = torch.autograd.grad(output, [tensors[i] for i in keep], grad)
        wanted = torch.autograd.grad(expected, [wide[i] for i in keep], grad.float())
        for got, want in zip(grads, wanted):
            torch.testing.assert_close(got, want.to(dtype), **tolerance)


@pytest.mark.parametrize('layer', [DeformConv2dPack, ModulatedDeformConv2dPack])
def test_layers_under_autocast(device, layer):
    conv = layer(4, 6, 3, padding=1, deform_groups=2).to(device)
    torch.nn.init.normal_(conv.conv_offset.weight, std=0.1)
    images = torch.randn(2, 4, 8, 9, device=device, requires_grad=True)
    plain = conv(images)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        output = conv(images)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), plain, rtol=0.1, atol=0.1)
    output.float().square().mean().backward()
    for parameter in (images, *conv.parameters()):
        assert parameter.grad.isfinite().all() and parameter.grad.abs().sum() > 0


def test_strided_tensors(device):
    images, offset, _, weight = (x.to(device) for x in _make(CASES[0]))
    expected = deform_conv2d(images, offset, weight)
    output = deform_conv2d(
        images.to(memory_format=torch.channels_last),
        offset.to(memory_format=torch.channels_last),
        weight.transpose(2, 3).contiguous().transpose(2, 3),
    )
    torch.testing.assert_close(output, expected)
