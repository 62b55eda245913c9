"""A video set in the layout of ILSVRC, small enough for tests of whole tools."""

from __future__ import annotations

import json
from pathlib import Path

import mmcv
import numpy as np
from mmtrack.datasets import ImagenetVIDDataset

HEIGHT, WIDTH = 64, 96
NUM_VAL_FRAMES = 4 + 5  # of the two val videos, unless other lengths are asked for
CLASSES = ImagenetVIDDataset.METAINFO['CLASSES']


def write_tiny_vid(
    root: Path,
    num_train_videos: int = 2,
    num_val_videos: int = 2,
    num_frames: int = 4,
    num_stills: int = 2,
) -> Path:
    """Write images and CocoVID files as stock ImageNet VID configs expect them.

    Each video shows one bright square that moves over a dark background; its class is
    the number of the video. Val videos differ in length.

    Args:
        root: Folder to write to: ``Data/{VID,DET}`` and ``annotations``.
        num_train_videos: Number of training videos.
        num_val_videos: Number of validation videos.
        num_frames: Frames of a training video and of the first val video; each
            further val video has one more.
        num_stills: Number of DET images.

    Returns:
        The root.
    """
    _write_videos(root, 'train', [num_frames] * num_train_videos)
    _write_videos(root, 'val', [num_frames + i for i in range(num_val_videos)])
    _write_stills(root, num_stills)
    return root


def _write_videos(root: Path, split: str, lengths: list[int]) -> None:
    content = _content(num_classes=30)
    content['videos'] = []
    for video_id, length in enumerate(lengths, 1):
        name = f'{split}/ILSVRC2015_{split}_{video_id - 1:08d}'
        frames = list(range(length)) if split == 'train' else []
        content['videos'].append(dict(id=video_id, name=name, vid_train_frames=frames))
        for frame_id in range(length):
            image = _add_image(
                content,
                root / 'Data/VID',
                file_name=f'{name}/{frame_id:06d}.JPEG',
                seed=video_id,
                shift=4 * frame_id,
                is_vid_train_frame=split == 'train',
            )
            image.update(video_id=video_id, frame_id=frame_id)
            content['annotations'][-1].update(
                video_id=video_id, instance_id=video_id, category_id=video_id
            )
    _write_json(root / f'annotations/imagenet_vid_{split}.json', content)


def _write_stills(root: Path, number: int) -> None:
    content = _content(num_classes=31)
    for i in range(number):
        _add_image(
            content,
            root / 'Data/DET',
            file_name=f'train/ILSVRC2013_train/n0/{i}.JPEG',
            seed=i,
            shift=0,
            is_vid_train_frame=True,
        )
    _write_json(root / 'annotations/imagenet_det_30plus1cls.json', content)


def _content(num_classes: int) -> dict[str, list]:
    names = (*CLASSES, 'other_categories')[:num_classes]
    categories = [dict(id=i, name=name) for i, name in enumerate(names, 1)]
    return dict(categories=categories, images=[], annotations=[])


def _add_image(
    content: dict[str, list],
    folder: Path,
    file_name: str,
    seed: int,
    shift: int,
    is_vid_train_frame: bool,
) -> dict:
    pixels, box = _draw(seed, shift)
    mmcv.imwrite(pixels, str(folder / file_name))
    image_id = len(content['images']) + 1
    image = dict(
        id=image_id,
        file_name=file_name,
        height=HEIGHT,
        width=WIDTH,
        is_vid_train_frame=is_vid_train_frame,
    )
    annotation = dict(
        id=image_id,
        image_id=image_id,
        category_id=1,
        bbox=box,
        area=box[2] * box[3],
        iscrowd=False,
        occluded=0,
        generated=0,
    )
    content['images'].append(image)
    content['annotations'].append(annotation)
    return image


def _draw(seed: int, shift: int) -> tuple[np.ndarray, list[int]]:
    """An image and its box (x, y, width, height)."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 60, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    x, y, size = 8 + shift, 16, 32
    pixels[y : y + size, x : x + size] = rng.integers(120, 255, 3, dtype=np.uint8)
    return pixels, [x, y, size, size]


def _write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
