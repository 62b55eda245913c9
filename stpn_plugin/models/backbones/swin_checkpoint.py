"""Reading the Swin weights of checkpoints found in the field."""

from __future__ import annotations

from typing import Any, Dict, Mapping

import torch.nn.functional as F
from mmdet.models.backbones.swin import swin_converter
from torch import Tensor

StateDict = Dict[str, Tensor]

DERIVED_BUFFERS = ('relative_position_index', 'attn_mask')
"""Ends of names whose values follow from the window size: a model has its own."""


def _strip_prefix(state_dict: Mapping[str, Tensor], prefix: str) -> StateDict:
    """Entries under ``prefix``, without it; all entries if there are none."""
    stripped = {
        k[len(prefix) :]: v for k, v in state_dict.items() if k.startswith(prefix)
    }
    return stripped or dict(state_dict)


def to_mmdet_names(state_dict: Mapping[str, Tensor]) -> dict[str, tuple[str, Tensor]]:
    """Give a Swin backbone of the Swin authors or of timm mmdet's names.

    Patch merging weights get mmdet's order too. A patch merging belongs to
    the stage before it for the authors, mmdet and old timm, and to the stage
    after it for timm since version 0.9.

    Args:
        state_dict: State dict of the backbone, keys ``layers.*`` and others.

    Returns:
        Name and tensor in mmdet's form by the key in ``state_dict``, without
        the classifier.
    """
    last = max(int(k.split('.')[1]) for k in state_dict if k.startswith('layers.'))
    merging_first = any(k.startswith(f'layers.{last}.downsample.') for k in state_dict)
    named = {}
    for key, value in state_dict.items():
        parts = key.split('.')
        if merging_first and parts[2:3] == ['downsample']:
            parts[1] = str(int(parts[1]) - 1)
        for new_key, new_value in swin_converter({'.'.join(parts): value}).items():
            named[key] = (new_key[len('backbone.') :], new_value)
    return named


def swin_state_dict(
    checkpoint: Mapping[str, Any], filename: str, convert_weights: bool
) -> StateDict:
    """Find a Swin backbone in a checkpoint, and give it mmdet's names.

    Args:
        checkpoint: A loaded checkpoint: a state dict, or a dict with one
            under ``state_dict`` or ``model``. The backbone may be all of it
            or lie under ``backbone.`` or ``detector.backbone.``.
        filename: Where it came from, for messages.
        convert_weights: Whether names and patch merging order of the Swin
            authors, or of timm, may be converted to mmdet's.

    Returns:
        State dict of the backbone in mmdet's names, without buffers.

    Raises:
        ValueError: No Swin weights are found, or they are in the Swin
            authors' naming and ``convert_weights`` is off.
    """
    state_dict = checkpoint.get('state_dict', checkpoint.get('model', checkpoint))
    for prefix in ('module.', 'detector.', 'backbone.'):
        state_dict = _strip_prefix(state_dict, prefix)
    if any(key.startswith('layers.') for key in state_dict):
        if not convert_weights:
            raise ValueError(
                f'{filename} has the parameter names of the Swin authors; set '
                'convert_weights=True in the backbone to load it'
            )
        state_dict = dict(to_mmdet_names(state_dict).values())
    if not any(key.startswith('stages.') for key in state_dict):
        raise ValueError(
            f'{filename} has no Swin weights: no key starts with "stages." or '
            '"layers.", also under "backbone." or "detector.backbone."'
        )
    return {k: v for k, v in state_dict.items() if not k.endswith(DERIVED_BUFFERS)}


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps, size=size, mode='bicubic', align_corners=False)


def fit_position_tables(
    state_dict: StateDict, window_size: int, grid: tuple[int, int]
) -> None:
    """Resize position tables to a model's window and image size, in place.

    Args:
        state_dict: State dict of a Swin backbone in mmdet's names.
        window_size: Side of the model's windows in patches.
        grid: (rows, columns) of the model's absolute position embedding.
    """
    side = 2 * window_size - 1
    for key, table in state_dict.items():
        if key.endswith('relative_position_bias_table'):  # (S * S, heads)
            old_side = int(table.shape[0] ** 0.5)
            if old_side != side:
                maps = table.t().reshape(1, -1, old_side, old_side)
                state_dict[key] = _resize(maps, (side, side)).flatten(2)[0].t()
        elif key == 'absolute_pos_embed':  # (1, L, C)
            old_side = int(table.shape[1] ** 0.5)
            if table.shape[1] != grid[0] * grid[1]:
                maps = table.transpose(1, 2).unflatten(2, (old_side, old_side))
                state_dict[key] = _resize(maps, grid).flatten(2).transpose(1, 2)
