"""Faults of segmentations, which readers of masks leave out, or fail on."""

from __future__ import annotations

from math import isfinite
from typing import Any

from .faults import counted, shown

# Larger coordinates exhaust the memory of pycocotools, which walks along the edges.
_FARTHEST_POINT = 1e6


def segmentation_fault(segmentation: Any, image: dict | None) -> str | None:
    """Tell why no mask can be made of a segmentation.

    Args:
        segmentation: Polygons or RLE of an annotation.
        image: Its image, if the file has it.

    Returns:
        What is wrong with it; None if nothing is, or if it is empty: then it is none.
    """
    if not segmentation:
        return None
    if isinstance(segmentation, list):
        faulty = len(segmentation) - len(whole_polygons(segmentation))
        some = f'{faulty} of {counted(len(segmentation), "polygon")}'
        return f'no [x, y, x, y, x, y, ...]: {some}' if faulty else None
    if isinstance(segmentation, dict):
        return _rle_fault(segmentation, image)
    return f'{shown(segmentation)} is neither polygons nor RLE'


def whole_polygons(polygons: list) -> list:
    """Those of some polygons that a mask can be made of."""
    return [polygon for polygon in polygons if _is_polygon(polygon)]


def _is_polygon(value: Any) -> bool:
    if not isinstance(value, list) or len(value) < 6 or len(value) % 2:
        return False
    # No loop over the numbers in Python: files have many millions of them.
    try:
        is_finite = isfinite(sum(value))
    except (OverflowError, TypeError):
        return False
    return is_finite and -_FARTHEST_POINT <= min(value) <= max(value) <= _FARTHEST_POINT


def _rle_fault(rle: dict, image: dict | None) -> str | None:
    lacking = [key for key in ('counts', 'size') if rle.get(key) is None]
    if lacking:
        return f'RLE without {" and ".join(lacking)}'
    size, counts = rle['size'], rle['counts']
    if not (isinstance(size, list) and len(size) == 2 and _are_counts(size)):
        return f'the size {shown(size)} of RLE is not [height, width]'
    if image is not None and size != [image.get('height'), image.get('width')]:
        return f'the size {shown(size)} of RLE is not that of the image'
    if isinstance(counts, str):
        is_whole = _is_packed(counts)
    else:
        is_whole = (
            isinstance(counts, list)
            and _are_counts(counts)
            and sum(counts) == size[0] * size[1]
        )
    return None if is_whole else f'{shown(counts)} are no counts of such RLE'


def _are_counts(values: list) -> bool:
    return {int}.issuperset(map(type, values)) and min(values, default=-1) >= 0


def _is_packed(counts: str) -> bool:
    """Whether a text is one of pycocotools: 6 bits a character, the last one an end."""
    return (
        counts != ''
        and '0' <= min(counts)
        and max(counts) <= 'o'
        and not (ord(counts[-1]) - ord('0')) & 0x20
    )
