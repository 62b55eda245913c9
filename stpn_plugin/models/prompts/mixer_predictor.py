"""Mixer prompt predictor."""

from __future__ import annotations

import torch.nn.functional as F
from mmtrack.registry import MODELS
from mmtrack.utils import OptMultiConfig
from torch import Tensor, nn

from .base import PromptSource
from .support_tokens import check_support_features


def _mlp(in_features: int, hidden: int, out_features: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(in_features, hidden), nn.GELU(), nn.Linear(hidden, out_features)
    )


@MODELS.register_module()
class MixerPromptPredictor(PromptSource):
    """Mix the positions of the support frames into prompts by MLPs.

    The STPN paper names a mixer-based predictor but its structure was never
    released. This one is our own design in the sense of MLP-Mixer (Tolstikhin
    et al., NeurIPS 2021)::

        (B, T, C, h, w) -- reduction C -> D -- pool to S x S -- norm
          -- token mixing: MLP over the S * S positions -> P tokens a frame
          -- mean over the T frames
          -- channel mixing: x + MLP(norm(x)) -- (B, P, D)

    It knows positions, which attention and average predictors do not, and
    takes any number of frames, whose order does not matter.

    Args:
        in_channels: Channels of the support features.
        prompt_dims: Channels D of a prompt: those of the backbone's first stage.
        num_prompts: Number of prompts P. Defaults to 5.
        pool_size: Side S of the grid that each frame is pooled to. Defaults to 7.
        mlp_ratio: Hidden over outer width of both MLPs. Defaults to 4.
        init_cfg: Initialization config.
    """

    def __init__(
        self,
        in_channels: int,
        prompt_dims: int,
        num_prompts: int = 5,
        pool_size: int = 7,
        mlp_ratio: int = 4,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = in_channels
        self.prompt_dims = prompt_dims
        self.num_prompts = num_prompts
        self.pool_size = pool_size
        self.reduction = nn.Linear(in_channels, prompt_dims)
        self.token_norm = nn.LayerNorm(prompt_dims)
        self.token_mixing = _mlp(pool_size**2, mlp_ratio * num_prompts, num_prompts)
        self.channel_norm = nn.LayerNorm(prompt_dims)
        self.channel_mixing = _mlp(prompt_dims, mlp_ratio * prompt_dims, prompt_dims)

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
        check_support_features(support_feats, self.in_channels)
        batch_and_frames = support_feats.shape[:2]
        # Pooling commutes with the reduction, and is cheaper first.
        pooled = F.adaptive_avg_pool2d(support_feats.flatten(0, 1), self.pool_size)
        tokens = self.token_norm(self.reduction(pooled.flatten(2).transpose(1, 2)))
        mixed = self.token_mixing(tokens.transpose(1, 2)).transpose(1, 2)
        prompts = mixed.unflatten(0, batch_and_frames).mean(dim=1)  # (B, P, D)
        return prompts + self.channel_mixing(self.channel_norm(prompts))
