"""Results that stay the same from one forward pass to the next."""

from __future__ import annotations

from typing import Callable, Hashable

import torch
from torch import Tensor

from .pieces import is_plain


class Remembered:
    """The last tensor that was made from a parameter, while that keeps its values.

    Values are compared, as parameters change in ways that leave no trace, such as
    averaged weights that are swapped in through ``data``. On a GPU, where a comparison
    would make the CPU wait, with gradients, and while a graph is recorded nothing is
    remembered. Copies and pickles of it are empty.
    """

    def __init__(self) -> None:
        self._last: tuple[Hashable, Tensor, Tensor] | None = None

    def __reduce__(self) -> tuple:
        return type(self), ()

    def __call__(
        self, make: Callable[[Tensor], Tensor], parameter: Tensor, key: Hashable
    ) -> Tensor:
        """Make a tensor, or remember it.

        Args:
            make: Makes it from the parameter.
            parameter: Of any shape.
            key: What else it depends on.
        """
        on_cpu = parameter.device.type == 'cpu'
        if torch.is_grad_enabled() or not on_cpu or not is_plain(parameter):
            return make(parameter)
        last, key = self._last, (key, parameter.dtype)
        if last is None or last[0] != key or not torch.equal(last[1], parameter):
            last = self._last = key, parameter.detach().clone(), make(parameter)
        return last[2]
