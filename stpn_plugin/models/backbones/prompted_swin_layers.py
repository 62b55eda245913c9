"""Swin layers over prompted tokens.

*Prompted tokens* are one tensor ``(B, P + H * W, C)``: the ``P`` prompts of
each image first, its ``H * W`` patches after them. With ``P = 0`` every layer
here computes exactly what mmdet's layer of the same place computes.

Each layer adopts the sub-modules of a built mmdet layer, so parameters, their
names and their initialisation stay mmdet's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
import torch.utils.checkpoint as cp
from mmdet.models.backbones.swin import (
    PatchMerging,
    ShiftWindowMSA,
    SwinBlock,
    SwinBlockSequence,
    WindowMSA,
)
from mmengine.model import ModuleList
from torch import Tensor, nn


@lru_cache(maxsize=32)
def shifted_window_mask(
    height: int,
    width: int,
    window_size: int,
    shift_size: int,
    num_prompts: int,
    device: torch.device,
) -> Tensor:
    """Additive mask that keeps wrapped-around patches of a window apart.

    It depends on the shape alone and is kept for the shapes used last. Rows
    and columns of prompts are zero: a prompt sees, and is seen by, all.

    Args:
        height: Height of the padded map, a multiple of ``window_size``.
        width: Width of the padded map, a multiple of ``window_size``.
        window_size: Side of a window in patches.
        shift_size: Cyclic shift in patches.
        num_prompts: Number of prompts in front of each window's patches.
        device: Where the mask is needed.

    Returns:
        Tensor of shape (nW, 1, P + N, P + N), 0 or -100, with
        ``N = window_size ** 2`` and nW windows.
    """

    def regions(size: int) -> Tensor:
        # 0: untouched windows, 1: last window's own part, 2: wrapped part
        position = torch.arange(size, device=device)
        return (position >= size - window_size).long() + (position >= size - shift_size)

    # A mask first needed in inference mode must serve training later on.
    with torch.inference_mode(False):
        region = 3 * regions(height)[:, None] + regions(width)[None, :]
        region = window_partition(region[None, :, :, None], window_size)
        region = region.flatten(0, 1).flatten(1)  # (nW, N)
        apart = region[:, :, None] != region[:, None, :]
        mask = torch.zeros(apart.shape, device=device).masked_fill_(apart, -100.0)
        return F.pad(mask, (num_prompts, 0, num_prompts, 0)).unsqueeze(1)


def window_partition(x: Tensor, window_size: int) -> Tensor:
    """Cut maps (B, H, W, C) into windows (B, nW, window_size ** 2, C)."""
    b, h, w, c = x.shape
    x = x.view(b, h // window_size, window_size, w // window_size, window_size, c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(b, -1, window_size**2, c)


def window_reverse(windows: Tensor, window_size: int, hw_shape: Tuple) -> Tensor:
    """Merge windows (B, nW, window_size ** 2, C) into maps (B, H, W, C)."""
    h, w = hw_shape
    b, _, _, c = windows.shape
    x = windows.view(b, h // window_size, w // window_size, window_size, window_size, c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)


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
    """

    def __init__(self, msa: WindowMSA) -> None:
        super().__init__()
        self.num_heads = msa.num_heads
        self.scale = msa.scale
        self.relative_position_bias_table = msa.relative_position_bias_table
        self.register_buffer('relative_position_index', msa.relative_position_index)
        self.qkv = msa.qkv
        self.attn_drop = msa.attn_drop
        self.proj = msa.proj
        self.proj_drop = msa.proj_drop

    def position_bias(self, num_prompts: int) -> Tensor:
        """Relative position bias (heads, P + N, P + N), zero for prompts."""
        index = self.relative_position_index
        bias = self.relative_position_bias_table[index.view(-1)]
        bias = bias.view(*index.shape, -1).permute(2, 0, 1)
        return F.pad(bias, (num_prompts, 0, num_prompts, 0)).contiguous()

    def attention(
        self, prompts: Optional[Tensor], windows: Tensor, mask: Optional[Tensor]
    ) -> Tuple[Tensor, Tensor]:
        """Attention weights, and the values they weigh.

        Args:
            prompts: (B, P, C), or None.
            windows: (B, nW, N, C).
            mask: (nW, 1, P + N, P + N), or None.

        Returns:
            Weights (B, nW, heads, P + N, P + N) and values
            (B, nW, heads, P + N, C / heads); prompts come first.
        """
        qkv = self.qkv(windows)
        num_prompts = 0
        if prompts is not None:
            num_prompts = prompts.shape[1]
            shared = self.qkv(prompts).unsqueeze(1)  # (B, 1, P, 3C)
            shared = shared.expand(-1, windows.shape[1], -1, -1)
            qkv = torch.cat((shared, qkv), dim=2)
        qkv = qkv.unflatten(-1, (3, self.num_heads, -1))
        q, k, v = qkv.permute(3, 0, 1, 4, 2, 5).unbind(0)
        scores = (q * self.scale) @ k.transpose(-2, -1)
        scores = scores + self.position_bias(num_prompts)
        if mask is not None:
            scores = scores + mask
        return scores.softmax(dim=-1), v

    def forward(
        self, prompts: Optional[Tensor], windows: Tensor, mask: Optional[Tensor] = None
    ) -> Tuple[Optional[Tensor], Tensor]:
        """Attend within each window.

        Args:
            prompts: Prompts of each image (B, P, C), or None.
            windows: Patches by window (B, nW, N, C).
            mask: Additive mask (nW, 1, P + N, P + N) of shifted windows.

        Returns:
            Updated prompts (B, P, C) or None, and windows (B, nW, N, C).
        """
        weights, values = self.attention(prompts, windows, mask)
        out = self.attn_drop(weights) @ values
        out = out.transpose(2, 3).flatten(3)  # (B, nW, P + N, C)
        if prompts is None:
            return None, self.proj_drop(self.proj(out))
        num_prompts = prompts.shape[1]
        prompts = self.proj_drop(self.proj(out[:, :, :num_prompts].mean(dim=1)))
        return prompts, self.proj_drop(self.proj(out[:, :, num_prompts:]))


