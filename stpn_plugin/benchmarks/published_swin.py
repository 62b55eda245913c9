"""A prompted Swin as the method was published, for comparison.

Written anew from the description of the method, not the authors' program: explicit
attention over P + 49 tokens in each window, prompts copied into every window before the
projections, masks of shifted windows computed in each forward pass. It takes mmdet's
modules as they are, and computes what
:class:`~stpn_plugin.models.backbones.STPNSwinTransformer` does.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmdet.models.backbones.swin import (
    PatchMerging,
    ShiftWindowMSA,
    SwinBlock,
    SwinTransformer,
    WindowMSA,
)
from torch import Tensor


class PublishedSwin(SwinTransformer):
    """mmdet's Swin whose forward takes prompts (B, P, C1).

    Args:
        **kwargs: Those of mmdet's ``SwinTransformer``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def forward(self, x: Tensor, prompts: Tensor) -> list[Tensor]:
        """Maps (B, Ci, Hi, Wi) of images (B, 3, H, W)."""
        patches, hw_shape = self.patch_embed(x)
        num_prompts = prompts.shape[1]
        tokens = self.drop_after_pos(torch.cat((prompts, patches), dim=1))
        outs = []
        for i, stage in enumerate(self.stages):
            for block in stage.blocks:
                tokens = _block(block, tokens, hw_shape)
            if i in self.out_indices:
                out = getattr(self, f'norm{i}')(tokens[:, num_prompts:])
                out = out.view(-1, *hw_shape, self.num_features[i])
                outs.append(out.permute(0, 3, 1, 2).contiguous())
            if stage.downsample is not None:
                tokens, hw_shape = _merge(stage.downsample, tokens, hw_shape)
        return outs


def _block(block: SwinBlock, tokens: Tensor, hw_shape: tuple[int, int]) -> Tensor:
    tokens = _shifted_attention(block.attn, block.norm1(tokens), hw_shape) + tokens
    return block.ffn(block.norm2(tokens), identity=tokens)


def _shifted_attention(
    attn: ShiftWindowMSA, tokens: Tensor, hw_shape: tuple[int, int]
) -> Tensor:
    batch_size, length, channels = tokens.shape
    h, w = hw_shape
    size, shift = attn.window_size, attn.shift_size
    num_prompts = length - h * w
    prompts, maps = tokens[:, :num_prompts], tokens[:, num_prompts:]
    maps = maps.view(batch_size, h, w, channels)
    maps = F.pad(maps, (0, 0, 0, -w % size, 0, -h % size))
    padded = (maps.shape[1], maps.shape[2])
    mask = None
    if shift > 0:
        maps = maps.roll((-shift, -shift), dims=(1, 2))
        mask = _mask(attn, padded, tokens)
    windows = attn.window_partition(maps).view(batch_size, -1, size**2, channels)
    copies = prompts.unsqueeze(1).expand(-1, windows.shape[1], -1, -1)
    windows = torch.cat((copies, windows), dim=2)
    windows = _attention(attn.w_msa, windows, mask)
    prompts = windows[:, :, :num_prompts].mean(dim=1)
    patches = windows[:, :, num_prompts:].reshape(-1, size, size, channels)
    maps = attn.window_reverse(patches, *padded)
    if shift > 0:
        maps = maps.roll((shift, shift), dims=(1, 2))
    patches = maps[:, :h, :w].reshape(batch_size, h * w, channels)
    return attn.drop(torch.cat((prompts, patches), dim=1))


def _mask(attn: ShiftWindowMSA, padded: tuple[int, int], like: Tensor) -> Tensor:
    """What keeps wrapped-around patches apart, (nW, N, N)."""
    size, shift = attn.window_size, attn.shift_size
    regions = like.new_zeros(1, *padded, 1)
    bounds = (slice(0, -size), slice(-size, -shift), slice(-shift, None))
    for i, rows in enumerate(bounds):
        for j, columns in enumerate(bounds):
            regions[:, rows, columns] = 3 * i + j
    regions = attn.window_partition(regions).view(-1, size**2)
    mask = regions.unsqueeze(1) - regions.unsqueeze(2)
    return mask.masked_fill(mask != 0, -100.0).masked_fill(mask == 0, 0.0)


def _attention(msa: WindowMSA, windows: Tensor, mask: Tensor | None) -> Tensor:
    """Attention in windows (B, nW, P + N, C) with masks (nW, N, N)."""
    batch_size, num_windows, length, channels = windows.shape
    qkv = msa.qkv(windows).view(-1, length, 3, msa.num_heads, channels // msa.num_heads)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    scores = (q * msa.scale) @ k.transpose(-2, -1)
    index = msa.relative_position_index
    bias = msa.relative_position_bias_table[index.view(-1)]
    bias = bias.view(*index.shape, -1).permute(2, 0, 1)
    scores = scores + _pad(bias, length).unsqueeze(0)
    if mask is not None:
        scores = scores.view(batch_size, num_windows, -1, length, length)
        scores = scores + _pad(mask, length).unsqueeze(1)
    weights = msa.attn_drop(scores.flatten(0, -4).softmax(dim=-1))
    out = (weights @ v).transpose(1, 2).reshape(windows.shape)
    return msa.proj_drop(msa.proj(out))


def _pad(x: Tensor, length: int) -> Tensor:
    """Put zeros for prompts in front of both last dimensions."""
    num_prompts = length - x.shape[-1]
    x = torch.cat((x.new_zeros(len(x), num_prompts, x.shape[-1]), x), dim=1)
    return torch.cat((x.new_zeros(len(x), length, num_prompts), x), dim=2)


def _merge(
    merging: PatchMerging, tokens: Tensor, hw_shape: tuple[int, int]
) -> tuple[Tensor, tuple[int, int]]:
    h, w = hw_shape
    num_prompts = tokens.shape[1] - h * w
    prompts, patches = tokens[:, :num_prompts], tokens[:, num_prompts:]
    maps = patches.view(-1, h, w, tokens.shape[2]).permute(0, 3, 1, 2)
    if merging.adap_padding is not None:
        maps = merging.adap_padding(maps)
    merged = merging.sampler(maps).transpose(1, 2)
    tokens = torch.cat((torch.cat([prompts] * 4, dim=2), merged), dim=1)
    tokens = merging.reduction(merging.norm(tokens))
    return tokens, (maps.shape[2] // 2, maps.shape[3] // 2)
