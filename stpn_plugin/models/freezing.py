"""Parts of a model that are not trained."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator, Sequence

from torch import nn


class FreezingMixin(nn.Module):
    """Lets a model name parts that stay as they are: no gradient, always in eval mode.

    Goes in front of mmtrack's base classes, whose method of this name freezes for the
    moment: the next ``train()`` ends the eval mode. Gradients flow through a frozen
    part to what comes before it, such as prompts that enter a frozen backbone.

    Attributes:
        frozen_modules: Dotted names of the frozen parts.
    """

    frozen_modules: tuple[str, ...] = ()

    def freeze_module(self, module: str | Sequence[str]) -> None:
        """Freeze parts of the model, for good.

        Call it when the model is complete, also without any name: parts that freeze
        themselves when they are set to training mode (``frozen_stages`` of mmdet's
        Swin) do so now. ``DistributedDataParallel`` asks once, when it wraps a model,
        which parameters are trained, and fails if later there are fewer.

        Args:
            module: Dotted names of the parts, such as ``detector`` or
                ``detector.backbone``.

        Raises:
            AttributeError: If there is no such part.
        """
        names = (module,) if isinstance(module, str) else tuple(module)
        for name in names:
            self.get_submodule(name).requires_grad_(False)
        self.frozen_modules = (*self.frozen_modules, *names)
        self.train(self.training)

    def train(self, mode: bool = True) -> FreezingMixin:
        """Set the mode; frozen parts stay in eval mode."""
        super().train(mode)
        for name in self.frozen_modules:
            self.get_submodule(name).eval()
        return self


@contextmanager
def heads_for_loss(module: nn.Module) -> Iterator[None]:
    """Let heads in eval mode compute losses.

    Some of mmdet's heads (FCOS's, for example) put out other numbers for boxes than
    for losses, and go by their own ``training``. A frozen head is told here that a loss
    is wanted; the layers in it, its dropout and norms, stay in eval mode.

    Args:
        module: A detector.
    """
    heads = [m for m in module.modules() if hasattr(m, 'loss') and not m.training]
    for head in heads:
        head.training = True
    try:
        yield
    finally:
        for head in heads:
            head.training = False
