"""Classes go by their names: the order of an annotation file means nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterable, Mapping, Sequence


def category_ids(
    categories: Iterable[Mapping[str, Any]], classes: Sequence[str], source: str
) -> list[int]:
    """Find the category of every class.

    Label ``i`` is the class ``classes[i]`` everywhere in this package, whatever the
    order of the categories in an annotation file.

    Args:
        categories: Categories of a COCO or CocoVID file, each with ``id`` and ``name``.
            Those that are none of the classes do not matter.
        classes: Names of the classes, in the order of their labels, or one name.
        source: What to call the file in messages.

    Returns:
        The category id of every class, in the order of the classes.

    Raises:
        ValueError: If a class is in no category or in several, or is given twice. The
            message shows the categories of the file and the classes.
    """
    classes = listed(classes)
    ids_of: dict[str, list[int]] = {}
    for category in categories:
        if isinstance(category['name'], str):
            ids_of.setdefault(category['name'], []).append(category['id'])
    complaints = []
    unknown = [name for name in classes if name not in ids_of]
    if unknown:
        complaints.append(f'no category for the classes {unknown}')
    ambiguous = [
        name for name in dict.fromkeys(classes) if len(ids_of.get(name, '')) > 1
    ]
    if ambiguous:
        complaints.append(f'several categories for the classes {ambiguous}')
    repeated = [name for name, count in Counter(classes).items() if count > 1]
    if repeated:
        complaints.append(f'classes that are given twice, {repeated}')
    if complaints:
        raise ValueError(
            f'{source} does not go with CLASSES of the dataset: there are '
            f'{" and ".join(complaints)}.\n'
            f'Categories of the file: {list(ids_of)}\n'
            f'CLASSES of the dataset: {list(classes)}\n'
            "Set CLASSES in the dataset's metainfo to categories of this file (their "
            'order is free), and num_classes of the model to their number, or give '
            'the annotation file of these classes'
        )
    return [ids_of[name][0] for name in classes]


def classes_in(metainfo: Mapping[str, Any] | None) -> tuple[str, ...] | None:
    """Look up class names in the metainfo of a dataset.

    Args:
        metainfo: Metainfo, also that in a checkpoint.

    Returns:
        Names in the order of their labels, if it has any.
    """
    metainfo = metainfo or {}
    # mmdet renamed the key.
    classes = metainfo.get('classes', metainfo.get('CLASSES'))
    return None if classes is None else tuple(listed(classes))


def listed(classes: Sequence[str]) -> Sequence[str]:
    """Class names as a sequence, also where the comma is missing: ``('cat')``."""
    return (classes,) if isinstance(classes, str) else classes
