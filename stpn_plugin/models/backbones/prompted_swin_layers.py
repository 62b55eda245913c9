"""Swin layers over prompted tokens.

*Prompted tokens* are one tensor ``(B, P + H * W, C)``: the ``P`` prompts of
each image first, its ``H * W`` patches after them. With ``P = 0`` every layer
here computes exactly what mmdet's layer of the same place computes.

Each layer adopts the sub-modules of a built mmdet layer, so parameters, their
names and their initialisation stay mmdet's.
"""

from __future__ import annotations

from typing import Sequence

import torch
import torch.nn.functional as F
from mmdet.models.backbones.swin import (
    PatchMerging,
    ShiftWindowMSA,
    SwinBlock,
    SwinBlockSequence,
    WindowMSA,
)
from mmengine.model import ModuleList
from torch import Tensor, nn

from .attention import (
    attend,
    attend_in_training,
    attention_weights,
    merge_heads,
    pad_bias,
    padding_of,
    prompts_and_windows,
    split_heads,
)
from .mlp import TokenMLP
from .pieces import is_plain, is_traced, laid_out, pieces, trains_in_pieces
from .promptable import PatchAttention
from .prompted_block import PromptedBlock
from .remembered import Remembered
from .windows import (
    border_kinds,
    border_masks,
    move,
    shifted_bands,
    window_grid,
    window_partition,
    window_places,
    window_reverse,
)


class PromptedWindowMSA(nn.Module):
    """Multi-head self-attention of windows that share their image's prompts.

    In each window the P prompts and N patches attend to one another. The
    relative position bias is that of the patches, and zero wherever a prompt
    is the query or the key. What a prompt becomes is the mean over the
    windows of its image.

    A prompt's query, key and value are the same in all windows, and the mean
    commutes with the output projection, so both projections of the prompts
    run once per image instead of once per window.

    Args:
        msa: The built mmdet layer whose parameters are adopted.
        fused_attention: Whether torch's fused attention may be used.
    """

    def __init__(self, msa: WindowMSA, fused_attention: bool) -> None:
        super().__init__()
        self.fused_attention = fused_attention
        self.num_heads = msa.num_heads
        self.scale = msa.scale
        self.relative_position_bias_table = msa.relative_position_bias_table
        self.register_buffer('relative_position_index', msa.relative_position_index)
        self.qkv = msa.qkv
        self.attn_drop = msa.attn_drop
        self.proj = msa.proj
        self.proj_drop = msa.proj_drop
        self._bias = Remembered()

    def position_bias(
        self, num_prompts: int, masks: Tensor, num_padding: int = 0
    ) -> Tensor:
        """Relative position bias with masks, zero for prompts.

        Args:
            num_prompts: Number of prompts P.
            masks: (K, 1, N, N).
            num_padding: Number of keys in front that get no attention.

        Returns:
            Tensor of shape (K, heads, P + N, num_padding + P + N).
        """

        def join(table: Tensor) -> Tensor:
            index = self.relative_position_index
            bias = table[index.view(-1)].view(*index.shape, -1)
            bias = bias.permute(2, 0, 1).contiguous() + masks
            # torch's fused kernel wants them contiguous; padding may keep other strides
            bias = F.pad(bias, (num_prompts, 0, num_prompts, 0)).contiguous()
            return pad_bias(bias, num_padding)

        key = num_prompts, num_padding
        return self._bias(join, self.relative_position_bias_table, key)

    def forward(
        self,
        shared: Tensor | None,
        windows: Tensor,
        bias: Tensor,
        kinds: Tensor | None,
    ) -> tuple[Tensor | None, Tensor]:
        """Attend within each window.

        Args:
            shared: ``qkv`` of the prompts of each image, (B, P, 3C), or None.
            windows: Patches by window (B, nW, N, C).
            bias: That of K kinds of windows, (K, heads, P + N, P + N), or with
                padding, see :meth:`position_bias`.
            kinds: The kind of each window, (nW,), or None if all are of one.

        Returns:
            What prompts become, before the output projection, the mean over the
            windows, (B, P, C) or None; and windows (B, nW, N, C).
        """
        mean, out = self._attend(shared, self.qkv(windows), bias, kinds)
        # Contiguous rows are what torch adds a bias to while it multiplies.
        return mean, self.project(laid_out(out).contiguous())

    def attend_joined(
        self, tokens: Tensor, num_prompts: int, bias: Tensor, kinds: Tensor | None
    ) -> Tensor:
        """Attend within each window, with one projection for prompts and patches.

        Args:
            tokens: The prompts of each image, and its windows one after another,
                (B, P + nW * N, C).
            num_prompts: Number of prompts P.
            bias: As of :meth:`forward`.
            kinds: Likewise.

        Returns:
            What they become, after the output projection, in the same shape.
        """
        qkv = self.qkv(tokens)
        if self.fused_attention and not self._drops and trains_in_pieces(qkv):
            return self.project(
                attend_in_training(qkv, num_prompts, bias, kinds, self.scale)
            )
        length = bias.shape[2] - num_prompts
        shared, windows = prompts_and_windows(qkv, num_prompts, length)
        mean, windows = self._attend(shared, windows, bias, kinds)
        if mean is None:
            return self.project(windows.flatten(1, 2))
        if torch.is_grad_enabled():
            return self.project(torch.cat((mean, windows.flatten(1, 2)), dim=1))
        out = windows.new_empty(tokens.shape)
        out[:, :num_prompts] = mean
        out[:, num_prompts:].view(windows.shape).copy_(windows)
        return self.project(out)

    @property
    def _drops(self) -> bool:
        """Whether weights are dropped."""
        return self.attn_drop.training and self.attn_drop.p > 0

    def _attend(
        self,
        shared: Tensor | None,
        qkv: Tensor,
        bias: Tensor,
        kinds: Tensor | None,
    ) -> tuple[Tensor | None, Tensor]:
        """What lies between the projections.

        Args:
            shared: As of :meth:`forward`.
            qkv: Those of windows, (B, nW, N, 3C).
            bias: As of :meth:`forward`.
            kinds: Likewise.

        Returns:
            Mean (B, P, C) or None, and windows (B, nW, N, C).
        """
        batch_size = qkv.shape[0]
        num_padding = bias.shape[3] - bias.shape[2]
        qkv = split_heads(shared, qkv, self.num_heads, num_padding)
        if kinds is not None:
            kinds = kinds.repeat(batch_size)
        dropout = self.attn_drop if self._drops else None
        out = attend(qkv, bias, kinds, self.scale, dropout, self.fused_attention)
        out = merge_heads(out, batch_size)
        if shared is None:
            return None, out
        num_prompts = shared.shape[1]
        return out[:, :, :num_prompts].mean(dim=1), out[:, :, num_prompts:]

    def project(self, attended: Tensor) -> Tensor:
        """The output projection."""
        return self.proj_drop(self.proj(attended))


