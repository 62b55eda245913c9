"""Learned prompts, the same for all images."""

from __future__ import annotations

from typing import Sequence

import torch
from mmtrack.registry import MODELS
from mmtrack.utils import OptMultiConfig
from torch import nn

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
        prompt_dims (int): Channels of the backbone's first stage; they
            double from stage to stage.
        num_prompts (int): Number of prompts P. Defaults to 5.
        deep_depths (Sequence[int]): Number of blocks of each stage
            of the backbone, for deep prompts. Empty (default) gives
            shallow ones.
        patch_size (int): Patch size of the backbone. Defaults to 4.
        init_cfg (dict, optional): Initialization config.
    """

    needs_support = False

    def __init__(
        self,
        prompt_dims: int,
        num_prompts: int = 5,
        deep_depths: Sequence[int] = (),
        patch_size: int = 4,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        bound = (6 / (3 * patch_size**2 + prompt_dims)) ** 0.5

        def prompts(count: int, dims: int) -> nn.Parameter:
            return nn.Parameter(
                torch.empty(count, num_prompts, dims).uniform_(-bound, bound)
            )

        self.deep_depths = tuple(deep_depths)
        self.prompt_embeddings = prompts(1, prompt_dims)
        for i, depth in enumerate(self.deep_depths):
            # The first block of all has `prompt_embeddings`.
            count = depth - 1 if i == 0 else depth
            parameter = prompts(count, prompt_dims * 2**i)
            self.register_parameter(f'deep_prompt_embeddings_{i}', parameter)

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
