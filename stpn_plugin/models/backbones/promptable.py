"""What a backbone offers that takes prompts: the contract and its checks."""

from __future__ import annotations

import inspect
from typing import (
    Any,
    Iterable,
    Mapping,
    NamedTuple,
    Protocol,
    Sequence,
    Tuple,
    Union,
)

from torch import Tensor

Block = Tuple[int, int]
"""(stage, block within the stage), both counted from 0."""

Prompts = Union[Tensor, Mapping[Block, Tensor]]
"""Prompts (P, C1) or (B, P, C1) that enter at the input and stay to the end; or
for single blocks {(stage, block): (P, Ci) or (B, P, Ci)}, which enter before their
block and leave after it."""


class PatchAttention(NamedTuple):
    """Attention that the patches of a block pay to the prompts.

    Attributes:
        weights: (B, P, H, W), the mean over the heads. Summed over the P prompts, what
            part of its attention a patch pays to prompts.
        uniform: That part, if all tokens that a patch sees had equal attention.
    """

    weights: Tensor
    uniform: float


class Promptable(Protocol):
    """A backbone whose forward takes prompts.

    All that prompting at the input needs. For an image the result does not
    depend on the other images of the batch, and with ``prompts=None`` it is that
    of the backbone without prompts.

    Attributes:
        out_indices: Stages that ``forward`` gives.
    """

    out_indices: Sequence[int]

    @property
    def feat_channels(self) -> Sequence[int]:
        """Channels Ci of every stage; prompts at the input have the first's."""

    @property
    def feat_strides(self) -> Sequence[int]:
        """Side of a patch in pixels in every stage."""

    def forward(self, x: Tensor, prompts: Any | None = None) -> Sequence[Tensor]:
        """Extract features.

        Args:
            x: Images (B, 3, H, W).
            prompts: (P, C1), the same for all images, or (B, P, C1).

        Returns:
            Maps (B, Ci, Hi, Wi), one per stage in ``out_indices``.

        Raises:
            TypeError: Prompts are not tensors.
            ValueError: Prompts do not fit the images in number of dimensions,
                channels, batch size or device.
        """


class BlockPromptable(Promptable, Protocol):
    """A promptable backbone that lets one at its blocks.

    Its ``forward`` takes all :data:`Prompts`. Prompts of single blocks and
    pictures of attention need it.
    """

    @property
    def num_blocks(self) -> Sequence[int]:
        """Number of blocks of every stage."""

    def block_inputs(self, x: Tensor, blocks: Iterable[Block]) -> dict[Block, Tensor]:
        """What enters blocks when there are no prompts.

        Args:
            x: Images (B, 3, H, W).
            blocks: (stage, block) of each block that is asked for.

        Returns:
            {(stage, block): (B, Ci, Hi, Wi)}, in the order asked for.

        Raises:
            ValueError: There is no such block.
        """

    def patch_attention(
        self, x: Tensor, prompts: Prompts
    ) -> dict[Block, PatchAttention]:
        """What patches pay to prompts, in every block that has prompts."""


def require_promptable(backbone: Any) -> None:
    """Check that a backbone is :class:`Promptable`.

    Args:
        backbone: The module.

    Raises:
        TypeError: It is not; the message says what it lacks.
    """
    name = type(backbone).__name__
    lacks = [attr for attr in _members(Promptable) if not hasattr(backbone, attr)]
    if 'prompts' not in inspect.signature(backbone.forward).parameters:
        lacks.insert(0, 'an argument "prompts" of forward')
    if lacks:
        raise TypeError(
            f'{name} cannot be prompted: it lacks {", ".join(lacks)}. Use a backbone '
            'that has these, such as mmtrack.STPNSwinTransformer; the contract is '
            'stpn_plugin.models.backbones.Promptable'
        )


def require_blocks(
    backbone: Any, channels: Mapping[Block, int], user: str = 'prompts of blocks'
) -> None:
    """Check that single blocks of a backbone can be prompted.

    Args:
        backbone: The module.
        channels: For every (stage, block) to be prompted, the prompts' channels.
        user: Who wants it, for messages.

    Raises:
        TypeError: The backbone is not :class:`BlockPromptable`; the message says
            what it lacks.
        ValueError: It has no such block, or blocks of other channels.
    """
    require_promptable(backbone)
    name = type(backbone).__name__
    lacks = [attr for attr in _members(BlockPromptable) if not hasattr(backbone, attr)]
    if lacks:
        raise TypeError(
            f'{user} need access to the blocks of the backbone, but {name} lacks '
            f'{", ".join(lacks)}; see stpn_plugin.models.backbones.BlockPromptable'
        )
    check_blocks(backbone, channels)
    for (stage, block), dims in channels.items():
        found = backbone.feat_channels[stage]
        if found != dims:
            raise ValueError(
                f'{user} have {dims} channels for {(stage, block)}, but stage {stage} '
                f'of {name} has {found}; its stages have {list(backbone.feat_channels)}'
            )


def check_blocks(backbone: BlockPromptable, blocks: Iterable[Block]) -> None:
    """Raise a ValueError for (stage, block) that a backbone does not have."""
    known = [
        (i, j) for i, count in enumerate(backbone.num_blocks) for j in range(count)
    ]
    unknown = sorted(set(blocks) - set(known))
    if unknown:
        raise ValueError(
            f'prompts are for blocks {unknown}, but the (stage, block) of this '
            f'backbone are {known}'
        )


def _members(protocol: type) -> list[str]:
    """Names of a contract's attributes, its bases' among them."""
    names: dict[str, None] = {}
    for base in reversed(protocol.__mro__):
        if base is not Protocol and getattr(base, '_is_protocol', False):
            names.update(dict.fromkeys(vars(base).get('__annotations__', {})))
            names.update(dict.fromkeys(n for n in vars(base) if not n.startswith('_')))
    return list(names)
