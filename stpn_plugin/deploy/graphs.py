"""What is exported: modules from frames as they are to tensors of fixed meaning."""

from __future__ import annotations

from typing import Any, Sequence

import torch
import torch.nn.functional as F
from mmdet.models.layers.transformer import AdaptivePadding
from torch import Tensor, nn

from ..models.prompting import VideoPrompting
from ..models.prompts.base import Features, PromptSource
from ..models.vid import SingleFrameDetector
from .errors import ExportError
from .heads import detection_head


class FramePreparation(nn.Module):
    """Channel order, normalisation and padding, as of mmtrack's preprocessor.

    Args:
        preprocessor: A built ``TrackDataPreprocessor``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, preprocessor: Any) -> None:
        super().__init__()
        self.divisor = preprocessor.pad_size_divisor
        self.pad_value = float(preprocessor.pad_value)
        self.swaps = bool(preprocessor.channel_conversion)
        mean = getattr(preprocessor, 'mean', torch.zeros(1, 3, 1, 1))
        std = getattr(preprocessor, 'std', torch.ones(1, 3, 1, 1))
        self.register_buffer('mean', mean.detach().clone())
        self.register_buffer('std', std.detach().clone())

    def forward(self, frames: Tensor) -> Tensor:
        """Turn frames (B, 3, H, W), 0 to 255, into images for the backbone."""
        if self.swaps:
            frames = frames.flip(1)
        images = (frames - self.mean) / self.std
        padding = padding_to(images.shape[2:], (self.divisor, self.divisor))
        return F.pad(images, padding, value=self.pad_value)


class SupportGraph(nn.Module):
    """Support frames (N, 3, H, W) to what makes prompts of them.

    Args:
        prepare: Preparation of frames.
        source: Where prompts come from.
        backbone: The prompted backbone.
    """

    def __init__(
        self, prepare: FramePreparation, source: PromptSource, backbone: nn.Module
    ) -> None:
        super().__init__()
        self.prepare = prepare
        self.source = source
        self.backbone = backbone

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        """Features, one tensor (N, ...) or one for each block."""
        return as_tuple(
            self.source.support_features(self.backbone, self.prepare(frames))
        )


class PromptGraph(nn.Module):
    """Features of support frames to prompts.

    Args:
        source: Where prompts come from.
        keys: Blocks whose features there are, None for those of the last stage.
    """

    def __init__(self, source: PromptSource, keys: list | None) -> None:
        super().__init__()
        self.source = source
        self.keys = keys

    def forward(self, features: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Prompts (B, P, C), one tensor or one for each block."""
        return as_tuple(self.source(as_features(features, self.keys)))


class FrameGraph(nn.Module):
    """Frames (B, 3, H, W) and prompts to feature maps, or to detections.

    Args:
        prepare: Preparation of frames.
        model: The video model.
        keys: Blocks whose prompts there are, None for prompts at the input.
        maps: Whether to end with the maps that go into the heads.

    Raises:
        ExportError: The heads cannot be exported.
    """

    def __init__(
        self,
        prepare: FramePreparation,
        model: nn.Module,
        keys: list | None,
        maps: bool,
    ) -> None:
        super().__init__()
        self.prepare = prepare
        detector = getattr(model, 'detector', None)
        owner = model if detector is None else detector
        self.backbone, self.neck = owner.backbone, getattr(owner, 'neck', None)
        self.head = None if maps else detection_head(detector)
        self.source = None
        if isinstance(model, VideoPrompting) and not model.needs_support:
            self.source = model.prompt_predictor  # learned prompts: in the graph
        self.keys = keys

    def forward(
        self, frames: Tensor, prompts: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, ...]:
        """Maps (B, C, Hi, Wi), or boxes, scores and labels of detections."""
        images = self.prepare(frames)
        if self.source is not None:
            maps = self.backbone(images, self.source())
        elif prompts:
            maps = self.backbone(images, as_features(prompts, self.keys))
        else:
            maps = self.backbone(images)
        if self.neck is not None:
            maps = self.neck(maps)
        if self.head is None:
            return tuple(maps)
        return self.head(maps, (frames.shape[2], frames.shape[3]))


