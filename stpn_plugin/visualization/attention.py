"""Recording the attention of prompts, without touching the model."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, NamedTuple

import torch
from torch import Tensor, nn

from ..models.backbones.prompted_swin_layers import (
    PromptedShiftWindowMSA,
    PromptedSwinStage,
    window_reverse,
)
from ..models.prompts import AttentionPromptPredictor


class PatchAttention(NamedTuple):
    """Attention that the patches of a block pay to the prompts.

    Attributes:
        weights (Tensor): (B, P, H, W), the mean over the heads. Summed over the P
            prompts, what part of its attention a patch pays to prompts.
        uniform (float): That part, if all tokens of a window had equal attention:
            P / (P + patches of a window).
    """

    weights: Tensor
    uniform: float


class RecordedAttention(NamedTuple):
    """Attention at the last call of every module, on the CPU.

    Attributes:
        support (dict[str, Tensor]): For every attention prompt predictor, by its name
            in the model, what the prompts look at: (B, P, T, h, w), the mean over the
            heads, with sum 1 for each prompt.
        patches (dict[tuple[int, int], PatchAttention]): For every prompted block, by
            (stage, block), what the patches look at.
    """

    support: dict[str, Tensor]
    patches: dict[tuple[int, int], PatchAttention]


@contextmanager
def record_attention(model: nn.Module) -> Iterator[RecordedAttention]:
    """Record the attention of prompts while a model runs.

    The weights are computed a second time from what goes into the modules, by
    forward hooks, which are gone after the context.

    Args:
        model (nn.Module): A model with prompted Swin blocks.

    Yields:
        RecordedAttention: Filled, and overwritten, by every forward.

    Examples:
        >>> with record_attention(model) as recorded:
        ...     model.test_step(data)
        >>> recorded.patches[0, 0].weights.shape
        torch.Size([1, 5, 150, 250])
    """
    recorded = RecordedAttention({}, {})
    handles = []
    for name, module in model.named_modules():
        if isinstance(module, AttentionPromptPredictor):
            handles.append(module.register_forward_hook(_on_predictor(recorded, name)))
    stages = [m for m in model.modules() if isinstance(m, PromptedSwinStage)]
    for i, stage in enumerate(stages):
        for j, block in enumerate(stage.blocks):
            hook = _on_attention(recorded, (i, j))
            handles.append(block.attn.register_forward_hook(hook))
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


def _on_attention(recorded: RecordedAttention, place: tuple[int, int]) -> Any:
    @torch.no_grad()
    def hook(module: PromptedShiftWindowMSA, args: tuple, output: Tensor) -> None:
        tokens, (height, width) = args
        prompts, windows, mask, padded_shape = module.windows(tokens, (height, width))
        if prompts is None:  # a support frame
            return
        num_prompts = prompts.shape[1]
        weights, _ = module.w_msa.attention(prompts, windows, mask)
        # (B, nW, heads, P + N, P + N) to (B, nW, N, P)
        weights = weights[:, :, :, num_prompts:, :num_prompts].mean(dim=2)
        maps = window_reverse(weights, module.window_size, padded_shape)
        maps = maps.roll((module.shift_size, module.shift_size), dims=(1, 2))
        maps = maps[:, :height, :width].permute(0, 3, 1, 2)
        recorded.patches[place] = PatchAttention(
            maps.float().cpu(), num_prompts / (num_prompts + module.window_size**2)
        )

    return hook
