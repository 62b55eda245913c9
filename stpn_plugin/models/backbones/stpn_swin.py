"""Swin Transformer that takes prompts."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple, Union

import torch.nn.functional as F
from mmdet.models.backbones.swin import SwinTransformer
from mmengine.logging import MMLogger
from mmengine.model import ModuleList
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.utils import to_2tuple
from mmtrack.registry import MODELS
from torch import Tensor, nn

from .prompted_swin_layers import PromptedSwinStage
from .prompted_tokens import drop_prompts, prepend_prompts
from .swin_checkpoint import fit_position_tables, swin_state_dict

Prompts = Union[Tensor, Mapping[Tuple[int, int], Tensor]]

ARCHS: Dict[str, Dict[str, Any]] = {
    'tiny': dict(embed_dims=96, depths=(2, 2, 6, 2), num_heads=(3, 6, 12, 24)),
    'small': dict(embed_dims=96, depths=(2, 2, 18, 2), num_heads=(3, 6, 12, 24)),
    'base': dict(embed_dims=128, depths=(2, 2, 18, 2), num_heads=(4, 8, 16, 32)),
    'large': dict(embed_dims=192, depths=(2, 2, 18, 2), num_heads=(6, 12, 24, 48)),
}
"""Widths and depths of the published Swin Transformers."""


@MODELS.register_module()
class STPNSwinTransformer(SwinTransformer):
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
        pretrain_img_size (int | tuple[int, int]): (H, W) that the absolute
            position embedding is for; it is resized for other images.
        arch (str, optional): ``'tiny'``, ``'small'``, ``'base'`` or ``'large'``:
            sets ``embed_dims``, ``depths`` and ``num_heads`` where they are
            not given.
        prompt_drop_rate (float): Dropout on the prompts as they enter.
        **kwargs: Those of mmdet's ``SwinTransformer``. ``convert_weights``
            tells that the checkpoint of ``init_cfg`` has the names and the
            patch merging order of the Swin authors.

    Raises:
        ValueError: There is no such ``arch``.

    Example:
        >>> backbone = STPNSwinTransformer(arch='tiny')
        >>> feats = backbone(torch.rand(2, 3, 64, 96), torch.rand(5, 96))
        >>> [tuple(feat.shape) for feat in feats]
        [(2, 96, 16, 24), (2, 192, 8, 12), (2, 384, 4, 6), (2, 768, 2, 3)]
    """

    def __init__(
        self,
        pretrain_img_size: Union[int, Tuple[int, int]] = 224,
        *,
        arch: Optional[str] = None,
        prompt_drop_rate: float = 0.0,
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
            [PromptedSwinStage(stage) for stage in self.stages]
        )
        self.prompt_dropout = nn.Dropout(prompt_drop_rate)
        # mmdet's class freezes in `train()` alone: too late for one who asks before
        # which parameters are trained, as DistributedDataParallel does.
        self._freeze_stages()

    def forward(
        self, x: Tensor, prompts: Optional[Prompts] = None
    ) -> Tuple[Tensor, ...]:
        """Extract features.

        Args:
            x: Images (B, 3, H, W).
            prompts: Prompts (P, C1), the same for all images, or (B, P, C1):
                they enter before the first block and stay to the end. Or a
                mapping from (stage, block) to prompts (P, Ci) or (B, P, Ci):
                each enters before its block and leaves after it. ``None``
                gives plain Swin features.

        Returns:
            Maps (B, Ci, Hi, Wi), one per stage in ``out_indices``. The result
            for an image does not depend on the other images of the batch.

        Raises:
            TypeError: Prompts are not tensors.
            ValueError: Prompts do not fit the images in number of dimensions,
                channels, batch size or device, or are for a block that does
                not exist.
        """
        tokens, hw_shape = self.patch_embed(x)
        if self.use_abs_pos_embed:
            tokens = tokens + self._position_embedding(hw_shape)
        tokens = self.drop_after_pos(tokens)

        block_prompts: Mapping[Tuple[int, int], Tensor] = {}
        if isinstance(prompts, Mapping):
            self._check_blocks(prompts)
            block_prompts = prompts
        elif prompts is not None:
            tokens = self._prepend(prompts, tokens)

        outs = []
        for i, stage in enumerate(self.stages):
            for j, block in enumerate(stage.blocks):
                if (i, j) in block_prompts:
                    tokens = self._prepend(block_prompts[i, j], tokens)
                    tokens = drop_prompts(block(tokens, hw_shape), hw_shape)
                else:
                    tokens = block(tokens, hw_shape)
            if i in self.out_indices:
                out = getattr(self, f'norm{i}')(drop_prompts(tokens, hw_shape))
                out = out.unflatten(1, hw_shape).permute(0, 3, 1, 2)
                outs.append(out.contiguous())
            if stage.downsample is not None:
                tokens, hw_shape = stage.downsample(tokens, hw_shape)
        return tuple(outs)

    def _prepend(self, prompts: Tensor, tokens: Tensor) -> Tensor:
        if isinstance(prompts, Tensor):  # else: the error is prepend_prompts'
            prompts = self.prompt_dropout(prompts)
        return prepend_prompts(prompts, tokens)

    def _check_blocks(self, prompts: Mapping) -> None:
        blocks = [
            (i, j)
            for i, stage in enumerate(self.stages)
            for j in range(len(stage.blocks))
        ]
        unknown = sorted(set(prompts) - set(blocks))
        if unknown:
            raise ValueError(
                f'prompts are for blocks {unknown}, but the (stage, block) of this '
                f'backbone are {blocks}'
            )

    def _position_embedding(self, hw_shape: Tuple[int, int]) -> Tensor:
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

    def fit_position_tables(self, state_dict: Dict[str, Tensor]) -> None:
        """Resize position tables of weights to this backbone's, in place.

        Args:
            state_dict: Weights of a Swin backbone in mmdet's names.
        """
        window_size = self.stages[0].blocks[0].attn.window_size
        fit_position_tables(state_dict, window_size, self._grid)