class Graphs(nn.Module):
    """All graphs of a video model.

    They share its modules; what an exporter cannot follow is taken out of them, so the
    model itself is of no use any more.

    Args:
        model: The built model, in eval mode.
        maps: Whether frames become feature maps and not detections.

    Attributes:
        support: None where prompts need no support frames.
        prompts: Likewise.
        frame: The rest.
        keys: Blocks (stage, block) that prompts are for, None for prompts at the input.

    Raises:
        ExportError: It cannot be exported; the message says why.
    """

    support: SupportGraph | None
    prompts: PromptGraph | None

    def __init__(self, model: nn.Module, maps: bool = False) -> None:
        super().__init__()
        if not isinstance(model, (SingleFrameDetector, VideoPrompting)):
            raise ExportError(
                f'{type(model).__name__} cannot be exported: only the models of this '
                'package can'
            )
        prompted = isinstance(model, VideoPrompting)
        if not maps and not _is_image_detector(model):
            raise ExportError(
                f'{type(model).__name__} looks at more than one frame behind its '
                'backbone, so it cannot be exported with its heads; --maps '
                'writes its feature maps'
            )
        backbone = model.prompted_backbone if prompted else model.detector.backbone
        prepare = FramePreparation(model.data_preprocessor)
        source = model.prompt_predictor if prompted else None
        self.keys = self.support = self.prompts = None
        if source is not None and source.needs_support:
            blocks = getattr(source, 'blocks', None)
            self.keys = blocks and [tuple(block) for block in blocks]
            self.support = SupportGraph(prepare, source, backbone)
            self.prompts = PromptGraph(source, self.keys)
        self.frame = FrameGraph(prepare, model, self.keys, maps)
        _free_padding(backbone)
        self.eval()


def _is_image_detector(model: nn.Module) -> bool:
    """Whether a model does on each frame what its image detector does, no more."""
    if not isinstance(model, SingleFrameDetector):
        return False
    if isinstance(model, VideoPrompting):
        return type(model).predict_with is VideoPrompting.predict_with
    return type(model).predict is SingleFrameDetector.predict


class CornerPadding(nn.Module):
    """What mmdet's adaptive padding does, in graphs for any size.

    Args:
        padding: The built mmdet layer.

    Raises:
        ExportError: It pads otherwise than to whole strides, below and on the right.
    """

    def __init__(self, padding: AdaptivePadding) -> None:
        super().__init__()
        self.stride = tuple(padding.stride)
        if self.stride != tuple(padding.kernel_size) or 'corner' not in padding.padding:
            raise ExportError(
                f'patches of {tuple(padding.kernel_size)} at distances of '
                f'{self.stride} cannot be exported: they have to lie side by side'
            )

    def forward(self, maps: Tensor) -> Tensor:
        """Pad maps (B, C, H, W)."""
        return F.pad(maps, padding_to(maps.shape[2:], self.stride))


def padding_to(size: Sequence[int], stride: Sequence[int]) -> tuple[int, ...]:
    """Padding of torch, on the right and below, that makes (H, W) multiples."""
    height, width = (
        (side + step - 1) // step * step - side for side, step in zip(size, stride)
    )
    return 0, width, 0, height


def _free_padding(backbone: nn.Module) -> None:
    """Put :class:`CornerPadding` where mmdet's is, which binds graphs to sizes."""
    for module in backbone.modules():
        padding = getattr(module, 'adap_padding', None)
        if isinstance(padding, AdaptivePadding):
            module.adap_padding = CornerPadding(padding)


def as_tuple(features: Features) -> tuple[Tensor, ...]:
    """One tensor, or those of all blocks in their order."""
    if isinstance(features, Tensor):
        return (features,)
    return tuple(features.values())


def as_features(tensors: tuple[Tensor, ...], keys: list | None) -> Features:
    """Undo :func:`as_tuple`."""
    if keys is None:
        (tensor,) = tensors
        return tensor
    return dict(zip(keys, tensors))
