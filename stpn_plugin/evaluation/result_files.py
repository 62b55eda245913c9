"""Files of detection results: submissions, COCO JSON, and dumped predictions."""

from __future__ import annotations

import json
import os
from typing import Any, BinaryIO, Iterator, Sequence

import numpy as np

from ..utils.files import whole_text
from ..utils.inert_pickle import read_pickle
from ..utils.stand_ins import StandInDecoder
from ..utils.torch_files import mapped, nested_storage
from .prediction_files import read_predictions


def write_vid_submission(
    path: str, dets: Sequence[dict], class_ids: Sequence[int]
) -> None:
    """Write detections as ILSVRC's video detection challenge takes them.

    One line a detection: ``<frame index> <class id> <confidence> <xmin> <ymin>
    <xmax> <ymax>``.

    Args:
        path: Path of the text file.
        dets: Detections of every frame in the order of the challenge's list, which
            gives the frames their indices, from 1: ``bboxes`` (n, 4) as ``x1, y1, x2,
            y2``, ``labels`` (n, ) and ``scores`` (n, ).
        class_ids: Class id of every label.
    """
    with whole_text(path) as file:
        for index, det in enumerate(dets, start=1):
            file.writelines(
                f'{index} {class_ids[label]} {score:.6f} '
                f'{x1:.2f} {y1:.2f} {x2:.2f} {y2:.2f}\n'
                for (x1, y1, x2, y2), label, score in _rows(det)
            )


def write_coco_json(
    path: str,
    dets: Sequence[dict],
    image_ids: Sequence[int],
    category_ids: Sequence[int],
) -> None:
    """Write detections as a COCO results file.

    Args:
        path: Path of the JSON file.
        dets: Detections of every image, see :func:`write_vid_submission`.
        image_ids: Id of every image.
        category_ids: Category id of every label.
    """
    separator = '['
    # Image by image: a full validation set has millions of detections.
    with whole_text(path) as file:
        for image_id, det in zip(image_ids, dets):
            for (x1, y1, x2, y2), label, score in _rows(det):
                entry = dict(
                    image_id=image_id,
                    category_id=category_ids[label],
                    bbox=[x1, y1, x2 - x1, y2 - y1],
                    score=score,
                )
                file.write(separator + json.dumps(entry))
                separator = ',\n'
        file.write('[]\n' if separator == '[' else ']\n')


def load_results(path: str) -> list[dict]:
    """Read predictions of ``tools/test.py --out`` or mmengine's ``DumpResults``.

    Nothing in the file is run: a ``.npz`` file holds numbers and text, and of a pickle
    only what predictions consist of is rebuilt, see :mod:`stpn_plugin.utils.stand_ins`.
    Data elements and boxes of OpenMMLab become dicts and tensors.

    Args:
        path: Path of the file. What it holds is told by its content.

    Returns:
        A prediction per image.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is truncated, holds something else than
            predictions or anything that is not let through.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'results file {path} does not exist')
    with open(path, 'rb') as file:
        try:
            is_archive = file.read(2) == b'PK'
            results = read_predictions(file) if is_archive else _read_pickle(file)
        except OSError:
            raise
        # zipfile raises nearly anything, and neither numpy nor JSON say what.
        except Exception as error:
            raise ValueError(
                f'cannot read predictions from {path}: {error}. It should be a file '
                'that tools/test.py --out wrote'
            ) from error
    if not isinstance(results, list) or not all(isinstance(r, dict) for r in results):
        raise ValueError(
            f'{path} is not a list of predictions, as tools/test.py --out writes it'
        )
    return results


def check_results(results: Sequence[dict], path: str) -> None:
    """Raise a ValueError unless predictions of a file can be evaluated.

    Args:
        results: What :func:`load_results` read.
        path: The file.
    """
    if not results:
        raise ValueError(f'{path} holds no predictions')
    for index, result in enumerate(results):
        name = f'{path}: prediction {index}'
        if not any(str(key).startswith('pred_') for key in result):
            raise ValueError(f'{name} has no pred_det_instances')
        if 'img_id' not in result:
            raise ValueError(f'{name} has no img_id')
        _check_detections(result.get('pred_det_instances'), name)


def _check_detections(found: Any, name: str) -> None:
    """Raise a ValueError unless boxes, labels and scores, if any, go together."""
    if (
        not isinstance(found, dict)
        or not {'bboxes', 'labels', 'scores'} <= found.keys()
    ):
        return  # metrics say what they need
    shapes = [
        tuple(getattr(found[key], 'shape', ()))
        for key in ('bboxes', 'labels', 'scores')
    ]
    boxes = shapes[0]
    if len(boxes) != 2 or boxes[1] != 4 or shapes[1:] != [boxes[:1]] * 2:
        raise ValueError(
            f'{name} has boxes of shape {boxes}, labels of {shapes[1]} and scores of '
            f'{shapes[2]}; they should be (n, 4), (n,) and (n,)'
        )


def _read_pickle(file: BinaryIO) -> Any:
    with mapped(file) as content:
        root, _ = read_pickle(content)
        decoder = StandInDecoder(len(content), load_nested=nested_storage)
    if not isinstance(root, list):
        return root if isinstance(root, dict) else decoder.decode(root)
    # One by one, each freed when it is done: stand-ins are larger than what they
    # stand for.
    for index, item in enumerate(root):
        root[index] = decoder.decode(item)
        decoder.forget()
    return root


def _rows(det: dict) -> Iterator[tuple]:
    """Box, label and score of every detection of an image, as Python numbers."""
    return zip(*(np.asarray(det[k]).tolist() for k in ('bboxes', 'labels', 'scores')))
