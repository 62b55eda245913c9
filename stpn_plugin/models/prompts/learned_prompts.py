"""Learned prompts, the same for all images."""

from __future__ import annotations

from typing import Any, Sequence

import torch
from mmtrack.registry import MODELS
from mmtrack.utils import OptMultiConfig
from torch import nn

from ..backbones.promptable import Promptable, require_blocks
from .base import Features, PromptSource


@MODELS.register_module()
class LearnedPrompts(PromptSource):
    """Static prompts of visual prompt tuning; they need no support frames.

    Shallow prompts enter at the input of the backbone. Deep prompts replace
    them before every later block with that block's own.

    Source: the VPT baseline released with STPN (``PromptedSwinTransformer``);
    Jia et al., "Visual Prompt Tuning", ECCV 2022. All are initialised
    uniformly in ±sqrt(6 / (3 * patch_size ** 2 + prompt_dims)).

    Args:
        prompt_dims: Channels of the backbone's first stage.
        num_prompts: Number of prompts P. Defaults to 5.
        deep_depths: For deep prompts, the number of blocks of each stage that get them,
            from the stage's first on. Empty (default) leaves it to ``deep``.
        patch_size: Patch size of the backbone. Defaults to 4.
        deep_channels: Channels of each stage, for deep prompts. By default they double
            from stage to stage.
        deep: Whether all blocks of the backbone get prompts. Defaults to False: shallow
            ones.
        num_blocks: Number of blocks of each stage of the backbone, for ``deep``.
        init_cfg: Initialization config.

    Raises:
        ValueError: With ``deep`` the number of blocks is not known.
    """

    needs_support = False

    def __init__(
        self,
        prompt_dims: int,
        num_prompts: int = 5,
        deep_depths: Sequence[int] = (),
        patch_size: int = 4,
        deep_channels: Sequence[int] | None = None,
        deep: bool = False,
        num_blocks: Sequence[int] | None = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        bound = (6 / (3 * patch_size**2 + prompt_dims)) ** 0.5

        def prompts(count: int, dims: int) -> nn.Parameter:
            return nn.Parameter(
                torch.empty(count, num_prompts, dims).uniform_(-bound, bound)
            )

        self.prompt_dims = prompt_dims
        if deep and not deep_depths:
            if num_blocks is None:
                raise ValueError(
                    'deep=True needs num_blocks, the number of blocks of each stage. A '
                    'detector sets it, if its backbone has access to its blocks; see '
                    'stpn_plugin.models.backbones.BlockPromptable'
                )
            deep_depths = num_blocks
        self.deep_depths = tuple(deep_depths)
        if deep_channels is None:
            deep_channels = [prompt_dims * 2**i for i in range(len(self.deep_depths))]
        self.deep_channels = list(deep_channels)
        self.prompt_embeddings = prompts(1, prompt_dims)
        for i, depth in enumerate(self.deep_depths):
            # The first block of all has `prompt_embeddings`.
            count = depth - 1 if i == 0 else depth
            parameter = prompts(count, self.deep_channels[i])
            self.register_parameter(f'deep_prompt_embeddings_{i}', parameter)

    @classmethod
    def dims_from(cls, backbone: Promptable) -> dict[str, Any]:
        """``prompt_dims``, ``patch_size``, ``deep_channels`` and ``num_blocks``."""
        channels = list(backbone.feat_channels)
        return dict(
            prompt_dims=channels[0],
            patch_size=backbone.feat_strides[0],
            deep_channels=channels,
            num_blocks=getattr(backbone, 'num_blocks', None),
        )

    def check_backbone(self, backbone: Any) -> None:
        """Check the prompts' channels and, for deep prompts, the blocks."""
        super().check_backbone(backbone)
        if self.deep_depths:
            places = [(i, j) for i, n in enumerate(self.deep_depths) for j in range(n)]
            require_blocks(
                backbone,
                {(i, j): self.deep_channels[i] for i, j in places},
                user=f'deep prompts of {type(self).__name__}',
            )

    def forward(self) -> Features:
        """Prompts (P, C1), or for deep ones {(stage, block): (P, Ci)}."""
        if not self.deep_depths:
            return self.prompt_embeddings[0]
        prompts = {}
        for i in range(len(self.deep_depths)):
            stage = getattr(self, f'deep_prompt_embeddings_{i}')
            if i == 0:
                stage = torch.cat((self.prompt_embeddings, stage))
            prompts.update({(i, j): block for j, block in enumerate(stage)})
        return prompts
