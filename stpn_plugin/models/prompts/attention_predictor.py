"""Attention prompt predictor, the one of the released models."""

from __future__ import annotations

import torch
from mmtrack.registry import MODELS
from mmtrack.utils import OptMultiConfig
from torch import Tensor, nn

from .base import PromptSource
from .support_tokens import support_tokens


@MODELS.register_module()
class AttentionPromptPredictor(PromptSource):
    r"""Predict prompts by learned queries that attend to the support frames.

    All tokens of an image's support frames form one set, without order or
    position. With :math:`r = W_r\,tokens` and one multi-head attention,

    .. math::
        prompts = W_o\,\mathrm{softmax}\left(
            \frac{(W_q\,query)(W_k\,r)^T}{\sqrt{D / heads}}\right)(W_v\,r)

    Source: transformer-based predictor of "Spatio-temporal Prompting Network
    for Robust Video Feature Extraction", ICCV 2023, in its released form.

    Args:
        in_channels: Channels of the support features.
        prompt_dims: Channels D of a prompt: those of the backbone's first stage. Must
            be divisible by ``num_heads``.
        num_prompts: Number of prompts P. Defaults to 5.
        num_heads: Number of attention heads. Defaults to 16.
        init_cfg: Initialization config.

    Examples:
        >>> predictor = AttentionPromptPredictor(768, 96)
        >>> predictor(torch.rand(2, 14, 768, 19, 32)).shape
        torch.Size([2, 5, 96])
    """

    def __init__(
        self,
        in_channels: int,
        prompt_dims: int,
        num_prompts: int = 5,
        num_heads: int = 16,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        if prompt_dims % num_heads:
            raise ValueError(
                f'prompt_dims ({prompt_dims}) must be divisible by num_heads '
                f'({num_heads})'
            )
        self.in_channels = in_channels
        self.prompt_dims = prompt_dims
        self.num_prompts = num_prompts
        self.num_heads = num_heads
        self.reduction = nn.Linear(in_channels, prompt_dims)
        self.query = nn.Parameter(torch.randn(num_prompts, prompt_dims))
        self.fc_embed = nn.Linear(prompt_dims, prompt_dims)
        self.ref_fc_embed = nn.Linear(prompt_dims, prompt_dims)
        self.ref_fc = nn.Linear(prompt_dims, prompt_dims)
        self.fc = nn.Linear(prompt_dims, prompt_dims)

    def _split_heads(self, x: Tensor) -> Tensor:
        """(..., L, D) to (..., heads, L, D / heads)."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(-3, -2)

    def attention(self, support_feats: Tensor) -> Tensor:
        """Where the prompts look: (B, heads, P, T * h * w), rows sum to 1."""
        tokens = self.reduction(support_tokens(support_feats, self.in_channels))
        return self._attention(tokens.flatten(1, 2))

    def _attention(self, tokens: Tensor) -> Tensor:
        query = self._split_heads(self.fc_embed(self.query))  # (heads, P, D')
        key = self._split_heads(self.ref_fc_embed(tokens))  # (B, heads, L, D')
        scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
        return scores.softmax(dim=-1)

    def forward(self, support_feats: Tensor) -> Tensor:
        """Predict the prompts of each image.

        Args:
            support_feats: Last backbone stage of the T support frames of each
                of B images, (B, T, C, h, w).

        Returns:
            Prompts (B, P, D).

        Raises:
            ValueError: ``support_feats`` has another shape.
        """
        tokens = self.reduction(support_tokens(support_feats, self.in_channels))
        tokens = tokens.flatten(1, 2)  # (B, T * h * w, D)
        prompts = self._attention(tokens) @ self._split_heads(self.ref_fc(tokens))
        return self.fc(prompts.transpose(1, 2).flatten(2))
