"""Mixed precision on the CPU, which mmengine's wrapper refuses."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

import torch
from mmengine.optim import OptimWrapper
from mmtrack.registry import OPTIM_WRAPPERS
from torch import nn


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Runs the model in bfloat16 where torch's autocast does, on a CPU.

    Weights and their gradients stay in float32. bfloat16 has the range of float32, so
    losses need no scale.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Context of a forward pass; that of gradient accumulation is in it."""
        with super().optim_context(model):
            with torch.autocast('cpu', dtype=torch.bfloat16):
                yield
