"""Does a model go with the classes of a dataset?"""

from __future__ import annotations

import logging
from typing import Any, Iterator, Mapping, Sequence

from mmdet.models.dense_heads import RPNHead
from mmdet.models.roi_heads.mask_heads import FusedSemanticHead
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from torch import nn

from ..utils import classes_in, listed


def check_num_classes(model: nn.Module, classes: Sequence[str] | None) -> None:
    """Check that every head of a detector tells as many classes as the dataset has.

    A head of another size trains and tests without an error, as long as no label is
    too high for it, and its labels then mean nothing.

    Args:
        model: The model, also wrapped for several processes: a video model with a
            ``detector``, which alone counts then, or an image detector.
        classes: Names of the classes, in the order of their labels. Nothing is checked
            without.

    Raises:
        ValueError: If ``num_classes`` of a head is not the number of the classes. The
            message shows both and names the head.
    """
    if classes is None:
        return
    classes = listed(classes)
    wrong = {
        name: head.num_classes
        for name, head in _class_heads(model)
        if head.num_classes != len(classes)
    }
    if wrong:
        heads = ', '.join(f'{name}.num_classes={n}' for name, n in wrong.items())
        raise ValueError(
            f'The model does not go with CLASSES of the dataset: it has {heads}, but '
            f'there are {len(classes)} classes.\n'
            f'CLASSES of the dataset: {list(classes)}\n'
            f'Set num_classes of these heads to {len(classes)}, or CLASSES in the '
            "dataset's metainfo to the classes of the model"
        )


def _class_heads(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules that tell the dataset's classes apart, with their names."""
    if is_model_wrapper(model):
        model = model.module
    prefix = ''
    # A tracker's other parts may tell other things apart, such as persons.
    if isinstance(getattr(model, 'detector', None), nn.Module):
        model, prefix = model.detector, 'detector'
    for name, module in model.named_modules(prefix=prefix):
        parts = name.split('.')
        if (
            isinstance(getattr(module, 'num_classes', None), int)
            # These tell objects from background, image classes, and stuff.
            and not (isinstance(module, RPNHead) or 'rpn_head' in parts)
            and 'backbone' not in parts
            and not isinstance(module, FusedSemanticHead)
        ):
            yield name, module


def checkpoint_classes(checkpoint: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Look up the class names that a model was trained on.

    Args:
        checkpoint: Content of a checkpoint.

    Returns:
        Names in the order of the labels, if the checkpoint has any.
    """
    meta = checkpoint.get('meta') or {}
    # mmdet 2 had them in the meta itself.
    return classes_in(meta.get('dataset_meta')) or classes_in(meta)


def check_class_names(
    trained: Sequence[str] | None, classes: Sequence[str] | None, checkpoint: str
) -> None:
    """Check that a trained model's labels mean the classes of a dataset.

    For tests and for resuming. To fine-tune, the classes may be any.

    Names that differ in part are only warned about: released checkpoints and custom
    annotations may call one class by two names.

    Args:
        trained: Classes of the checkpoint, see :func:`checkpoint_classes`. Nothing is
            checked without.
        classes: Classes of the dataset. Nothing is checked without.
        checkpoint: What to call the checkpoint in messages.

    Raises:
        ValueError: If their numbers differ, or only their order.
    """
    if trained is None or classes is None:
        return
    trained, classes = list(listed(trained)), list(listed(classes))
    if trained == classes:
        return
    both = f'Classes of the checkpoint: {trained}\nCLASSES of the dataset: {classes}'
    if len(trained) != len(classes):
        raise ValueError(
            f'{checkpoint} was trained on {len(trained)} classes, and CLASSES of the '
            f'dataset are {len(classes)}.\n{both}'
        )
    if sorted(trained) == sorted(classes):
        raise ValueError(
            f'{checkpoint} was trained on the same classes in another order, so its '
            f'labels mean others here.\n{both}\n'
            "Set CLASSES in the dataset's metainfo to the order of the checkpoint; the "
            'order in the annotation file does not matter'
        )
    print_log(
        f'{checkpoint} was trained on classes of other names; its labels are taken for '
        f'CLASSES of the dataset, one by one.\n{both}',
        logger='current',
        level=logging.WARNING,
    )
