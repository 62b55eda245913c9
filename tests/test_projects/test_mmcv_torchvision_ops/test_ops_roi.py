"""RoI align and RoI pool against plain loops over bins and samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmcv.ops import RoIAlign, RoIPool, roi_align, roi_pool

# Ordinary, across the border, wholly outside, one pixel, no area, larger than the map.
ROIS = torch.tensor(
    [
        [0, 2.3, 1.7, 13.1, 9.6],
        [1, -6.2, -3.3, 7.4, 30.9],
        [0, 60.3, 70.2, 90.8, 85.1],
        [1, 5.1, 6.2, 5.6, 6.9],
        [0, 8.0, 3.0, 8.0, 3.0],
        [1, -9.7, -9.1, 55.3, 61.8],
    ]
)
SIZE = (2, 3)


def _bilinear(plane: np.ndarray, y: float, x: float) -> float:
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    top = plane[y0, x0] * (1 - x + x0) + plane[y0, x1] * (x - x0)
    bottom = plane[y1, x0] * (1 - x + x0) + plane[y1, x1] * (x - x0)
    return top * (1 - y + y0) + bottom * (y - y0)


def _roi_align_by_loops(
    images: torch.Tensor,
    rois: torch.Tensor,
    scale: float,
    ratio: int,
    mode: str,
    aligned: bool,
) -> torch.Tensor:
    images = images.detach().double().cpu().numpy()
    output = np.zeros((len(rois), images.shape[1], *SIZE))
    for k, (batch, *corners) in enumerate(rois.double().tolist()):
        x1, y1, x2, y2 = (c * scale - 0.5 * aligned for c in corners)
        w, h = x2 - x1, y2 - y1
        if not aligned:
            w, h = max(w, 1), max(h, 1)
        bin_h, bin_w = h / SIZE[0], w / SIZE[1]
        gh = ratio if ratio > 0 else math.ceil(bin_h)
        gw = ratio if ratio > 0 else math.ceil(bin_w)
        for c, ph, pw in np.ndindex(*output.shape[1:]):
            samples = [
                _bilinear(
                    images[int(batch), c],
                    y1 + (ph + (iy + 0.5) / gh) * bin_h,
                    x1 + (pw + (ix + 0.5) / gw) * bin_w,
                )
                for iy, ix in np.ndindex(gh, gw)
            ]
            pool = np.mean if mode == 'avg' else np.max
            output[k, c, ph, pw] = pool(samples) if samples else 0
    return torch.tensor(output)


def _roi_pool_by_loops(
    images: torch.Tensor, rois: torch.Tensor, scale: float
) -> torch.Tensor:
    images = images.detach().double().cpu().numpy()
    height, width = images.shape[2:]
    output = np.zeros((len(rois), images.shape[1], *SIZE))
    for k, (batch, x1, y1, x2, y2) in enumerate(rois.double().tolist()):
        x1, y1, x2, y2 = x1 * scale, y1 * scale, (x2 + 1) * scale, (y2 + 1) * scale
        if x2 <= x1 or y2 <= y1:
            continue
        bin_h, bin_w = (y2 - y1) / SIZE[0], (x2 - x1) / SIZE[1]
        for ph, pw in np.ndindex(*SIZE):
            rows = slice(
                max(math.floor(y1 + ph * bin_h), 0),
                min(max(math.ceil(y1 + (ph + 1) * bin_h), 0), height),
            )
            columns = slice(
                max(math.floor(x1 + pw * bin_w), 0),
                min(max(math.ceil(x1 + (pw + 1) * bin_w), 0), width),
            )
            pixels = images[int(batch), :, rows, columns]
            if pixels.size:
                output[k, :, ph, pw] = pixels.max(axis=(1, 2))
    return torch.tensor(output)


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('ratio', [0, 1, 3])
@pytest.mark.parametrize('scale', [1.0, 0.25])
def test_roi_align_against_loops(device, scale, ratio, mode, aligned):
    images = torch.randn(2, 3, 11, 14)
    output = roi_align(
        images.to(device), ROIS.to(device), SIZE, scale, ratio, mode, aligned
    )
    expected = _roi_align_by_loops(images, ROIS, scale, ratio, mode, aligned)
    torch.testing.assert_close(output.cpu(), expected.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('ratio', [0, 2])
def test_roi_align_gradient(device, ratio, mode, aligned):
    images = torch.randn(2, 2, 6, 7, dtype=torch.double, device=device)
    rois = ROIS.to(images)
    assert torch.autograd.gradcheck(
        lambda x: roi_align(x, rois, SIZE, 0.5, ratio, mode, aligned),
        images.requires_grad_(),
        nondet_tol=1e-12,
    )


def test_roi_align_max_in_several_parts(device):
    """With more samples than are held at once, RoIs do not get those of others."""
    images = torch.randn(2, 64, 11, 14, device=device)
    rois = ROIS.to(device).repeat(100, 1)
    args = ((7, 7), 1.0, 4, 'max', True)
    parts = [roi_align(images, part, *args) for part in rois.split(len(ROIS))]
    assert torch.equal(roi_align(images, rois, *args), torch.cat(parts))


@pytest.mark.parametrize('mode', ['avg', 'max'])
@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_roi_align_of_half_precision(device, dtype, mode):
    """The RoIs keep their precision; only the result is rounded."""
    images = torch.randn(1, 2, 9, 300, device=device).to(dtype).requires_grad_()
    rois = torch.tensor([[0, 1100.3, 4.1, 1160.7, 25.9]], device=device)
    output = roi_align(images, rois, SIZE, 0.25, 2, mode, True)
    output.square().sum().backward()
    wide = images.detach().float().requires_grad_()
    expected = roi_align(wide, rois, SIZE, 0.25, 2, mode, True)
    assert output.dtype == images.grad.dtype == dtype
    assert torch.equal(output, expected.to(dtype))
    expected.square().sum().backward()
    tolerance = 4 * torch.finfo(dtype).eps
    torch.testing.assert_close(
        images.grad, wide.grad.to(dtype), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize('layer', [RoIAlign(SIZE, 0.5), RoIPool(SIZE, 0.5)])
def test_roi_layers_under_autocast(device, layer):
    images = torch.randn(2, 3, 11, 14, device=device, requires_grad=True)
    rois = ROIS.to(device)
    kernel = torch.randn(3, 3, 1, 1, device=device)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        features = torch.nn.functional.conv2d(images, kernel)
        assert features.dtype == torch.bfloat16
        output = layer(features, rois)
    assert output.dtype == torch.bfloat16
    assert torch.equal(output, layer(features.float(), rois).to(output))
    output.float().sum().backward()
    assert images.grad.isfinite().all() and images.grad.abs().sum() > 0


@pytest.mark.parametrize('layer', [RoIAlign(SIZE, 0.5), RoIPool(SIZE, 0.5)])
def test_roi_layers_take_strided_tensors_and_no_rois(device, layer):
    dense = torch.randn(2, 3, 11, 14, device=device, requires_grad=True)
    strided = dense.detach().to(memory_format=torch.channels_last).requires_grad_()
    rois = ROIS.to(device)
    results = [layer(dense, rois), layer(strided, rois.t().contiguous().t())]
    assert torch.equal(*results)
    for result in results:
        # An expanded and a permuted gradient.
        result.permute(0, 2, 3, 1)[..., :1].sum().backward()
    torch.testing.assert_close(dense.grad, strided.grad)

    none = layer(dense, rois[:0])
    assert none.shape == (0, 3, *SIZE)
    none.sum().backward()


@pytest.mark.parametrize('scale', [1.0, 0.5, 0.3])
def test_roi_pool_against_loops(device, scale):
    images = torch.randn(2, 3, 11, 14)
    malformed = torch.tensor([[0, 9.0, 2, 5, 8], [1, 3.0, 9, 8, 2]])
    rois = torch.cat((ROIS, malformed))
    output = roi_pool(images.to(device), rois.to(device), SIZE, scale)
    expected = _roi_pool_by_loops(images, rois, scale).float()
    assert torch.equal(output.cpu(), expected)
    assert (expected[-2:] == 0).all()


def test_roi_pool_gradient(device):
    images = torch.randn(2, 2, 6, 7, dtype=torch.double, device=device)
    malformed = ROIS.new_tensor([[0, 9.0, 2, 5, 8]])
    rois = torch.cat((ROIS, malformed)).to(images)
    assert torch.autograd.gradcheck(
        lambda x: roi_pool(x, rois, SIZE, 0.5),
        images.requires_grad_(),
        nondet_tol=1e-12,
    )


def test_roi_gradients_are_added(device, backend):
    """As the extension does, into what ``grad_input`` holds."""
    grad = torch.randn(len(ROIS), 2, *SIZE, device=device)
    rois, empty = ROIS.to(device), grad.new_zeros(0)
    argmax = torch.zeros_like(grad)
    for mode, points in ((1, empty), (0, argmax)):
        once, twice = grad.new_zeros(2, 2, 6, 7), grad.new_zeros(2, 2, 6, 7)
        args = (*SIZE, 0.5, 2, mode, True)
        backend.roi_align_backward(grad, rois, points, points, once, *args)
        for _ in range(2):
            backend.roi_align_backward(grad, rois, points, points, twice, *args)
        assert once.abs().sum() > 0
        torch.testing.assert_close(twice, 2 * once)
