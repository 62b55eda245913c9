"""Recording the attention of prompts, without touching the model."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, NamedTuple

import torch
from torch import Tensor, nn

from ..models.backbones import PatchAttention
from ..models.prompts import AttentionPromptPredictor

__all__ = ['PatchAttention', 'RecordedAttention', 'record_attention']


class RecordedAttention(NamedTuple):
    """Attention at the last call of every module, on the CPU.

    Attributes:
        support: For every attention prompt predictor, by its name in the model, what
            the prompts look at: (B, P, T, h, w), the mean over the heads, with sum 1
            for each prompt.
        patches: For every prompted block, by (stage, block), what the patches look at.
    """

    support: dict[str, Tensor]
    patches: dict[tuple[int, int], PatchAttention]


@contextmanager
def record_attention(model: nn.Module) -> Iterator[RecordedAttention]:
    """Record the attention of prompts while a model runs.

    The weights are computed a second time from what goes into predictors and
    backbones, by forward hooks, which are gone after the context.

    Args:
        model: A model with a backbone that lets one at its blocks
            (:class:`~stpn_plugin.models.backbones.BlockPromptable`).

    Yields:
        Filled, and overwritten, by every forward.

    Examples:
        >>> from stpn_plugin.models.backbones import STPNSwinTransformer
        >>> backbone = STPNSwinTransformer(arch='tiny')
        >>> with record_attention(backbone) as recorded:
        ...     feats = backbone(torch.rand(1, 3, 64, 96), torch.rand(5, 96))
        >>> recorded.patches[0, 0].weights.shape
        torch.Size([1, 5, 16, 24])
    """
    recorded = RecordedAttention({}, {})
    handles = []
    for name, module in model.named_modules():
        if isinstance(module, AttentionPromptPredictor):
            handles.append(module.register_forward_hook(_on_predictor(recorded, name)))
        if hasattr(module, 'patch_attention') and hasattr(module, 'block_inputs'):
            hook = _on_backbone(recorded)
            handles.append(module.register_forward_hook(hook, with_kwargs=True))
    try:
        yield recorded
    finally:
        for handle in handles:
            handle.remove()


def _on_predictor(recorded: RecordedAttention, name: str) -> Any:
    @torch.no_grad()
    def hook(module: AttentionPromptPredictor, args: tuple, output: Tensor) -> None:
        (support_feats,) = args  # (B, T, C, h, w)
        weights = module.attention(support_feats).mean(dim=1)  # (B, P, T * h * w)
        shape = (support_feats.shape[1], *support_feats.shape[3:])
        recorded.support[name] = weights.unflatten(-1, shape).float().cpu()

    return hook


def _on_backbone(recorded: RecordedAttention) -> Any:
    @torch.no_grad()
    def hook(module: Any, args: tuple, kwargs: dict, output: Any) -> None:
        x, prompts = _image_and_prompts(*args, **kwargs)
        if prompts is None:  # support frames
            return
        for place, attention in module.patch_attention(x, prompts).items():
            weights = attention.weights.float().cpu()
            recorded.patches[place] = attention._replace(weights=weights)

    return hook


def _image_and_prompts(x: Tensor, prompts: Any = None) -> tuple[Tensor, Any]:
    return x, prompts
