"""Swin Transformer that takes prompts."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from mmdet.models.backbones.swin import SwinTransformer
from mmengine.logging import MMLogger
from mmengine.model import ModuleList
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.utils import to_2tuple
from mmtrack.registry import MODELS
from torch import Tensor, nn

from .prompted_backbone import PromptedBackbone
from .prompted_swin_layers import PromptedSwinStage
from .swin_checkpoint import fit_position_tables, swin_state_dict

ARCHS: dict[str, dict[str, Any]] = {
    'tiny': dict(embed_dims=96, depths=(2, 2, 6, 2), num_heads=(3, 6, 12, 24)),
    'small': dict(embed_dims=96, depths=(2, 2, 18, 2), num_heads=(3, 6, 12, 24)),
    'base': dict(embed_dims=128, depths=(2, 2, 18, 2), num_heads=(4, 8, 16, 32)),
    'large': dict(embed_dims=192, depths=(2, 2, 18, 2), num_heads=(6, 12, 24, 48)),
}
"""Widths and depths of the published Swin Transformers."""


@MODELS.register_module()
class STPNSwinTransformer(PromptedBackbone, SwinTransformer):
    """Swin Transformer whose forward takes prompts.

    Prompts go in front of the patch tokens and are dropped from the outputs.
    Without prompts this is mmdet's ``SwinTransformer``, and so are the names
    and shapes of all parameters::

        img (B, 3, H, W) -- patch embedding -- patches (B, H/4 * W/4, C1)
                                                  |
        prompts (P, C1) or (B, P, C1) -- concatenate: (B, P + H/4 * W/4, C1)
                                                  |
              4 x [ Swin blocks --+-- patch merging ]
                                  |
                                  +-- drop prompts, norm: (B, Ci, Hi, Wi)

    Method: "Spatio-temporal Prompting Network for Robust Video Feature
    Extraction", ICCV 2023.

    Args:
        pretrain_img_size: (H, W) that the absolute position embedding is for; it is
            resized for other images.
        arch: ``'tiny'``, ``'small'``, ``'base'`` or ``'large'``: sets ``embed_dims``,
            ``depths`` and ``num_heads`` where they are not given.
        prompt_drop_rate: Dropout on the prompts as they enter.
        fused_attention: Whether torch's fused attention is used, where it is there and
            fits; it differs by rounding errors. With ``False`` results without prompts
            are mmdet's to the last bit.
        **kwargs: Those of mmdet's ``SwinTransformer``. ``convert_weights``
            tells that the checkpoint of ``init_cfg`` has the names and the
            patch merging order of the Swin authors.

    Raises:
        ValueError: There is no such ``arch``.

    Examples:
        >>> import torch
        >>> backbone = STPNSwinTransformer(arch='tiny')
        >>> feats = backbone(torch.rand(2, 3, 64, 96), torch.rand(5, 96))
        >>> [tuple(feat.shape) for feat in feats]
        [(2, 96, 16, 24), (2, 192, 8, 12), (2, 384, 4, 6), (2, 768, 2, 3)]
    """

    def __init__(
        self,
        pretrain_img_size: int | tuple[int, int] = 224,
        *,
        arch: str | None = None,
        prompt_drop_rate: float = 0.0,
        fused_attention: bool = True,
        **kwargs: Any,
    ) -> None:
        if arch is not None:
            if arch not in ARCHS:
                raise ValueError(
                    f'there is no Swin of arch={arch!r}; choose one of '
                    f'{", ".join(map(repr, ARCHS))}, or leave arch out and set '
                    'embed_dims, depths and num_heads'
                )
            kwargs = {**ARCHS[arch], **kwargs}
        super().__init__(pretrain_img_size, **kwargs)
        patch_size = self.patch_embed.projection.kernel_size
        self._grid = tuple(
            size // patch
            for size, patch in zip(to_2tuple(pretrain_img_size), patch_size)
        )
        self.stages: ModuleList = ModuleList(
            [PromptedSwinStage(stage, fused_attention) for stage in self.stages]
        )
        self.prompt_dropout = nn.Dropout(prompt_drop_rate)
        # mmdet's class freezes in `train()` alone: too late for one who asks before
        # which parameters are trained, as DistributedDataParallel does.
        self._freeze_stages()

    @property
    def feat_channels(self) -> list[int]:
        """Channels Ci of every stage; prompts at the input have the first's."""
        return list(self.num_features)

    @property
    def feat_strides(self) -> list[int]:
        """Side of a patch in pixels in every stage."""
        strides = [self.patch_embed.projection.stride[0]]
        for stage in self.stages[:-1]:
            strides.append(strides[-1] * stage.downsample.sampler.stride[0])
        return strides

    def stage_blocks(self, stage: int) -> ModuleList:
        """The blocks of a stage."""
        return self.stages[stage].blocks

    def embed(self, x: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Turn images (B, 3, H, W) into patches (B, H1 * W1, C1) and (H1, W1)."""
        patches, hw_shape = self.patch_embed(x)
        if self.use_abs_pos_embed:
            patches = patches + self._position_embedding(hw_shape)
        return self.drop_after_pos(patches), hw_shape

    def prepend(self, prompts: Tensor, tokens: Tensor) -> Tensor:
        """Put prompts in front of tokens, after dropout."""
        if isinstance(prompts, Tensor):  # else: the error is prepend_prompts'
            prompts = self.prompt_dropout(prompts)
        return super().prepend(prompts, tokens)

    def stage_output(self, stage: int, patches: Tensor) -> Tensor:
        """Norm of patches (B, H * W, C) that leave the backbone."""
        return getattr(self, f'norm{stage}')(patches)

    def merge(
        self, stage: int, tokens: Tensor, hw_shape: tuple[int, int]
    ) -> tuple[Tensor, tuple[int, int]]:
        """Halve the map in front of a stage after the first."""
        return self.stages[stage - 1].downsample(tokens, hw_shape)

    def _position_embedding(self, hw_shape: tuple[int, int]) -> Tensor:
        """Absolute position embedding (1, H * W, C) for any map size."""
        embedding = self.absolute_pos_embed  # (1, L, C)
        if hw_shape == self._grid:
            return embedding
        maps = embedding.unflatten(1, self._grid).permute(0, 3, 1, 2)
        maps = F.interpolate(maps, size=hw_shape, mode='bicubic', align_corners=False)
        return maps.flatten(2).transpose(1, 2)

    def train(self, mode: bool = True) -> STPNSwinTransformer:
        """Set the mode; frozen stages stay in eval mode."""
        super().train(mode)
        return self  # mmdet's method forgets to

    def init_weights(self) -> None:
        """Initialise, or load the checkpoint of ``init_cfg``.

        Takes ImageNet checkpoints of the Swin authors and of timm
        (``convert_weights=True``), mmdet's checkpoints of the backbone alone,
        and whole detectors' (keys ``backbone.*`` or ``detector.backbone.*``,
        in either naming). Position tables of another window or image size are
        resized.

        Raises:
            ValueError: The checkpoint has no Swin weights, or its naming and
                ``convert_weights`` disagree.
        """
        if self.init_cfg is None:
            super().init_weights()
            return
        filename = self.init_cfg['checkpoint']
        logger = MMLogger.get_current_instance()
        checkpoint = CheckpointLoader.load_checkpoint(
            filename, logger=logger, map_location='cpu'
        )
        state_dict = swin_state_dict(checkpoint, filename, self.convert_weights)
        self.fit_position_tables(state_dict)
        incompatible = self.load_state_dict(state_dict, strict=False)
        logger.info(f'Loaded {self.__class__.__name__} from {filename}: {incompatible}')

    def fit_position_tables(self, state_dict: dict[str, Tensor]) -> None:
        """Resize position tables of weights to this backbone's, in place.

        Args:
            state_dict: Weights of a Swin backbone in mmdet's names.
        """
        window_size = self.stages[0].blocks[0].attn.window_size
        fit_position_tables(state_dict, window_size, self._grid)
