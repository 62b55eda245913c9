"""Released checkpoints of others to clean checkpoints of the plugin."""

from __future__ import annotations

import os.path as osp
import re
from typing import Any, Mapping, NamedTuple, Sequence

from mmengine.config import Config
from torch import Tensor, nn

from ..builders import build_model
from ..datasets.imagenet_classes import IMAGENET_VID_CLASSES
from ..models.backbones import STPNSwinTransformer
from ..models.backbones.swin_checkpoint import DERIVED_BUFFERS
from ..utils.files import refuse_overwriting_input
from ..version import __version__
from .checkpoint_file import read_checkpoint, write_checkpoint
from .names import BACKBONE, is_backbone_alone, rename

# Norms of the stages' outputs: classification networks have none.
_OUTPUT_NORM = re.compile(re.escape(BACKBONE) + r'norm\d+\.')


class Conversion(NamedTuple):
    """What became of a checkpoint.

    Attributes:
        weights: The converted state dict, in float32.
        backbone_only: Whether the source is a backbone, or only its backbone
            was asked for.
        compared: Whether there was a model to compare with.
        renamed: New name by old name, of the weights kept.
        dropped: Names of what was not kept.
        missing: Names of what the model has and the source lacks. Of a
            backbone-only source the backbone alone is asked for, without the
            norms of its outputs.
        wrong_shape: (shape in the source, shape in the model) by new name, of
            weights that were dropped for it.
    """

    weights: dict[str, Tensor]
    backbone_only: bool
    compared: bool
    renamed: dict[str, str]
    dropped: list[str]
    missing: list[str]
    wrong_shape: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing and all shapes are right."""
        return not self.missing and not self.wrong_shape

    def report(self) -> str:
        """One line for each weight that was not kept as it is, and a summary."""
        lines = [f'renamed      {old} -> {new}' for old, new in self.renamed.items()]
        lines += [f'dropped      {name}' for name in self.dropped]
        lines += [f'missing      {name}' for name in self.missing]
        lines += [
            f'wrong shape  {name}: {source} in the source, {model} in the model'
            for name, (source, model) in self.wrong_shape.items()
        ]
        lines.append(
            f'{len(self.weights)} weights kept, {len(self.renamed)} of them renamed; '
            f'{len(self.dropped)} dropped, {len(self.missing)} missing, '
            f'{len(self.wrong_shape)} of the wrong shape.'
        )
        if self.backbone_only:
            lines.append(
                'This is a backbone only: neck, heads and prompt predictor stay '
                'untrained.'
            )
        if not self.compared:
            lines.append('Not compared with any model: no config was given.')
        return '\n'.join(lines)


def convert_weights(
    weights: Mapping[str, Tensor],
    model: nn.Module | None = None,
    backbone_only: bool = False,
) -> Conversion:
    """Convert weights, see :func:`~stpn_plugin.weights.names.rename`.

    Args:
        weights: State dict of a released checkpoint.
        model: The model that it is to fit. Position tables are resized to it,
            and buffers that follow from the window size are taken from it.
        backbone_only: Keep nothing but the backbone.

    Returns:
        The converted weights and what happened to each.
    """
    backbone_only = backbone_only or is_backbone_alone(weights)
    renamed = {
        old: new
        for old, new in rename(weights).items()
        if not backbone_only or new.name.startswith(BACKBONE)
    }
    origin = {
        new.name: old
        for old, new in renamed.items()
        if not new.name.endswith(DERIVED_BUFFERS)
    }
    kept = {name: renamed[old].tensor for name, old in origin.items()}
    wrong_shape: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    missing: list[str] = []
    if model is not None:
        _fit_position_tables(kept, model)
        wanted = model.state_dict()
        kept = {name: tensor for name, tensor in kept.items() if name in wanted}
        for name in list(kept):
            shapes = (tuple(kept[name].shape), tuple(wanted[name].shape))
            if shapes[0] != shapes[1]:
                wrong_shape[name] = shapes
                del kept[name]
        derived = {k: v for k, v in wanted.items() if k.endswith(DERIVED_BUFFERS)}
        if backbone_only:
            derived = {k: v for k, v in derived.items() if k.startswith(BACKBONE)}
        kept.update(derived)
        missing = [
            name
            for name in wanted
            if name not in kept and name not in wrong_shape
            if not backbone_only
            or (name.startswith(BACKBONE) and not _OUTPUT_NORM.match(name))
        ]
    used = {origin[name] for name in (*kept, *wrong_shape) if name in origin}
    return Conversion(
        weights={
            name: tensor.float() if tensor.is_floating_point() else tensor
            for name, tensor in kept.items()
        },
        backbone_only=backbone_only,
        compared=model is not None,
        renamed={
            old: name for name, old in origin.items() if name in kept and old != name
        },
        # Derived buffers say nothing new: they are no loss.
        dropped=[
            name
            for name in weights
            if name not in used and not name.endswith(DERIVED_BUFFERS)
        ],
        missing=missing,
        wrong_shape=wrong_shape,
    )


def _fit_position_tables(weights: dict[str, Tensor], model: nn.Module) -> None:
    backbone = model.detector.backbone
    if not isinstance(backbone, STPNSwinTransformer):
        return
    swin = {k[len(BACKBONE) :]: v for k, v in weights.items() if k.startswith(BACKBONE)}
    backbone.fit_position_tables(swin)
    weights.update({BACKBONE + k: v for k, v in swin.items()})


def convert_checkpoint(
    source: str,
    target: str,
    config: Config | None = None,
    backbone_only: bool = False,
) -> Conversion:
    """Convert a checkpoint file; see :func:`convert_weights`.

    The target holds ``state_dict`` with tensors in float32, and ``meta`` with
    plain data: ``dataset_meta``, the version of the plugin, the source's
    name. It is written also if it is not complete, to fine-tune from.

    Args:
        source: Path of a checkpoint; nothing that it may bring along is run.
        target: Path of the checkpoint to write.
        config: Config of the model that it is to fit.
        backbone_only: Keep nothing but the backbone.

    Returns:
        The converted weights and what happened to each.

    Raises:
        FileNotFoundError: There is no such source.
        ValueError: The source is no checkpoint, nothing of it can be used, or it is
            the target.
    """
    refuse_overwriting_input(source, target)
    checkpoint = read_checkpoint(source)
    model = None if config is None else build_model(config)
    conversion = convert_weights(checkpoint.weights, model, backbone_only)
    if all(name.endswith(DERIVED_BUFFERS) for name in conversion.weights):
        raise ValueError(f'{source} has no weight that can be used')
    conversion = conversion._replace(dropped=conversion.dropped + checkpoint.dropped)
    meta: dict[str, Any] = dict(
        stpn_plugin_version=__version__, converted_from=osp.basename(source)
    )
    if config is not None:
        meta['cfg'] = config.pretty_text
    if not conversion.backbone_only:
        classes = _classes(checkpoint.meta, conversion.weights, model)
        if classes is not None:
            # mmtrack 1.0.0rc1 asks for 'CLASSES', later OpenMMLab for 'classes'.
            meta['dataset_meta'] = dict(CLASSES=classes, classes=classes)
    write_checkpoint(target, conversion.weights, meta)
    return conversion


def _classes(
    meta: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    model: nn.Module | None,
) -> tuple[str, ...] | None:
    """Class names: the source's own, or ImageNet VID's if their number is right."""
    known: list[Sequence[str]] = [list(IMAGENET_VID_CLASSES)]
    for holder in (meta, meta.get('dataset_meta') or {}):
        for key in ('CLASSES', 'classes'):
            if isinstance(holder.get(key), (list, tuple)):
                known.insert(0, holder[key])
    number = _num_classes(weights, model)
    return next((tuple(names) for names in known if len(names) == number), None)


def _num_classes(weights: Mapping[str, Tensor], model: nn.Module | None) -> int | None:
    if model is not None:
        head = getattr(model.detector, 'roi_head', model.detector)
        head = head.bbox_head
        head = head[0] if isinstance(head, nn.ModuleList) else head  # cascade
        return head.num_classes
    logits = weights.get('detector.roi_head.bbox_head.fc_cls.weight')
    return None if logits is None else len(logits) - 1  # the last is background
