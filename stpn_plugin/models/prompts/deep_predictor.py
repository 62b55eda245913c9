"""Predicted prompts for single blocks."""

from __future__ import annotations

from typing import Any, Sequence

from mmtrack.registry import MODELS
from mmtrack.utils import ConfigType, OptMultiConfig
from torch import Tensor, nn

from ..backbones.promptable import Promptable, require_blocks
from .base import BlockTensors, PromptSource


@MODELS.register_module()
class DeepPromptPredictor(PromptSource):
    """Predict prompts of chosen blocks from those blocks' own inputs.

    The support frames pass the backbone without prompts; what enters a chosen
    block makes that block's prompts. The blocks of a stage share one
    predictor, from Ci to Ci channels.

    Source: ``DeepVideoPrompt``, released with STPN (ICCV 2023), which uses
    the average predictor.

    Args:
        predictor: Config of the predictor of one stage, without ``in_channels`` and
            ``prompt_dims``.
        channels: Channels Ci of the backbone's stages.
        blocks: (stage, block) of each block that gets prompts, both counted from 0.
        init_cfg: Initialization config.
    """

    def __init__(
        self,
        predictor: ConfigType,
        channels: Sequence[int],
        blocks: Sequence[tuple[int, int]],
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        if not blocks:
            raise ValueError('blocks names no (stage, block) to be prompted')
        self.blocks = [(stage, block) for stage, block in blocks]
        self.channels = list(channels)
        missing = sorted({i for i, _ in self.blocks if i >= len(self.channels)})
        if missing:
            raise ValueError(
                f'blocks names stages {missing}, but channels gives those of '
                f'{len(self.channels)} stages'
            )
        self.stages = nn.ModuleDict()
        for i in sorted({stage for stage, _ in self.blocks}):
            dims = dict(in_channels=channels[i], prompt_dims=channels[i])
            built = MODELS.build(dict(predictor, **dims))
            self.stages[str(i)] = nn.ModuleDict(dict(predictor=built))

    @classmethod
    def dims_from(cls, backbone: Promptable) -> dict[str, Any]:
        """``channels``, those of the backbone's stages."""
        return dict(channels=list(backbone.feat_channels))

    def check_backbone(self, backbone: Any) -> None:
        """Check that the backbone has the blocks, with these channels."""
        require_blocks(
            backbone,
            {(stage, block): self.channels[stage] for stage, block in self.blocks},
            user=f'prompts of {type(self).__name__}',
        )

    def support_features(self, backbone: Any, imgs: Tensor) -> BlockTensors:
        """Inputs (N, Ci, h, w) of the chosen blocks, without prompts."""
        return backbone.block_inputs(imgs, self.blocks)

    def forward(self, support_feats: BlockTensors) -> BlockTensors:
        """Predict the prompts of each image, block by block.

        Args:
            support_feats: For each (stage, block), its input for the T
                support frames of each of B images, (B, T, Ci, h, w).

        Returns:
            {(stage, block): (B, P, Ci)}
        """
        return {
            (stage, block): self.stages[str(stage)]['predictor'](feats)
            for (stage, block), feats in support_feats.items()
        }
