"""Pyramid Vision Transformer v2 that takes prompts."""

from __future__ import annotations

from itertools import accumulate
from operator import mul
from typing import Any

from mmdet.models.backbones.pvt import PyramidVisionTransformerV2
from mmengine.model import BaseModule, ModuleList
from mmtrack.registry import MODELS
from torch import Tensor

from .prompted_backbone import PromptedBackbone
from .prompted_pvt_layers import PromptedPatchEmbed, PromptedPVTLayer


@MODELS.register_module()
class STPNPyramidVisionTransformerV2(PromptedBackbone, PyramidVisionTransformerV2):
    """PVTv2 whose forward takes prompts.

    Prompts go in front of the patch tokens and are dropped from the outputs.
    Without prompts this is mmdet's ``PyramidVisionTransformerV2``, and so are
    the names and shapes of all parameters::

        img (B, 3, H, W) -- patch embedding -- patches (B, H/4 * W/4, C1)
                                                  |
        prompts (P, C1) or (B, P, C1) -- concatenate: (B, P + H/4 * W/4, C1)
                                                  |
              4 x [ encoder layers, norm --+-- patch embedding ]
                                           |
                                           +-- drop prompts: (B, Ci, Hi, Wi)

    STPN and VPT prompt Swin only; here prompts do in a PVT what they do
    there:

    - Attention is global. Prompts are queries beside all patches, and keys
      and values beside the spatially reduced patches.
    - A convolution (patch embedding, spatial reduction, depth-wise one of the
      MLP) takes a prompt for a map that holds it everywhere: it applies the
      sum of its kernel. Swin's patch merging does the same: ``cat(p, p, p, p)``.
    - Norms, MLP, stochastic depth and residual sums treat prompts and patches
      alike.

    Args:
        with_cp: Whether to recompute the activations of the encoder layers in the
            backward pass, to save memory. Defaults to False.
        fused_attention: Whether torch's fused attention is used, where it is there and
            fits; it differs by rounding errors. With ``False`` results without prompts
            are mmdet's to the last bit.
        **kwargs: Those of mmdet's ``PyramidVisionTransformerV2``.

    Examples:
        >>> import torch
        >>> backbone = STPNPyramidVisionTransformerV2(embed_dims=32)
        >>> feats = backbone(torch.rand(2, 3, 64, 96), torch.rand(5, 32))
        >>> [tuple(feat.shape) for feat in feats]
        [(2, 32, 16, 24), (2, 64, 8, 12), (2, 160, 4, 6), (2, 256, 2, 3)]
    """

    def __init__(
        self, with_cp: bool = False, fused_attention: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        for i, (embed, layers, _) in enumerate(self.layers):
            if i > 0:  # the first one embeds images, before prompts enter
                self.layers[i][0] = PromptedPatchEmbed(embed)
            self.layers[i][1] = ModuleList(
                [PromptedPVTLayer(layer, with_cp, fused_attention) for layer in layers]
            )

    @property
    def feat_channels(self) -> list[int]:
        """Channels Ci of every stage; prompts at the input have the first's."""
        return [self.embed_dims * heads for heads in self.num_heads]

    @property
    def feat_strides(self) -> list[int]:
        """Side of a patch in pixels in every stage."""
        return list(accumulate(self.strides, mul))

    def stage_blocks(self, stage: int) -> ModuleList:
        """The encoder layers of a stage."""
        return self.layers[stage][1]

    def embed(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Turn images (B, 3, H, W) into patches (B, H1 * W1, C1) and (H1, W1)."""
        return self.layers[0][0](x)

    def end_stage(self, stage: int, tokens: Tensor) -> Tensor:
        """Norm of all tokens after a stage."""
        return self.layers[stage][2](tokens)

    def merge(
        self, stage: int, tokens: Tensor, hw_shape: tuple[int, int]
    ) -> tuple[Tensor, tuple[int, int]]:
        """Shrink the map in front of a stage after the first."""
        return self.layers[stage][0](tokens, hw_shape)

    def init_weights(self) -> None:
        """Initialise, or load the checkpoint of ``init_cfg``.

        Takes what mmdet's class does, ImageNet checkpoints of the PVT authors
        among it, and with ``prefix='backbone.'`` in ``init_cfg`` detectors of
        mmdet, such as RetinaNet trained on COCO.
        """
        if self.init_cfg is not None and 'prefix' in self.init_cfg:
            BaseModule.init_weights(self)  # mmdet's class ignores the prefix
        else:
            super().init_weights()
