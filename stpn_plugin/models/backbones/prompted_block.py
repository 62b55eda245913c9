"""What transformer blocks over prompted tokens share."""

from __future__ import annotations

import torch.utils.checkpoint as cp
from torch import Tensor, nn

from .promptable import PatchAttention


class PromptedBlock(nn.Module):
    """Attention and an MLP over prompted tokens, each behind a norm.

    Norms, stochastic depth and both residual sums treat prompts and patches
    alike.

    Args:
        block: The built mmdet block, whose norms are adopted.
        attn: Attention over prompted tokens.
        ffn: MLP over prompted tokens.
        with_cp: Whether to recompute activations in the backward pass.
    """

    def __init__(
        self, block: nn.Module, attn: nn.Module, ffn: nn.Module, with_cp: bool
    ) -> None:
        super().__init__()
        self.with_cp = with_cp
        self.norm1 = block.norm1
        self.attn = attn
        self.norm2 = block.norm2
        self.ffn = ffn

    def attend_and_mix(self, tokens: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """What the block computes, for :meth:`forward` to recompute if asked to."""
        raise NotImplementedError

    def forward(self, tokens: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Tokens (B, P + H * W, C) in, the same shape out."""
        if self.with_cp and tokens.requires_grad:
            return cp.checkpoint(
                self.attend_and_mix, tokens, hw_shape, use_reentrant=False
            )
        return self.attend_and_mix(tokens, hw_shape)

    def patch_attention(
        self, tokens: Tensor, hw_shape: tuple[int, int]
    ) -> PatchAttention:
        """What each patch pays to each prompt; arguments as for :meth:`forward`."""
        return self.attn.patch_attention(self.norm1(tokens), hw_shape)
