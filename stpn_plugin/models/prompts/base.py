"""The contract of all prompt sources."""

from __future__ import annotations

from typing import Any, Dict, Union

from mmengine.model import BaseModule
from torch import Tensor

from ..backbones.promptable import Block, Promptable, require_promptable

BlockTensors = Dict[Block, Tensor]
Features = Union[Tensor, BlockTensors]


class PromptSource(BaseModule):
    """Makes prompts: from support frames, or from nothing.

    What a source returns goes to the backbone as it is, so it also decides
    where prompts enter: a tensor enters at the input, a mapping from (stage,
    block) enters block by block.
    """

    needs_support = True
    """Whether ``forward`` takes features of support frames."""

    @classmethod
    def dims_from(cls, backbone: Promptable) -> dict[str, Any]:
        """Arguments of the source that follow from the backbone.

        A detector gives these where its config leaves them out.

        Args:
            backbone: The backbone that will be prompted.

        Returns:
            By default ``prompt_dims``, the channels of its first stage, and
            ``in_channels``, those of its last output.
        """
        channels = backbone.feat_channels
        return dict(
            in_channels=channels[backbone.out_indices[-1]], prompt_dims=channels[0]
        )

    def check_backbone(self, backbone: Promptable) -> None:
        """Check that the source fits the backbone it will prompt.

        Args:
            backbone: The backbone that will be prompted.

        Raises:
            TypeError: The backbone does not offer what the source needs.
            ValueError: The source was built for other dimensions.
        """
        require_promptable(backbone)
        for name, expected in PromptSource.dims_from(backbone).items():
            found = getattr(self, name, expected)
            if found != expected:
                raise ValueError(
                    f'{type(self).__name__} has {name}={found}, but its backbone, '
                    f'{type(backbone).__name__}, needs {name}={expected}; leave '
                    f'{name} out to have it set'
                )

    def support_features(self, backbone: Any, imgs: Tensor) -> Features:
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