class PromptedShiftWindowMSA(nn.Module):
    """(Shifted) window attention over prompted tokens.

    Patches are padded, shifted and cut into windows as in mmdet; prompts have
    no position and take no part in that.

    Args:
        msa: The built mmdet layer whose parameters are adopted.
    """

    def __init__(self, msa: ShiftWindowMSA) -> None:
        super().__init__()
        self.window_size = msa.window_size
        self.shift_size = msa.shift_size
        self.w_msa = PromptedWindowMSA(msa.w_msa)
        self.drop = msa.drop

    def windows(
        self, tokens: Tensor, hw_shape: Tuple[int, int]
    ) -> Tuple[Optional[Tensor], Tensor, Optional[Tensor], Tuple[int, int]]:
        """Split tokens into prompts and shifted windows.

        Args:
            tokens: (B, P + H * W, C).
            hw_shape: (H, W) of the patches.

        Returns:
            Prompts (B, P, C) or None, windows (B, nW, N, C), their mask, and
            the (H, W) of the padded map.
        """
        h, w = hw_shape
        num_prompts = tokens.shape[1] - h * w
        prompts = tokens[:, :num_prompts] if num_prompts else None
        patches = tokens[:, num_prompts:].unflatten(1, hw_shape)
        patches = F.pad(
            patches, (0, 0, 0, -w % self.window_size, 0, -h % self.window_size)
        )
        padded_shape = (patches.shape[1], patches.shape[2])
        mask = None
        if self.shift_size > 0:
            patches = patches.roll((-self.shift_size, -self.shift_size), dims=(1, 2))
            mask = shifted_window_mask(
                *padded_shape,
                self.window_size,
                self.shift_size,
                num_prompts,
                patches.device,
            )
        return prompts, window_partition(patches, self.window_size), mask, padded_shape

    def forward(self, tokens: Tensor, hw_shape: Tuple[int, int]) -> Tensor:
        """Attend; tokens (B, P + H * W, C) in, the same shape out."""
        h, w = hw_shape
        prompts, windows, mask, padded_shape = self.windows(tokens, hw_shape)
        prompts, windows = self.w_msa(prompts, windows, mask)
        patches = window_reverse(windows, self.window_size, padded_shape)
        if self.shift_size > 0:
            patches = patches.roll((self.shift_size, self.shift_size), dims=(1, 2))
        patches = patches[:, :h, :w].flatten(1, 2)
        if prompts is not None:
            patches = torch.cat((prompts, patches), dim=1)
        return self.drop(patches)


class PromptedSwinBlock(nn.Module):
    """A Swin block over prompted tokens.

    Norms, FFN, stochastic depth and both residual sums treat prompts and
    patches alike.

    Args:
        block: The built mmdet layer whose parameters are adopted.
    """

    def __init__(self, block: SwinBlock) -> None:
        super().__init__()
        self.with_cp = block.with_cp
        self.norm1 = block.norm1
        self.attn = PromptedShiftWindowMSA(block.attn)
        self.norm2 = block.norm2
        self.ffn = block.ffn

    def _forward(self, tokens: Tensor, hw_shape: Tuple[int, int]) -> Tensor:
        tokens = self.attn(self.norm1(tokens), hw_shape) + tokens
        return self.ffn(self.norm2(tokens), identity=tokens)

    def forward(self, tokens: Tensor, hw_shape: Tuple[int, int]) -> Tensor:
        """Tokens (B, P + H * W, C) in, the same shape out."""
        if self.with_cp and tokens.requires_grad:
            return cp.checkpoint(self._forward, tokens, hw_shape, use_reentrant=False)
        return self._forward(tokens, hw_shape)


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
    ) -> Tuple[Tensor, Tuple[int, int]]:
        """Halve the map; keep the number of prompts.

        Args:
            tokens: (B, P + H * W, C).
            hw_shape: (H, W) of the patches.

        Returns:
            Tokens (B, P + H' * W', 2C) and (H', W').
        """
        h, w = hw_shape
        num_prompts = tokens.shape[1] - h * w
        maps = tokens[:, num_prompts:].unflatten(1, (h, w)).permute(0, 3, 1, 2)
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
            prompts = tokens[:, :num_prompts].repeat(1, 1, repeats)
            merged = torch.cat((prompts, merged), dim=1)
        if self.norm is not None:
            merged = self.norm(merged)
        return self.reduction(merged), merged_shape


class PromptedSwinStage(nn.Module):
    """The blocks of one stage, and the patch merging after them.

    Args:
        stage: The built mmdet layer whose parameters are adopted.
    """

    def __init__(self, stage: SwinBlockSequence) -> None:
        super().__init__()
        self.blocks = ModuleList([PromptedSwinBlock(block) for block in stage.blocks])
        self.downsample = stage.downsample and PromptedPatchMerging(stage.downsample)
