"""Annotation files of ILSVRC: Pascal-VOC-like XML, one an image."""

from __future__ import annotations

import os.path as osp
import xml.etree.ElementTree as ET
from typing import NamedTuple

from ...utils import check_regular_file
from ..imagenet_classes import IMAGENET_VID_CATEGORIES
from .report import Problem, ProblemKind

_CATEGORY_IDS = {
    category['encode_name']: category['id'] for category in IMAGENET_VID_CATEGORIES
}

_MOST_DIGITS = 7  # of a number of pixels


class Box(NamedTuple):
    """An annotated object.

    Attributes:
        category_id: Its category.
        xyxy: Its box ``xmin, ymin, xmax, ymax`` in pixels.
        track: Its track in the video, empty for still images.
        occluded: Whether it is partly hidden.
        generated: Whether the box was interpolated instead of drawn.
    """

    category_id: int
    xyxy: tuple[int, int, int, int]
    track: str = ''
    occluded: bool = False
    generated: bool = False


class Annotation(NamedTuple):
    """Content of an annotation file.

    Attributes:
        size: Width and height of the image in pixels. None if missing or impossible.
        boxes: The objects.
        num_others: Number of objects outside the 30 classes that are left out.
    """

    size: tuple[int, int] | None
    boxes: list[Box]
    num_others: int


class _FieldError(ValueError):
    """A field is missing or malformed."""


def find_annotations(data_root: str, part: str) -> str:
    """Folder with the annotations of a part of ILSVRC, ``VID`` or ``DET``.

    Raises:
        FileNotFoundError: If there is none.
    """
    folder = osp.join(data_root, 'Annotations', part)
    if not osp.isdir(folder):
        raise FileNotFoundError(f'there is no folder {folder} with annotations')
    return folder


def read_annotation(
    path: str,
    other_id: int | None,
    with_tracks: bool,
    problems: list[Problem],
) -> Annotation | None:
    """Read an annotation file.

    Args:
        path: Path of the XML file.
        other_id: Category id of objects outside the 30 classes of ImageNet VID. None
            leaves them out.
        with_tracks: Whether objects have a track and its flags.
        problems: Where to append what is wrong with the file.

    Returns:
        The content, None if the file cannot be read. Boxes are as in the file, see
        :func:`fit_boxes`.
    """
    try:
        check_regular_file(path)
        root = ET.parse(path).getroot()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        problems.append(Problem(ProblemKind.MISSING_XML, path, reason))
        return None
    # An unknown encoding is a LookupError, a wrong one a UnicodeError (ValueError).
    except (ET.ParseError, LookupError, ValueError) as error:
        problems.append(
            Problem(ProblemKind.MALFORMED_XML, path, f'no valid XML: {error}')
        )
        return None

    boxes = []
    num_others = 0
    for index, node in enumerate(root.findall('object'), 1):
        try:
            category_id = _CATEGORY_IDS.get(_text(node, 'name'), other_id)
            if category_id is None:
                num_others += 1
                continue
            bndbox = _child(node, 'bndbox')
            xmin, ymin, xmax, ymax = (
                _integer(bndbox, tag) for tag in ('xmin', 'ymin', 'xmax', 'ymax')
            )
        except _FieldError as error:
            problems.append(
                Problem(ProblemKind.FIELD, path, f'object {index} left out: {error}')
            )
            continue
        box = Box(category_id, (xmin, ymin, xmax, ymax))
        if with_tracks:
            box = _add_track(box, node, index, path, problems)
        boxes.append(box)
    return Annotation(_read_size(root, path, problems), boxes, num_others)


def fit_boxes(
    boxes: list[Box], size: tuple[int, int], path: str, problems: list[Problem]
) -> list[Box]:
    """Clip boxes to their image and leave out what is empty.

    Args:
        boxes: The boxes of an image.
        size: Width and height of the image in pixels.
        path: Path of their XML file.
        problems: Where to append what is wrong with the boxes.

    Returns:
        The boxes that are left, each at least one pixel wide and high.
    """
    width, height = size
    fitted = []
    for box in boxes:
        xmin, ymin, xmax, ymax = box.xyxy
        if xmin >= xmax or ymin >= ymax:
            problems.append(
                Problem(ProblemKind.BOX_EMPTY, path, f'box {box.xyxy} left out: empty')
            )
            continue
        if xmin < 0 or ymin < 0 or xmax > width or ymax > height:
            xmin, ymin = max(xmin, 0), max(ymin, 0)
            xmax, ymax = min(xmax, width), min(ymax, height)
            remains = xmin < xmax and ymin < ymax
            action = 'clipped' if remains else 'left out'
            problems.append(
                Problem(
                    ProblemKind.BOX_OUTSIDE,
                    path,
                    f'box {box.xyxy} {action}: the image is {width} x {height}',
                )
            )
            if not remains:
                continue
            box = box._replace(xyxy=(xmin, ymin, xmax, ymax))
        fitted.append(box)
    return fitted


def _add_track(
    box: Box, node: ET.Element, index: int, path: str, problems: list[Problem]
) -> Box:
    """Read the fields that only objects in videos have."""
    values = {}
    for tag in ('trackid', 'occluded', 'generated'):
        try:
            values[tag] = _text(node, tag)
            if tag != 'trackid' and values[tag] not in ('0', '1'):
                raise _FieldError(f'{tag} is {values[tag]!r}, not 0 or 1')
        except _FieldError as error:
            problems.append(
                Problem(ProblemKind.FIELD, path, f'object {index}: {error}')
            )
    return box._replace(
        # No track id has a slash: nothing else gets this one.
        track=values.get('trackid', f'{path}/{index}'),
        occluded=values.get('occluded') == '1',
        generated=values.get('generated') == '1',
    )


def _read_size(
    root: ET.Element, path: str, problems: list[Problem]
) -> tuple[int, int] | None:
    try:
        node = _child(root, 'size')
        width, height = _integer(node, 'width'), _integer(node, 'height')
        if width < 1 or height < 1:
            raise _FieldError(f'size is {width} x {height}')
    except _FieldError as error:
        problems.append(Problem(ProblemKind.SIZE, path, str(error)))
        return None
    return width, height


def _child(node: ET.Element, tag: str) -> ET.Element:
    child = node.find(tag)
    if child is None:
        raise _FieldError(f'{tag} is missing')
    return child


def _text(node: ET.Element, tag: str) -> str:
    text = (node.findtext(tag) or '').strip()
    if not text:
        raise _FieldError(f'{tag} is missing')
    return text


def _integer(node: ET.Element, tag: str) -> int:
    text = _text(node, tag)
    if len(text) > _MOST_DIGITS:
        raise _FieldError(f'{tag} is {text[:20]}..., of {len(text)} characters')
    try:
        return int(text)
    except ValueError:
        raise _FieldError(f'{tag} is {text!r}, not an integer') from None
