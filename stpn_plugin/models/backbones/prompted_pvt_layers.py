"""Pyramid Vision Transformer layers over prompted tokens.

*Prompted tokens* are one tensor ``(B, P + H * W, C)``: the ``P`` prompts of
each image first, its ``H * W`` patches after them. With ``P = 0`` every layer
here computes exactly what mmdet's layer of the same place computes.

A prompt has no position, but PVT convolves: to merge patches, to reduce keys
and values, inside the MLP. Every convolution takes a prompt for a map that
holds it everywhere, see :func:`convolve`.

Each layer adopts the sub-modules of a built mmdet layer, so parameters, their
names and their initialisation stay mmdet's.
"""

from __future__ import annotations

from typing import Callable, Iterable

import torch
import torch.nn.functional as F
from mmdet.models.backbones.pvt import (
    MixFFN,
    PVTEncoderLayer,
    SpatialReductionAttention,
)
from mmdet.models.layers import PatchEmbed, nchw_to_nlc, nlc_to_nchw
from torch import Tensor, nn

from .pieces import is_autocast, pieces
from .promptable import PatchAttention
from .prompted_block import PromptedBlock


def convolve_constant(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """What a convolution makes of maps that have one value per channel.

    That is, inside of the map: the border's padding is left out.

    Args:
        conv: Any 2D convolution.
        x: Values of P maps, (B, C, P).

    Returns:
        Values (B, C', P).
    """
    kernel = conv.weight.flatten(2)
    if kernel.shape[2] > 1:
        kernel = kernel.sum(dim=2, keepdim=True)
    # Products, as torch convolves so few values of many groups one group at a time.
    kernel = kernel[..., 0].unflatten(0, (conv.groups, -1))  # (groups, C' / g, C / g)
    out = (kernel @ x.unflatten(1, (conv.groups, -1))).flatten(1, 2)
    return out if conv.bias is None else out + conv.bias.unsqueeze(-1)


def convolve(
    layers: Iterable[nn.Module],
    tokens: Tensor,
    hw_shape: tuple[int, int],
    on_maps: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, tuple[int, int]]:
    """Run convolutions, and elementwise layers among them, on prompted tokens.

    Patches form a map. Each prompt is taken for a map that holds it
    everywhere, of which a convolution makes a constant map again: the same
    prompt times the sum of the kernel. This needs no parameters, works for
    any stride, and the weights meet what flat regions taught them. For the
    kernel of a patch merging it is what Swin's ``cat(p, p, p, p)`` is.

    Args:
        layers: Layers from maps (B, C, H, W) to maps (B, C', H', W').
        tokens: (B, P + H * W, C).
        hw_shape: (H, W) of the patches.
        on_maps: What all the layers do to maps. Defaults to one after the other.

    Returns:
        Tokens (B, P + H' * W', C') and (H', W').
    """
    num_prompts = tokens.shape[1] - hw_shape[0] * hw_shape[1]
    layers = list(layers)
    prompts = tokens[:, :num_prompts].transpose(1, 2)
    for layer in layers if num_prompts else []:
        is_conv = isinstance(layer, nn.Conv2d)
        prompts = convolve_constant(layer, prompts) if is_conv else layer(prompts)
    maps = nlc_to_nchw(tokens[:, num_prompts:], hw_shape)
    if on_maps is not None:
        maps = on_maps(maps)
    else:
        for layer in layers:
            maps = layer(maps)
    hw_shape = (maps.shape[2], maps.shape[3])
    patches = nchw_to_nlc(maps)
    if num_prompts:
        return torch.cat((prompts.transpose(1, 2), patches), dim=1), hw_shape
    return patches, hw_shape


class PromptedPatchEmbed(nn.Module):
    """The patch embedding between two stages, over prompted tokens.

    Args:
        embed: The built mmdet layer whose parameters are adopted.
    """

    def __init__(self, embed: PatchEmbed) -> None:
        super().__init__()
        self.projection = embed.projection
        self.norm = embed.norm

    def forward(
        self, tokens: Tensor, hw_shape: tuple[int, int]
    ) -> tuple[Tensor, tuple[int, int]]:
        """Shrink the map; keep the number of prompts.

        Args:
            tokens: (B, P + H * W, C).
            hw_shape: (H, W) of the patches.

        Returns:
            Tokens (B, P + H' * W', C') and (H', W').
        """
        tokens, hw_shape = convolve([self.projection], tokens, hw_shape)
        return self.norm(tokens), hw_shape


class PromptedSpatialReductionAttention(nn.Module):
    """Attention of all tokens to prompts and spatially reduced patches.

    Prompts and patches are queries. Keys and values are the patches after
    the strided convolution and its norm, and all prompts: their number is
    not reduced, but they pass the same convolution and norm, so that keys
    of prompts and of patches are alike.

    Args:
        attention: The built mmdet layer whose parameters are adopted.
        fused_attention: Whether torch's fused attention may be used.
    """

    def __init__(
        self, attention: SpatialReductionAttention, fused_attention: bool
    ) -> None:
        super().__init__()
        self.fused_attention = fused_attention
        self.sr_ratio = attention.sr_ratio
        self.attn = attention.attn
        self.proj_drop = attention.proj_drop
        self.dropout_layer = attention.dropout_layer
        if self.sr_ratio > 1:
            self.sr = attention.sr
            self.norm = attention.norm

    def _attend(
        self, tokens: Tensor, hw_shape: tuple[int, int], need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Attended tokens, and the weights (B, P + H * W, P + H' * W') if needed."""
        reduced = tokens
        if self.sr_ratio > 1:
            reduced, _ = convolve([self.sr], tokens, hw_shape)
            reduced = self.norm(reduced)
        reduced = reduced.transpose(0, 1)
        out, weights = self.attn(
            tokens.transpose(0, 1), reduced, reduced, need_weights=need_weights
        )
        return out.transpose(0, 1), weights

    def forward(self, tokens: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Attend; tokens (B, P + H * W, C) in, the same shape out."""
        # torch takes its fused kernel where no weights are asked for. Where they
        # are dropped, the random numbers are to be those of the explicit form.
        drops = self.attn.training and self.attn.dropout > 0
        need_weights = drops or not self.fused_attention
        out, _ = self._attend(tokens, hw_shape, need_weights)
        return self.dropout_layer(self.proj_drop(out))

    def patch_attention(
        self, tokens: Tensor, hw_shape: tuple[int, int]
    ) -> PatchAttention:
        """What each patch pays to each prompt."""
        num_prompts = tokens.shape[1] - hw_shape[0] * hw_shape[1]
        _, weights = self._attend(tokens, hw_shape, need_weights=True)
        assert weights is not None
        num_keys = weights.shape[2]
        weights = weights[:, num_prompts:, :num_prompts].transpose(1, 2)
        return PatchAttention(weights.unflatten(2, hw_shape), num_prompts / num_keys)


class PromptedMixFFN(nn.Module):
    """MLP with a depth-wise convolution, over prompted tokens.

    Args:
        ffn: The built mmdet layer whose parameters are adopted.
    """

    def __init__(self, ffn: MixFFN) -> None:
        super().__init__()
        self.layers = ffn.layers
        self.dropout_layer = ffn.dropout_layer

    def forward(self, tokens: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Tokens (B, P + H * W, C) in, the same shape out."""
        out, _ = convolve(self.layers, tokens, hw_shape, self._on_maps)
        return self.dropout_layer(out)

    def _on_maps(self, maps: Tensor) -> Tensor:
        """Run the layers on maps, the hidden ones a few channels at a time."""
        first, *depthwise, act, drop, last, _ = self.layers
        width = maps.shape[0] * maps.shape[2] * maps.shape[3]
        parts = pieces(maps, first.out_channels, width)
        if len(parts) == 1 or is_autocast(maps):
            return self.layers(maps)
        hidden = maps.new_empty(len(maps), first.out_channels, *maps.shape[2:])
        for part in parts:
            some = _convolve_channels(first, maps, part)
            for conv in depthwise:
                some = _convolve_channels(conv, some, part)
            hidden[:, part] = drop(act(some))
        return drop(last(hidden))


def _convolve_channels(conv: nn.Conv2d, maps: Tensor, part: slice) -> Tensor:
    """Some of a convolution's output channels.

    Args:
        conv: A convolution; if it is depth-wise, the maps have just those channels.
        maps: (B, C, H, W).
        part: The output channels.

    Returns:
        Maps (B, number of channels, H', W').
    """
    weight = conv.weight[part]
    groups = 1 if conv.groups == 1 else len(weight)
    bias = None if conv.bias is None else conv.bias[part]
    return F.conv2d(
        maps, weight, bias, conv.stride, conv.padding, conv.dilation, groups
    )


class PromptedPVTLayer(PromptedBlock):
    """A PVT encoder layer over prompted tokens.

    Args:
        layer: The built mmdet layer whose parameters are adopted.
        with_cp: Whether to recompute activations in the backward pass.
        fused_attention: Whether torch's fused attention may be used.
    """

    def __init__(
        self, layer: PVTEncoderLayer, with_cp: bool, fused_attention: bool
    ) -> None:
        attn = PromptedSpatialReductionAttention(layer.attn, fused_attention)
        super().__init__(layer, attn, PromptedMixFFN(layer.ffn), with_cp)

    def attend_and_mix(self, tokens: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Attend, then mix channels, each beside a residual path."""
        tokens = tokens + self.attn(self.norm1(tokens), hw_shape)
        return tokens + self.ffn(self.norm2(tokens), hw_shape)
