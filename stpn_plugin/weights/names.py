"""Names of weights: from those of released checkpoints to the plugin's."""

from __future__ import annotations

import re
from typing import Mapping, NamedTuple

from torch import Tensor

from ..models.backbones.swin_checkpoint import to_mmdet_names

BACKBONE = 'detector.backbone.'
_PROMPTS_IN_BACKBONE = re.compile(
    r'(prompt_embeddings$|deep_prompt_embeddings_\d+$|stages\.\d+\.predictor\.)'
)
_LAYERS_OF_SWIN = re.compile(r'layers\.\d+\.blocks\.\d+\.attn\.')


class Renamed(NamedTuple):
    """A weight under the plugin's name."""

    name: str
    tensor: Tensor


def is_backbone_alone(weights: Mapping[str, Tensor]) -> bool:
    """Whether weights have no prefix that tells of a detector around them."""
    prefixes = ('detector.', 'prompt_predictor.', 'backbone.')
    return not any(_without('module.', name).startswith(prefixes) for name in weights)


def rename(weights: Mapping[str, Tensor]) -> dict[str, Renamed]:
    """Give the plugin's names to weights of any released checkpoint.

    =============================================  ============================
    found                                          becomes
    =============================================  ============================
    ``module.X`` (data parallel, averaged)         ``X``, then as below
    ``detector.*``, ``prompt_predictor.*``         the same
    ``backbone.*``, ``neck.*``, … (image detector) ``detector.*``
    neither (a backbone)                           ``detector.backbone.*``
    ``layers.*`` in a Swin (its authors, timm)     ``stages.*``, mmdet's order
    ``prompt_embeddings``,                         ``prompt_predictor.*``
    ``deep_prompt_embeddings_i``,
    ``stages.i.predictor.*`` in a backbone
    =============================================  ============================

    Args:
        weights: A state dict.

    Returns:
        Name and tensor by the name in ``weights``. Classifiers of
        classification networks are left out.
    """
    names = {old: _without('module.', old) for old in weights}
    if is_backbone_alone(weights):
        names = {old: BACKBONE + name for old, name in names.items()}
    elif any(name.startswith('backbone.') for name in names.values()):
        names = {old: 'detector.' + name for old, name in names.items()}
    renamed = {old: Renamed(name, weights[old]) for old, name in names.items()}

    swin = {
        name[len(BACKBONE) :]: old
        for old, name in names.items()
        if name.startswith(BACKBONE)
    }
    if any(_LAYERS_OF_SWIN.match(name) for name in swin):
        converted = to_mmdet_names({name: weights[old] for name, old in swin.items()})
        for name, old in swin.items():
            if name in converted:
                new_name, tensor = converted[name]
                renamed[old] = Renamed(BACKBONE + new_name, tensor)
            else:
                del renamed[old]
    for name, old in swin.items():
        if _PROMPTS_IN_BACKBONE.match(name):
            renamed[old] = Renamed('prompt_predictor.' + name, weights[old])
    return renamed


def _without(prefix: str, name: str) -> str:
    return name[len(prefix) :] if name.startswith(prefix) else name
