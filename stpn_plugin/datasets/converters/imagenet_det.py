"""ImageNet DET to the COCO file that mmtrack trains video detectors with."""

from __future__ import annotations

import os
import os.path as osp
from functools import partial
from typing import NamedTuple

from ...utils import ProgressBar
from ..imagenet_classes import IMAGENET_VID_CATEGORIES
from .coco_writer import CocoSetWriter
from .ilsvrc_lists import read_det_images
from .ilsvrc_xml import Box, find_annotations, fit_boxes, read_annotation
from .ordered_map import ordered_map
from .report import ConversionError, Problem, Report

_OTHER_ID = len(IMAGENET_VID_CATEGORIES) + 1
_CATEGORIES = [
    *IMAGENET_VID_CATEGORIES,
    dict(id=_OTHER_ID, name='other_categories', encode_name=None),
]

_CHUNK = 256  # images a task: enough to make the way to another process cheap


class _Image(NamedTuple):
    name: str
    size: tuple[int, int]
    boxes: list[Box]


class _ParsedChunk(NamedTuple):
    images: list[_Image]
    problems: list[Problem]


def convert_det(
    data_root: str, out_dir: str, strict: bool = False, jobs: int = 1
) -> list[Report]:
    """Convert the training set of ImageNet DET.

    Reads the list ``DET_train_30classes.txt`` in ``ImageSets`` or ``Lists`` and the
    files in ``Annotations/DET/train``; writes ``imagenet_det_30plus1cls.json``. The
    images of the list come first, in its order, and are marked to be trained with
    (``is_vid_train_frame``). All others follow in the order of their paths, unmarked.
    Objects outside the 30 classes are of a 31st category, ``other_categories``.
    :class:`ProblemKind` tells what becomes of faulty input.

    Args:
        data_root: Root of ILSVRC.
        out_dir: Folder to write to.
        strict: Whether to raise at the first problem. Defaults to False.
        jobs: Number of processes. The file does not depend on it. Defaults to 1.

    Returns:
        What went into the file, one entry.

    Raises:
        FileNotFoundError: If the list or the folder of the annotations is missing.
        ConversionError: If nothing can be converted or, when strict, anything is
            wrong. Then no file is written.
    """
    path = osp.join(out_dir, 'imagenet_det_30plus1cls.json')
    ann_dir = find_annotations(data_root, 'DET')
    listed, problems = read_det_images(data_root)
    report = Report(path, _CATEGORIES, strict)
    report.add_problems(problems)
    train_names = set(listed)
    names = listed + [
        name for name in _find_images(ann_dir, 'train') if name not in train_names
    ]
    chunks = [names[i : i + _CHUNK] for i in range(0, len(names), _CHUNK)]
    with CocoSetWriter(
        path, _CATEGORIES, ('images', 'annotations')
    ) as writer, ProgressBar(
        total=len(names), desc=osp.basename(path), unit='image'
    ) as progress:
        parse = partial(_parse_chunk, ann_dir)
        for chunk, parsed in zip(chunks, ordered_map(parse, chunks, jobs)):
            report.add_problems(parsed.problems)
            for image in parsed.images:
                _write_image(writer, report, image, image.name in train_names)
            progress.update(len(chunk))
        if not report.totals['images']:
            raise ConversionError(
                f'{path}: no image could be converted; are the XML files in {ann_dir}?'
            )
    return [report]


def _write_image(
    writer: CocoSetWriter, report: Report, image: _Image, is_train_frame: bool
) -> None:
    width, height = image.size
    image_id = writer.add(
        'images',
        file_name=f'{image.name}.JPEG',
        height=height,
        width=width,
        is_vid_train_frame=is_train_frame,
    )
    report.add_image([box.category_id for box in image.boxes], is_train_frame)
    for box in image.boxes:
        xmin, ymin, xmax, ymax = box.xyxy
        writer.add(
            'annotations',
            image_id=image_id,
            category_id=box.category_id,
            bbox=[xmin, ymin, xmax - xmin, ymax - ymin],
            area=(xmax - xmin) * (ymax - ymin),
            iscrowd=False,
        )


def _parse_chunk(ann_dir: str, names: list[str]) -> _ParsedChunk:
    """Read the annotation files of some images."""
    images = []
    problems: list[Problem] = []
    for name in names:
        path = osp.join(ann_dir, f'{name}.xml')
        annotation = read_annotation(path, _OTHER_ID, False, problems)
        if annotation is None or annotation.size is None:
            continue
        boxes = fit_boxes(annotation.boxes, annotation.size, path, problems)
        images.append(_Image(name, annotation.size, boxes))
    return _ParsedChunk(images, problems)


def _find_images(ann_dir: str, subset: str) -> list[str]:
    """Names of all annotated images of a subset: sorted paths without ending."""
    paths = []
    walked = set()
    # Folders of the size of DET are often links to another disk.
    for folder, folders, files in os.walk(osp.join(ann_dir, subset), followlinks=True):
        if osp.realpath(folder) in walked:  # by a link, perhaps to a folder around it
            folders.clear()
            continue
        walked.add(osp.realpath(folder))
        prefix = osp.relpath(folder, ann_dir).replace(os.sep, '/')
        paths += [f'{prefix}/{file}' for file in files if file.endswith('.xml')]
    return [osp.splitext(path)[0] for path in sorted(paths)]