class PromptedShiftWindowMSA(nn.Module):
    """(Shifted) window attention over prompted tokens.

    Patches are padded, shifted and cut into windows as in mmdet; prompts have
    no position and take no part in that.

    Args:
        msa: The built mmdet layer whose parameters are adopted.
        fused_attention: Whether torch's fused attention may be used.
    """

    masks: Tensor

    def __init__(self, msa: ShiftWindowMSA, fused_attention: bool) -> None:
        super().__init__()
        self.window_size = msa.window_size
        self.shift_size = msa.shift_size
        self.w_msa = PromptedWindowMSA(msa.w_msa, fused_attention)
        self.drop = msa.drop
        masks = border_masks(self.window_size, self.shift_size)
        if self.shift_size == 0:
            masks = masks[:1]
        self.register_buffer('masks', masks, persistent=False)

    def split(
        self, tokens: Tensor, hw_shape: tuple[int, int]
    ) -> tuple[Tensor | None, Tensor, tuple[int, int]]:
        """Split tokens into prompts and a map of whole windows.

        Args:
            tokens: (B, P + H * W, C).
            hw_shape: (H, W) of the patches.

        Returns:
            Prompts (B, P, C) or None, the padded map (B, H', W', C) and the number of
            rows and columns of windows.
        """
        h, w = hw_shape
        num_prompts = tokens.shape[1] - h * w
        prompts = laid_out(tokens[:, :num_prompts]) if num_prompts else None
        maps = laid_out(tokens[:, num_prompts:]).unflatten(1, hw_shape)
        size = self.window_size
        grid = window_grid(hw_shape, size)
        maps = F.pad(maps, (0, 0, 0, grid[1] * size - w, 0, grid[0] * size - h))
        return prompts, maps, grid

    def windows(self, maps: Tensor, grid: tuple[int, int]) -> Tensor:
        """Cut padded maps (B, H', W', C) into shifted windows (B, nW, N, C)."""
        if self.shift_size > 0:
            maps = maps.roll((-self.shift_size, -self.shift_size), dims=(1, 2))
        return window_partition(maps, grid, self.window_size)

    def maps(
        self, windows: Tensor, grid: tuple[int, int], hw_shape: tuple[int, int]
    ) -> Tensor:
        """Merge shifted windows (B, nW, N, C) into maps (B, H, W, C)."""
        maps = window_reverse(windows, grid, self.window_size)
        if self.shift_size > 0:
            maps = maps.roll((self.shift_size, self.shift_size), dims=(1, 2))
        h, w = hw_shape
        if is_traced():
            # A slice, whose strides tell whether there was padding, would bind
            # an exported graph to sizes with padding or to sizes without.
            maps = maps.index_select(1, torch.arange(h, device=maps.device))
            return maps.index_select(2, torch.arange(w, device=maps.device))
        return maps[:, :h, :w]

    def biases(
        self, num_prompts: int, grid: tuple[int, int]
    ) -> tuple[Tensor, Tensor | None]:
        """Bias of every kind of window, and the kind of each.

        Args:
            num_prompts: Number of prompts P.
            grid: Number of rows and columns of windows.

        Returns:
            Tensor (K, heads, P + N, P + N) and (nW,); or
            (1, heads, P + N, P + N) and None where all windows are alike.
        """
        bias = self.w_msa.position_bias(num_prompts, self.masks)
        if self.shift_size == 0:
            return bias, None
        return bias, border_kinds(*grid, device=bias.device)

    def forward(self, tokens: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Attend; tokens (B, P + H * W, C) in, the same shape out."""
        if is_plain(tokens):
            return self.drop(self._move_and_attend(tokens, hw_shape))
        prompts, maps, grid = self.split(tokens, hw_shape)
        shared = None if prompts is None else self.w_msa.qkv(prompts)
        num_prompts = 0 if prompts is None else prompts.shape[1]
        bias, kinds = self.biases(num_prompts, grid)
        mean, windows = self.w_msa(shared, self.windows(maps, grid), bias, kinds)
        patches = self.maps(windows, grid, hw_shape).flatten(1, 2)
        if prompts is not None:
            patches = torch.cat((self.w_msa.project(mean), patches), dim=1)
        return self.drop(patches)

    def _move_and_attend(self, tokens: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Attend; one gather makes windows, and one more undoes them."""
        num_prompts = tokens.shape[1] - hw_shape[0] * hw_shape[1]
        places = window_places(
            hw_shape, self.window_size, self.shift_size, num_prompts, tokens.device
        )
        joined = move(tokens, places.windows, places.tokens)
        bias = self._padded_bias(num_prompts)
        joined = self.w_msa.attend_joined(joined, num_prompts, bias, places.kinds)
        return move(joined, places.tokens, places.windows)

    def _padded_bias(self, num_prompts: int) -> Tensor:
        """Bias of every kind of window, in inference with padding."""
        num_padding = 0
        in_inference = not torch.is_grad_enabled() and self.masks.device.type == 'cpu'
        if in_inference and self.w_msa.fused_attention:
            num_padding = padding_of(num_prompts, self.window_size**2)
        return self.w_msa.position_bias(num_prompts, self.masks, num_padding)

    def rows_of_windows(
        self, tokens: Tensor, hw_shape: tuple[int, int]
    ) -> list[tuple[int, int]]:
        """Rows of windows to take at a time in inference: first, and last plus one."""
        rows, columns = window_grid(hw_shape, self.window_size)
        width = self.window_size**2 * columns * 3 * tokens.shape[0] * tokens.shape[2]
        return [
            (part.start or 0, rows if part.stop is None else min(part.stop, rows))
            for part in pieces(tokens, rows, width)
        ]

    def add_by_rows(
        self,
        tokens: Tensor,
        norm: nn.Module,
        hw_shape: tuple[int, int],
        parts: Sequence[tuple[int, int]],
        out: Tensor,
    ) -> None:
        """Attend behind a norm, beside a residual path, in inference.

        All that happens to a row of windows, from the norm to the residual sum, is done
        before the next, so that only tokens go through the memory.

        Args:
            tokens: (B, P + H * W, C).
            norm: Acts on each token alone.
            hw_shape: (H, W) of the patches.
            parts: See :meth:`rows_of_windows`.
            out: Where ``tokens + self(norm(tokens), hw_shape)`` goes.
        """
        (h, w), size = hw_shape, self.window_size
        rows, columns = grid = window_grid(hw_shape, size)
        num_prompts = tokens.shape[1] - h * w
        maps = tokens[:, num_prompts:].unflatten(1, hw_shape)
        sums = out[:, num_prompts:].unflatten(1, hw_shape)
        # One number for each image: stochastic depth drops the whole path, or nothing.
        share = self.drop(tokens.new_ones(len(tokens), 1, 1, 1))
        shared = None
        if num_prompts:
            shared = self.w_msa.qkv(norm(tokens[:, :num_prompts]))
        bias = self._padded_bias(num_prompts)
        kinds = border_kinds(*grid, bias.device) if self.shift_size else None
        across = shifted_bands(0, columns * size, self.shift_size, columns * size, w)
        total = None
        for first, last in parts:
            lines = (first * size, last * size)
            down = shifted_bands(*lines, self.shift_size, rows * size, h)
            slab = tokens.new_zeros(
                len(tokens), lines[1] - lines[0], columns * size, tokens.shape[2]
            )
            for y, to_y in down:
                normed = norm(maps[:, y])
                for x, to_x in across:
                    slab[:, to_y, to_x] = normed[:, :, x]
            windows = window_partition(slab, (last - first, columns), size)
            kind = None if kinds is None else kinds[first * columns : last * columns]
            mean, windows = self.w_msa(shared, windows, bias, kind)
            slab = window_reverse(windows, (last - first, columns), size)
            if self.drop.training:
                slab = slab * share
            for y, to_y in down:
                for x, to_x in across:
                    sums[:, y, x] = maps[:, y, x] + slab[:, to_y, to_x]
            if mean is not None:
                mean = mean * ((last - first) / rows)
                total = mean if total is None else total + mean
        if total is not None:
            added = self.w_msa.project(total) * share[:, 0]
            out[:, :num_prompts] = tokens[:, :num_prompts] + added

    def patch_attention(
        self, tokens: Tensor, hw_shape: tuple[int, int]
    ) -> PatchAttention:
        """What each patch pays to each prompt, of which there must be some."""
        prompts, maps, grid = self.split(tokens, hw_shape)
        assert prompts is not None
        windows = self.windows(maps, grid)
        num_prompts = prompts.shape[1]
        msa = self.w_msa
        qkv = split_heads(msa.qkv(prompts), msa.qkv(windows), msa.num_heads)
        bias, kinds = self.biases(num_prompts, grid)
        if kinds is not None:
            bias = bias[kinds].repeat(windows.shape[0], 1, 1, 1)
        weights = attention_weights(qkv[0] * msa.scale, qkv[1], bias).mean(dim=1)
        weights = weights[:, num_prompts:, :num_prompts]  # (B * nW, N, P)
        weights = weights.unflatten(0, windows.shape[:2])
        maps = self.maps(weights, grid, hw_shape)
        uniform = num_prompts / (num_prompts + windows.shape[2])
        return PatchAttention(maps.permute(0, 3, 1, 2), uniform)


class PromptedSwinBlock(PromptedBlock):
    """A Swin block over prompted tokens; its MLP treats prompts as patches, too.

    Args:
        block: The built mmdet layer whose parameters are adopted.
        fused_attention: Whether torch's fused attention may be used.
    """

    def __init__(self, block: SwinBlock, fused_attention: bool) -> None:
        attn = PromptedShiftWindowMSA(block.attn, fused_attention)
        super().__init__(block, attn, TokenMLP(block.ffn), block.with_cp)

    def attend_and_mix(self, tokens: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Attend, then mix channels, each beside a residual path."""
        tokens = self._attend(tokens, hw_shape)
        if len(pieces(tokens, tokens[..., 0].numel(), self.ffn.hidden_dims)) == 1:
            return tokens + self.ffn(self.norm2(tokens))
        return self._mix_by_rows(tokens.contiguous())

    def _attend(self, tokens: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Attend beside a residual path, in inference as much at once as fits."""
        batch_size, length, dims = tokens.shape
        images = pieces(tokens, batch_size, 3 * length * dims)
        rows = self.attn.rows_of_windows(tokens, hw_shape)
        if len(images) == len(rows) == 1:
            return self.attn(self.norm1(tokens), hw_shape) + tokens
        out = torch.empty_like(tokens)
        for part in images:
            some = tokens[part]
            rows = self.attn.rows_of_windows(some, hw_shape)
            if len(rows) == 1:
                out[part] = self.attn(self.norm1(some), hw_shape) + some
            else:
                self.attn.add_by_rows(some, self.norm1, hw_shape, rows, out[part])
        return out

    def _mix_by_rows(self, tokens: Tensor) -> Tensor:
        """Mix channels beside a residual path, in place, a few tokens at a time."""
        rows = tokens.view(-1, tokens.shape[-1])
        # One number for each image: stochastic depth drops the whole path, or nothing.
        share = self.ffn.dropout_layer(tokens.new_ones(len(tokens), 1, 1))
        share = share.expand(-1, tokens.shape[1], -1).flatten(0, 1)
        for part in pieces(tokens, len(rows), self.ffn.hidden_dims):
            mixed = self.ffn.mix(self.norm2(rows[part]))
            rows[part] += mixed * share[part] if self.training else mixed
        return tokens


class PromptedPatchMerging(nn.Module):
    """Patch merging over prompted tokens.

    Patches merge 2 x 2 as in mmdet. A prompt ``p`` becomes
    ``cat(p, p, p, p)``, which shares the norm and the reduction. Its channels
    are in block order while the patches' are in ``nn.Unfold`` order; the
    released weights were trained so.

    Args:
        merging: The built mmdet layer whose parameters are adopted.
    """

    def __init__(self, merging: PatchMerging) -> None:
        super().__init__()
        self.adap_padding = merging.adap_padding
        self.sampler = merging.sampler
        self.norm = merging.norm
        self.reduction = merging.reduction

    def forward(
        self, tokens: Tensor, hw_shape: Sequence[int]
    ) -> tuple[Tensor, tuple[int, int]]:
        """Halve the map; keep the number of prompts.

        Args:
            tokens: (B, P + H * W, C).
            hw_shape: (H, W) of the patches.

        Returns:
            Tokens (B, P + H' * W', 2C) and (H', W').
        """
        h, w = hw_shape
        num_prompts = tokens.shape[1] - h * w
        maps = laid_out(tokens[:, num_prompts:])
        maps = maps.unflatten(1, (h, w)).permute(0, 3, 1, 2)
        if self.adap_padding is not None:
            maps = self.adap_padding(maps)
        merged_shape = tuple(
            (size - kernel) // stride + 1
            for size, kernel, stride in zip(
                maps.shape[-2:], self.sampler.kernel_size, self.sampler.stride
            )
        )
        merged = self.sampler(maps).transpose(1, 2)  # (B, H' * W', 4C)
        if num_prompts:
            repeats = merged.shape[-1] // tokens.shape[-1]
            prompts = torch.cat([tokens[:, :num_prompts]] * repeats, dim=2)
            merged = torch.cat((prompts, merged), dim=1)
        if self.norm is not None:
            merged = self.norm(merged)
        return self.reduction(merged), merged_shape


class PromptedSwinStage(nn.Module):
    """The blocks of one stage, and the patch merging after them.

    Args:
        stage: The built mmdet layer whose parameters are adopted.
        fused_attention: Whether torch's fused attention may be used.
    """

    def __init__(self, stage: SwinBlockSequence, fused_attention: bool) -> None:
        super().__init__()
        self.blocks = ModuleList(
            [PromptedSwinBlock(block, fused_attention) for block in stage.blocks]
        )
        self.downsample = stage.downsample and PromptedPatchMerging(stage.downsample)
