"""A Swin's weights in the names that others have for them."""

from __future__ import annotations

import torch
from torch import Tensor

_NAMES = (
    ('stages.', 'layers.'),
    ('attn.w_msa.', 'attn.'),
    ('ffn.layers.0.0.', 'mlp.fc1.'),
    ('ffn.layers.1.', 'mlp.fc2.'),
    ('projection', 'proj'),
)


def authors(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """mmdet's weights in the Swin authors' names and patch merging order."""
    renamed = {}
    for key, value in weights.items():
        if 'downsample' in key:  # unfold order (c * 4 + k) to block order
            order = value.reshape(*value.shape[:-1], -1, 4).transpose(-1, -2)
            value = order[..., [0, 2, 1, 3], :].reshape(value.shape)
        for old, new in _NAMES:
            key = key.replace(old, new)
        renamed[key] = value
    renamed['head.weight'] = torch.zeros(10, 192)
    renamed['layers.0.blocks.0.attn_mask'] = torch.zeros(4, 49, 49)
    return renamed


def timm(weights: dict[str, Tensor], merging_first: bool = True) -> dict[str, Tensor]:
    """mmdet's weights as in timm.

    Args:
        weights: State dict of mmdet's Swin.
        merging_first: Whether a patch merging belongs to the stage after it,
            as since timm 0.9.
    """
    renamed = {}
    for key, value in authors(weights).items():
        parts = key.split('.')
        if merging_first and 'downsample' in key:
            parts[1] = str(int(parts[1]) + 1)
        renamed['.'.join(parts)] = value
    renamed['head.fc.weight'] = renamed.pop('head.weight')
    return renamed
