"""Focal losses against their formulas in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmcv.ops import sigmoid_focal_loss, softmax_focal_loss

NUM_CLASSES = 4
# Every class, background (4) and ignored (-1).
TARGETS = torch.tensor([0, 1, 2, 3, 4, -1, 2])


def _logits(dtype: torch.dtype = torch.float) -> torch.Tensor:
    return 3 * torch.randn(len(TARGETS), NUM_CLASSES, dtype=dtype)


def _sigmoid_formula(
    logits: torch.Tensor, gamma: float, alpha: float, weight: np.ndarray
) -> torch.Tensor:
    x = logits.double().cpu().numpy()
    loss = np.zeros_like(x)
    for n, c in np.ndindex(*x.shape):
        positive = TARGETS[n] == c
        z = x[n, c] if positive else -x[n, c]
        log_p = -np.logaddexp(0, -z)
        factor = alpha if positive else 1 - alpha
        loss[n, c] = -factor * (1 - np.exp(log_p)) ** gamma * log_p
        loss[n, c] *= weight[TARGETS[n]] if 0 <= TARGETS[n] < NUM_CLASSES else 1
    return torch.tensor(loss)


def _softmax_formula(
    logits: torch.Tensor, targets: torch.Tensor, gamma: float, weight: np.ndarray
) -> torch.Tensor:
    x = logits.double().cpu().numpy()
    loss = np.zeros(len(x))
    for n, target in enumerate(targets.tolist()):
        if target >= 0:
            log_p = x[n, target] - np.logaddexp.reduce(x[n])
            loss[n] = -0.25 * (1 - np.exp(log_p)) ** gamma * log_p * weight[target]
    return torch.tensor(loss)


@pytest.mark.parametrize('weighted', [True, False])
@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0])
def test_sigmoid_focal_loss_against_formula(device, gamma, weighted):
    logits, weight = _logits(), torch.tensor([0.5, 1.0, 2.0, 3.0])
    loss = sigmoid_focal_loss(
        logits.to(device),
        TARGETS.to(device),
        gamma,
        0.3,
        weight.to(device) if weighted else None,
        'none',
    )
    factors = weight.numpy() if weighted else np.ones(NUM_CLASSES)
    expected = _sigmoid_formula(logits, gamma, 0.3, factors)
    torch.testing.assert_close(loss.cpu(), expected.float(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('weighted', [True, False])
@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0])
def test_softmax_focal_loss_against_formula(device, gamma, weighted):
    logits, weight = _logits(), torch.tensor([0.5, 1.0, 2.0, 3.0])
    targets = TARGETS.masked_fill(TARGETS == NUM_CLASSES, -100)
    loss = softmax_focal_loss(
        logits.to(device),
        targets.to(device),
        gamma,
        0.25,
        weight.to(device) if weighted else None,
        'none',
    )
    factors = weight.numpy() if weighted else np.ones(NUM_CLASSES)
    expected = _softmax_formula(logits, targets, gamma, factors)
    torch.testing.assert_close(loss.cpu(), expected.float(), rtol=1e-4, atol=1e-6)
    assert (loss[targets < 0] == 0).all()


@pytest.mark.parametrize('weighted', [True, False])
@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0])
def test_gradients(device, gamma, weighted):
    logits = _logits(torch.double).to(device).requires_grad_()
    weight = torch.rand(NUM_CLASSES).to(logits) if weighted else None
    targets = TARGETS.to(device)
    for reduction in ('none', 'mean', 'sum'):
        assert torch.autograd.gradcheck(
            lambda x, how=reduction: sigmoid_focal_loss(
                x, targets, gamma, 0.3, weight, how
            ),
            logits,
        )
    known = targets.masked_fill(targets == NUM_CLASSES, -1)
    for reduction in ('mean', 'sum'):
        assert torch.autograd.gradcheck(
            lambda x, how=reduction: softmax_focal_loss(
                x, known, gamma, 0.3, weight, how
            ),
            logits,
        )


@pytest.mark.parametrize('loss_function', [sigmoid_focal_loss, softmax_focal_loss])
@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0])
def test_extreme_logits(device, gamma, loss_function):
    """Certain and certainly wrong answers give finite losses and gradients."""
    logits = torch.tensor([[50.0, -50, 0, 0], [-50, 50, 0, 0]], device=device)
    logits.requires_grad_()
    targets = torch.tensor([0, 0], device=device)
    loss = loss_function(logits, targets, gamma, 0.25, None, 'sum')
    loss.backward()
    assert logits.grad.isfinite().all()
    wrong = logits.grad[1]
    # The slope of a certainly wrong answer is that of cross entropy.
    assert wrong[0].item() == pytest.approx(-0.25, rel=1e-3)
    assert wrong[1] > 0


def test_saturated_sigmoid_keeps_its_loss(device):
    """In float32 ``1 - sigmoid(30)`` is 0, the loss of 30 is still 30."""
    logits = torch.tensor([[30.0]], device=device)
    background = torch.tensor([1], device=device)
    loss = sigmoid_focal_loss(logits, background, 2.0, 0.25, None, 'sum')
    assert loss.item() == pytest.approx(0.75 * 30)


@pytest.mark.parametrize('loss_function', [sigmoid_focal_loss, softmax_focal_loss])
@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_half_precision_under_autocast(device, dtype, loss_function):
    if device.type == 'cpu' and dtype == torch.half:
        pytest.skip('mmcv computes the softmax in the type of the input')
    targets = TARGETS.clamp(max=NUM_CLASSES - 1).to(device)
    logits = _logits().to(device, dtype)
    narrow = logits.clone().requires_grad_()
    wide = logits.float().requires_grad_()
    with torch.autocast(device.type, dtype=dtype):
        loss = loss_function(narrow, targets, 2.0, 0.25, None, 'sum')
    loss.backward()
    expected = loss_function(wide, targets, 2.0, 0.25, None, 'sum')
    expected.backward()
    tolerance = dict(rtol=8 * torch.finfo(dtype).eps, atol=8 * torch.finfo(dtype).eps)
    torch.testing.assert_close(loss.float(), expected, **tolerance)
    torch.testing.assert_close(narrow.grad.float(), wide.grad, **tolerance)


@pytest.mark.parametrize('loss_function', [sigmoid_focal_loss, softmax_focal_loss])
def test_no_rows_and_strided_rows(device, loss_function):
    targets = TARGETS.clamp(max=NUM_CLASSES - 1).to(device)
    logits = _logits().to(device)
    expected = loss_function(logits, targets, 2.0, 0.25, None, 'none')
    strided = logits.t().contiguous().t()
    actual = loss_function(strided, targets, 2.0, 0.25, None, 'none')
    torch.testing.assert_close(actual, expected)

    empty = logits[:0].requires_grad_()
    loss = loss_function(empty, targets[:0], 2.0, 0.25, None, 'sum')
    loss.backward()
    assert loss.item() == 0 and empty.grad.shape == (0, NUM_CLASSES)
