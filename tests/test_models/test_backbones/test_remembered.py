from __future__ import annotations

import copy
import pickle
from typing import Iterator

import pytest
import torch
from torch import Tensor, nn

from stpn_plugin.models.backbones.remembered import Remembered


class Doubler:
    """Doubles tensors, and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        return 2 * x


@pytest.fixture(params=['no_grad', 'inference_mode'])
def without_gradients(request: pytest.FixtureRequest) -> Iterator[None]:
    with getattr(torch, request.param)():
        yield


@pytest.mark.usefixtures('without_gradients')
def test_made_once_for_equal_values() -> None:
    remembered, double = Remembered(), Doubler()
    parameter = nn.Parameter(torch.ones(3))
    first = remembered(double, parameter, 'key')
    assert remembered(double, parameter, 'key') is first
    assert remembered(double, nn.Parameter(torch.ones(3)), 'key') is first
    assert double.calls == 1
    remembered(double, parameter, 'another key')
    assert double.calls == 2


@pytest.mark.usefixtures('without_gradients')
def test_other_values_and_types_are_seen() -> None:
    remembered, double = Remembered(), Doubler()
    parameter = nn.Parameter(torch.ones(3))
    remembered(double, parameter, 'key')
    parameter.data[1] = 5
    assert remembered(double, parameter, 'key').tolist() == [2, 10, 2]
    parameter.data = parameter.data.double()
    assert remembered(double, parameter, 'key').dtype is torch.float64
    parameter.data = torch.full((3,), torch.nan)
    remembered(double, parameter, 'key')
    assert remembered(double, parameter, 'key').isnan().all()


def test_nothing_is_remembered_with_gradients() -> None:
    remembered, double = Remembered(), Doubler()
    parameter = nn.Parameter(torch.ones(3))
    for calls in (1, 2):
        result = remembered(double, parameter, 'key')
        assert result.requires_grad
        assert double.calls == calls


@pytest.mark.usefixtures('without_gradients')
def test_copies_are_empty() -> None:
    remembered, double = Remembered(), Doubler()
    parameter = nn.Parameter(torch.ones(3))
    size = len(pickle.dumps(remembered))
    first = remembered(double, parameter, 'key')
    assert len(pickle.dumps(remembered)) == size
    assert copy.deepcopy(remembered)(double, parameter, 'key') is not first
