"""How prompts go through the stages of any backbone of token blocks."""

from __future__ import annotations

from typing import Iterable, Mapping, Sequence, Tuple

from torch import Tensor, nn

from .promptable import Block, PatchAttention, Prompts, check_blocks
from .prompted_tokens import drop_prompts, prepend_prompts

TokensAndShape = Tuple[Tensor, Tuple[int, int]]


class PromptedBackbone(nn.Module):
    """Mix-in that fulfils :class:`BlockPromptable` over stages of blocks.

    A subclass says what its stages are made of. Its blocks are modules from
    prompted tokens (B, P + H * W, C) and (H, W) to such tokens, with a method
    ``patch_attention`` from the same arguments to :class:`PatchAttention`.
    """

    out_indices: Sequence[int]

    @property
    def feat_channels(self) -> list[int]:
        """Channels Ci of every stage; prompts at the input have the first's."""
        raise NotImplementedError

    @property
    def feat_strides(self) -> list[int]:
        """Side of a patch in pixels in every stage."""
        raise NotImplementedError

    @property
    def num_blocks(self) -> list[int]:
        """Number of blocks of every stage."""
        return [len(self.stage_blocks(i)) for i in range(len(self.feat_channels))]

    def stage_blocks(self, stage: int) -> nn.ModuleList:
        """The blocks of a stage."""
        raise NotImplementedError

    def embed(self, x: Tensor) -> TokensAndShape:
        """Turn images (B, 3, H, W) into patches (B, H1 * W1, C1) and (H1, W1)."""
        raise NotImplementedError

    def end_stage(self, stage: int, tokens: Tensor) -> Tensor:
        """What becomes of all tokens after the last block of a stage."""
        return tokens

    def stage_output(self, stage: int, patches: Tensor) -> Tensor:
        """Make patches (B, H * W, C), without prompts, a stage's output."""
        return patches

    def merge(
        self, stage: int, tokens: Tensor, hw_shape: tuple[int, int]
    ) -> TokensAndShape:
        """Shrink the map in front of a stage after the first."""
        raise NotImplementedError

    def prepend(self, prompts: Tensor, tokens: Tensor) -> Tensor:
        """Put prompts in front of tokens."""
        return prepend_prompts(prompts, tokens)

    def forward(self, x: Tensor, prompts: Prompts | None = None) -> tuple[Tensor, ...]:
        """Extract features.

        Args:
            x: Images (B, 3, H, W).
            prompts: Prompts (P, C1), the same for all images, or (B, P, C1):
                they enter before the first block and stay to the end. Or a
                mapping from (stage, block) to prompts (P, Ci) or (B, P, Ci):
                each enters before its block and leaves after it. ``None``
                gives plain features.

        Returns:
            Maps (B, Ci, Hi, Wi), one per stage in ``out_indices``. The result
            for an image does not depend on the other images of the batch.

        Raises:
            TypeError: Prompts are not tensors.
            ValueError: Prompts do not fit the images in number of dimensions,
                channels, batch size or device, or are for a block that does
                not exist.
        """
        outs, _ = self._run(x, prompts)
        return tuple(outs)

    def block_inputs(self, x: Tensor, blocks: Iterable[Block]) -> dict[Block, Tensor]:
        """What enters blocks when there are no prompts.

        The backbone runs no further than to the last of them.

        Args:
            x: Images (B, 3, H, W).
            blocks: (stage, block) of each block that is asked for.

        Returns:
            {(stage, block): (B, Ci, Hi, Wi)}, in the order asked for.

        Raises:
            ValueError: There is no such block.
        """
        blocks = list(blocks)
        check_blocks(self, blocks)
        _, inputs = self._run(x, None, blocks)
        maps = {}
        for place in blocks:
            tokens, hw_shape = inputs[place]
            maps[place] = tokens.transpose(1, 2).unflatten(2, hw_shape)
        return maps

    def patch_attention(
        self, x: Tensor, prompts: Prompts
    ) -> dict[Block, PatchAttention]:
        """What patches pay to prompts, in every block that has prompts.

        Args:
            x: Images (B, 3, H, W).
            prompts: As for :meth:`forward`.

        Returns:
            {(stage, block): attention}
        """
        places = [(i, j) for i, n in enumerate(self.num_blocks) for j in range(n)]
        if isinstance(prompts, Mapping):
            places = [place for place in places if place in prompts]
        _, inputs = self._run(x, prompts, places)
        return {
            (i, j): self.stage_blocks(i)[j].patch_attention(*inputs[i, j])
            for i, j in places
        }

    def _run(
        self,
        x: Tensor,
        prompts: Prompts | None,
        wanted: Sequence[Block] | None = None,
    ) -> tuple[list[Tensor], dict[Block, TokensAndShape]]:
        """Run all stages, or as far as to the last block whose input is wanted.

        Returns:
            Outputs of the stages, and what enters the wanted blocks.
        """
        tokens, hw_shape = self.embed(x)
        block_prompts: Mapping[Block, Tensor] = {}
        if isinstance(prompts, Mapping):
            check_blocks(self, prompts)
            block_prompts = prompts
        elif prompts is not None:
            tokens = self.prepend(prompts, tokens)

        outs: list[Tensor] = []
        inputs: dict[Block, TokensAndShape] = {}
        for i in range(len(self.feat_channels)):
            if i > 0:
                tokens, hw_shape = self.merge(i, tokens, hw_shape)
            for j, block in enumerate(self.stage_blocks(i)):
                place = (i, j)
                if place in block_prompts:
                    tokens = self.prepend(block_prompts[place], tokens)
                if wanted is not None and place in wanted:
                    inputs[place] = (tokens, hw_shape)
                    if len(inputs) == len(set(wanted)):
                        return outs, inputs
                tokens = block(tokens, hw_shape)
                if place in block_prompts:
                    tokens = drop_prompts(tokens, hw_shape)
            tokens = self.end_stage(i, tokens)
            if i in self.out_indices:
                patches = self.stage_output(i, drop_prompts(tokens, hw_shape))
                maps = patches.unflatten(1, hw_shape).permute(0, 3, 1, 2)
                outs.append(maps.contiguous())
        return outs, inputs
