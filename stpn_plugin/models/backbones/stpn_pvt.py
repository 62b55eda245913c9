"""Pyramid Vision Transformer v2 that takes prompts."""

from __future__ import annotations

from typing import Any, List, Optional

from mmdet.models.backbones.pvt import PyramidVisionTransformerV2
from mmdet.models.layers import nlc_to_nchw
from mmengine.model import BaseModule, ModuleList
from mmtrack.registry import MODELS
from torch import Tensor

from .prompted_pvt_layers import PromptedPatchMerging, PromptedPVTLayer
from .prompted_tokens import drop_prompts, prepend_prompts


@MODELS.register_module()
class STPNPyramidVisionTransformerV2(PyramidVisionTransformerV2):
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
        with_cp (bool): Whether to recompute the activations of the encoder
            layers in the backward pass, to save memory. Defaults to False.
        **kwargs: Those of mmdet's ``PyramidVisionTransformerV2``.

    Example:
        >>> backbone = STPNPyramidVisionTransformerV2(embed_dims=32)
        >>> feats = backbone(torch.rand(2, 3, 64, 96), torch.rand(5, 32))
        >>> [tuple(feat.shape) for feat in feats]
        [(2, 32, 16, 24), (2, 64, 8, 12), (2, 160, 4, 6), (2, 256, 2, 3)]
    """

    def __init__(self, with_cp: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for i, (embed, layers, _) in enumerate(self.layers):
            if i > 0:  # the first one embeds images, before prompts enter
                self.layers[i][0] = PromptedPatchMerging(embed)
            self.layers[i][1] = ModuleList(
                [PromptedPVTLayer(layer, with_cp) for layer in layers]
            )

    def forward(self, x: Tensor, prompts: Optional[Tensor] = None) -> List[Tensor]:
        """Extract features.

        Args:
            x: Images (B, 3, H, W).
            prompts: Prompts (P, C1), the same for all images, or (B, P, C1).
                ``None`` gives plain PVTv2 features.

        Returns:
            Maps (B, Ci, Hi, Wi), one per stage in ``out_indices``. The result
            for an image does not depend on the other images of the batch.

        Raises:
            TypeError: ``prompts`` is not a tensor.
            ValueError: ``prompts`` does not fit the images in number of
                dimensions, channels, batch size or device.
        """
        outs = []
        for i, (embed, layers, norm) in enumerate(self.layers):
            if i == 0:
                tokens, hw_shape = embed(x)
                if prompts is not None:
                    tokens = prepend_prompts(prompts, tokens)
            else:
                tokens, hw_shape = embed(tokens, hw_shape)
            for layer in layers:
                tokens = layer(tokens, hw_shape)
            tokens = norm(tokens)
            if i in self.out_indices:
                outs.append(nlc_to_nchw(drop_prompts(tokens, hw_shape), hw_shape))
        return outs

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
