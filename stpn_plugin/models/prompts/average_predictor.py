"""Average prompt predictor."""

from __future__ import annotations

from mmtrack.registry import MODELS
from mmtrack.utils import OptMultiConfig
from torch import Tensor, nn

from .base import PromptSource
from .support_tokens import support_tokens


@MODELS.register_module()
class AveragePromptPredictor(PromptSource):
    """Average the strongest tokens of the support frames.

    Of each support frame the P tokens of largest L1 norm are taken, in the
    order of that norm; prompt p is the mean of the frames' p-th tokens,
    projected to the prompt dimension.

    Source: the "avg" predictor released with "Spatio-temporal Prompting
    Network for Robust Video Feature Extraction", ICCV 2023.

    Args:
        in_channels: Channels of the support features.
        prompt_dims: Channels D of a prompt: those of the backbone's first stage.
        num_prompts: Number of prompts P. Defaults to 5.
        init_cfg: Initialization config.

    Examples:
        >>> import torch
        >>> predictor = AveragePromptPredictor(768, 96)
        >>> predictor(torch.rand(2, 14, 768, 19, 32)).shape
        torch.Size([2, 5, 96])
    """

    def __init__(
        self,
        in_channels: int,
        prompt_dims: int,
        num_prompts: int = 5,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = in_channels
        self.prompt_dims = prompt_dims
        self.num_prompts = num_prompts
        self.reduction = nn.Linear(in_channels, prompt_dims)

    def forward(self, support_feats: Tensor) -> Tensor:
        """Predict the prompts of each image.

        Args:
            support_feats: Last backbone stage of the T support frames of each
                of B images, (B, T, C, h, w), with h * w >= P.

        Returns:
            Prompts (B, P, D).

        Raises:
            ValueError: ``support_feats`` has another shape, or fewer
                positions than there are prompts.
        """
        tokens = support_tokens(support_feats, self.in_channels)  # (B, T, L, C)
        if tokens.shape[2] < self.num_prompts:
            raise ValueError(
                f'support features have {tokens.shape[2]} positions a frame, fewer '
                f'than num_prompts={self.num_prompts}; use larger images'
            )
        strongest = tokens.abs().sum(dim=-1).topk(self.num_prompts, dim=-1).indices
        index = strongest.unsqueeze(-1).expand(-1, -1, -1, tokens.shape[-1])
        return self.reduction(tokens.gather(2, index).mean(dim=1))
