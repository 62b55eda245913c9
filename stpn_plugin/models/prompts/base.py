"""The contract of all prompt sources."""

from __future__ import annotations

from typing import Dict, Tuple, Union

from mmengine.model import BaseModule
from torch import Tensor, nn

# (stage, block) of a backbone -> tensor
BlockTensors = Dict[Tuple[int, int], Tensor]
Features = Union[Tensor, BlockTensors]


class PromptSource(BaseModule):
    """Makes prompts: from support frames, or from nothing.

    What a source returns goes to the backbone as it is, so it also decides
    where prompts enter: a tensor enters at the input, a mapping from (stage,
    block) enters block by block.
    """

    needs_support = True
    """Whether ``forward`` takes features of support frames."""

    def support_features(self, backbone: nn.Module, imgs: Tensor) -> Features:
        """Extract what ``forward`` needs to know of support frames.

        Args:
            backbone: The backbone that will be prompted.
            imgs: Support frames (N, 3, H, W).

        Returns:
            The last stage's output (N, C, h, w), or whatever else a subclass
            wants: a tensor, or a mapping to tensors, with N entries in the
            first dimension.
        """
        return backbone(imgs)[-1]
