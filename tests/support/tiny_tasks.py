"""The tiny video set as data of the MOT challenge and of YouTube-VIS."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Callable

from mmtrack.datasets import YouTubeVISDataset

from tests.support.tiny_data import write_tiny_vid


def write_tiny_mot(root: Path, **sizes: int) -> Path:
    """Write ``train/<sequence>/img1`` and annotations as mmtrack's converter does.

    Args:
        root: Folder to write to.
        **sizes: Those of :func:`write_tiny_vid`.

    Returns:
        The root.
    """

    def frame_name(image: dict[str, Any]) -> str:
        video = Path(image['file_name']).parent.name
        return f'{video}/img1/{image["frame_id"] + 1:06d}.jpg'

    def annotation(a: dict[str, Any]) -> dict[str, Any]:
        return dict(a, category_id=1, mot_conf=1.0, visibility=1.0)

    for split in ('train', 'val'):
        _convert(
            root,
            split,
            f'annotations/half-{split}_cocoformat.json',
            'train',
            [dict(id=1, name='pedestrian')],
            frame_name,
            annotation,
            sizes,
        )
    return root


def write_tiny_vis(root: Path, **sizes: int) -> Path:
    """Write frames and annotations with masks of the classes of YouTube-VIS 2019.

    Args:
        root: Folder to write to.
        **sizes: Those of :func:`write_tiny_vid`.

    Returns:
        The root.
    """
    YouTubeVISDataset.set_dataset_classes('2019')
    names = YouTubeVISDataset.METAINFO['CLASSES']

    def annotation(a: dict[str, Any]) -> dict[str, Any]:
        x, y, w, h = a['bbox']
        polygon = [x, y, x + w, y, x + w, y + h, x, y + h]
        return dict(a, segmentation=[polygon])

    for split, name in (('train', 'train'), ('val', 'valid')):
        _convert(
            root,
            split,
            f'annotations/youtube_vis_2019_{name}.json',
            f'{name}/JPEGImages',
            [dict(id=i, name=n) for i, n in enumerate(names, 1)],
            lambda image: image['file_name'],
            annotation,
            sizes,
        )
    return root


def _convert(
    root: Path,
    split: str,
    ann_file: str,
    img_prefix: str,
    categories: list,
    frame_name: Callable[[dict[str, Any]], str],
    annotation: Callable[[dict[str, Any]], dict[str, Any]],
    sizes: dict[str, int],
) -> None:
    source = root / 'vid'
    if not source.exists():
        write_tiny_vid(source, **sizes)
    name = f'annotations/imagenet_vid_{split}.json'
    content = json.loads((source / name).read_text())
    content['categories'] = categories
    for image in content['images']:
        target = root / img_prefix / frame_name(image)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / 'Data/VID' / image['file_name'], target)
        image['file_name'] = frame_name(image)
    content['annotations'] = [annotation(a) for a in content['annotations']]
    (root / ann_file).parent.mkdir(parents=True, exist_ok=True)
    (root / ann_file).write_text(json.dumps(content))
