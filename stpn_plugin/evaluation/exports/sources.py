"""What was found in videos, out of the files that commands write."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np
from mmengine.config import Config
from pycocotools import mask as coco_mask

from ...builders import dataset_meta, entry
from ...datasets.converters import Clip, LabelledImage, LabelledObject, Source
from ...datasets.converters.readers.text import Fields
from ...utils import classes_in, read_json
from ..result_files import load_results


def load_found(path: str, cfg: Config | None = None, score_thr: float = 0.0) -> Source:
    """Read what was found in videos.

    Args:
        path: File of ``stpn test --out`` (.npz or .pkl), or of ``stpn demo --out-json``
            (.json).
        cfg: Config of the test run, whose test dataset names videos, frames and
            classes; a JSON file has all that in it.
        score_thr: Lowest score.

    Returns:
        The videos, of which each object has a score, and the classes. Videos of which
        the results have no frame are left out.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file is malformed, they do not fit together, or there is no
            config.
    """
    if path.endswith('.json'):
        content = read_json(path)
        classes, found = _of_json(path, content)
    else:
        if cfg is None:
            raise ValueError(
                f'{path} has neither names of videos nor of classes: give the config '
                'of the test run'
            )
        predictions = load_results(path)
        classes = list(classes_in(dataset_meta(cfg)) or ())
        found = _of_predictions(path, predictions, classes)
        path = _annotation_file(cfg)
        content = read_json(path)
    clips = _clips(path, content, found, score_thr)
    if not clips:
        raise ValueError(f'the results are of no image in {path}')
    return Source(clips, classes)


def _annotation_file(cfg: Config) -> str:
    """The annotation file of the test dataset, below its root."""
    dataset = entry(cfg, 'test_dataloader.dataset')
    name = entry(cfg, 'test_dataloader.dataset.ann_file')
    root = dataset.get('data_root') or ''
    return name if name.startswith('/') or not root else f'{root.rstrip("/")}/{name}'


def _clips(
    path: str,
    content: Any,
    found: Mapping[Any, Sequence[LabelledObject]],
    score_thr: float,
) -> list[Clip]:
    """The videos of a CocoVID file, with what was found by image id.

    Images without a video are one each.
    """
    fields = Fields(path, 'the file', content)
    names = {}
    for i, video in enumerate(fields.get('videos', list, [])):
        one = Fields(path, f'videos[{i}]', video)
        names[one.get('id', (int, str))] = one.get('name', str)
    frames: dict[Any, list[tuple[float, LabelledImage]]] = {}
    present = set()
    for i, item in enumerate(fields.get('images', list)):
        image = Fields(path, f'images[{i}]', item)
        number = image.get('id', (int, str))
        key = (image.get('video_id', (int, str), None), None)
        if key[0] is None:
            key = (None, number)
        if number in found:
            present.add(key)
        objects = [item for item in found.get(number, ()) if _sure(item, score_thr)]
        labelled = LabelledImage(
            image.get('file_name', str),
            round(image.number('width')),
            round(image.number('height')),
            objects,
        )
        order = image.get('frame_id', int, 0)
        frames.setdefault(key, []).append((order, labelled))
    clips = []
    for key, images in frames.items():
        if key in present:
            images.sort(key=lambda pair: pair[0])
            ordered = [image for _, image in images]
            name = names.get(key[0], str(key[0]))
            is_video = key[0] is not None
            clips.append(Clip(name if is_video else ordered[0].file_name, ordered))
            clips[-1] = clips[-1]._replace(is_video=is_video)
    return clips


def _sure(item: LabelledObject, score_thr: float) -> bool:
    return item.score is None or item.score >= score_thr


def _of_json(
    path: str, content: Any
) -> tuple[list[str], dict[Any, list[LabelledObject]]]:
    """Classes, and objects by image, of COCO-style JSON."""
    fields = Fields(path, 'the file', content)
    categories = {}
    for i, item in enumerate(fields.get('categories', list)):
        category = Fields(path, f'categories[{i}]', item)
        categories[category.get('id', (int, str))] = category.get('name', str)
    found: dict[Any, list[LabelledObject]] = {}
    for i, item in enumerate(fields.get('images', list)):
        found[Fields(path, f'images[{i}]', item).get('id', (int, str))] = []
    for i, item in enumerate(fields.get('annotations', list)):
        one = Fields(path, f'annotations[{i}]', item)
        name = categories.get(one.get('category_id', (int, str)))
        image = one.get('image_id', (int, str))
        if name is None or image not in found:
            raise ValueError(
                f'{path}: annotations[{i}] is of an image or category that the file '
                'does not have'
            )
        found[image].append(
            LabelledObject(
                name,
                one.box('bbox'),
                one.get('instance_id', (int, str), None),
                one.get('segmentation', (list, dict), None),
                score=one.number('score') if 'score' in item else None,
            )
        )
    return list(categories.values()), found


def _of_predictions(
    path: str, predictions: Sequence[dict], classes: Sequence[str]
) -> dict[Any, list[LabelledObject]]:
    """Objects by image of saved predictions."""
    found: dict[Any, list[LabelledObject]] = {}
    for number, prediction in enumerate(predictions):
        group: Any = prediction.get('pred_track_instances') or {}
        if 'instances_id' not in group:
            group = prediction.get('pred_det_instances')
        try:
            boxes = np.asarray(group['bboxes'], float).reshape(-1, 4)
            labels = np.asarray(group['labels']).tolist()
            scores = np.asarray(group['scores'], float).tolist()
            tracks: list[Any] = [None] * len(labels)
            if 'instances_id' in group:
                tracks = np.asarray(group['instances_id']).tolist()
            masks: list[Any] = [None] * len(labels)
            if 'masks' in group:
                masks = [_rle(mask) for mask in np.asarray(group['masks'], np.uint8)]
            found[prediction['img_id']] = [
                LabelledObject(
                    classes[label],
                    (x1, y1, x2 - x1, y2 - y1),
                    track,
                    mask,
                    score=score,
                )
                for (x1, y1, x2, y2), label, score, track, mask in zip(
                    boxes.tolist(), labels, scores, tracks, masks
                )
            ]
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ValueError(
                f'prediction {number} in {path} is none of objects of these '
                f'{len(classes)} classes: {error!r}'
            ) from error
    return found


def _rle(mask: np.ndarray) -> dict[str, Any]:
    encoded = coco_mask.encode(np.asfortranarray(mask))
    return dict(size=list(encoded['size']), counts=encoded['counts'].decode())
