"""Files of detection results: submissions, COCO JSON, and dumped predictions."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
from typing import Any, Iterator, Sequence, TextIO

import numpy as np
import torch


def write_vid_submission(
    path: str, dets: Sequence[dict], class_ids: Sequence[int]
) -> None:
    """Write detections as ILSVRC's video detection challenge takes them.

    One line a detection: ``<frame index> <class id> <confidence> <xmin> <ymin>
    <xmax> <ymax>``.

    Args:
        path (str): Path of the text file.
        dets (Sequence[dict]): Detections of every frame in the order of the
            challenge's list, which gives the frames their indices, from 1:
            ``bboxes`` (n, 4) as ``x1, y1, x2, y2``, ``labels`` (n, ) and
            ``scores`` (n, ).
        class_ids (Sequence[int]): Class id of every label.
    """
    with _replaced(path) as file:
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
        path (str): Path of the JSON file.
        dets (Sequence[dict]): Detections of every image, see
            :func:`write_vid_submission`.
        image_ids (Sequence[int]): Id of every image.
        category_ids (Sequence[int]): Category id of every label.
    """
    separator = '['
    # Image by image: a full validation set has millions of detections.
    with _replaced(path) as file:
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
    """Read predictions that mmengine's ``DumpResults`` wrote.

    The file is a pickle, which may run code when it is read. So only what
    predictions consist of (containers, numbers, arrays, tensors, and the data
    elements of OpenMMLab) is let through.

    Args:
        path (str): Path of the file, as given to ``tools/test.py --out``.

    Returns:
        list[dict]: A prediction per image.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is truncated, holds something else than
            predictions or anything that is not let through.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'results file {path} does not exist')
    try:
        with open(path, 'rb') as file:
            results = _ResultsUnpickler(file).load()
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError) as error:
        raise ValueError(
            f'cannot read predictions from {path}: {error}. It should be a file that '
            'tools/test.py --out wrote'
        ) from error
    if not isinstance(results, list) or not all(isinstance(r, dict) for r in results):
        raise ValueError(
            f'{path} is not a list of predictions, as tools/test.py --out writes it'
        )
    return results


class _ResultsUnpickler(pickle.Unpickler):
    """Unpickler that refuses what has no place in predictions."""

    _ALLOWED = {
        ('__builtin__', 'bytes'),
        ('__builtin__', 'set'),
        ('_codecs', 'encode'),  # bytes in the pickle protocol that mmengine uses
        ('builtins', 'set'),
        ('collections', 'OrderedDict'),
        ('mmengine.structures.base_data_element', 'BaseDataElement'),
        ('mmengine.structures.instance_data', 'InstanceData'),
        ('mmdet.structures.bbox.horizontal_boxes', 'HorizontalBoxes'),
        ('mmtrack.structures.track_data_sample', 'TrackDataSample'),
        ('numpy', 'dtype'),
        ('numpy', 'ndarray'),
        ('numpy._core.multiarray', '_reconstruct'),
        ('numpy._core.multiarray', 'scalar'),
        ('numpy._core.numeric', '_frombuffer'),
        ('numpy.core.multiarray', '_reconstruct'),
        ('numpy.core.multiarray', 'scalar'),
        ('numpy.core.numeric', '_frombuffer'),
        ('torch', 'Size'),
        ('torch', 'device'),
        ('torch._utils', '_rebuild_tensor_v2'),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ('torch.storage', '_load_from_bytes'):
            return _load_storage
        if module == 'torch' and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f'{module}.{name} is not allowed in it')
        if module.startswith('numpy._core') and not hasattr(np, '_core'):
            module = module.replace('numpy._core', 'numpy.core')  # numpy 1.x
        return super().find_class(module, name)


def _load_storage(content: bytes) -> Any:
    """Read a tensor's storage, which is a pickle of its own."""
    return torch.load(io.BytesIO(content), weights_only=True)


def _rows(det: dict) -> Iterator[tuple]:
    """Box, label and score of every detection of an image, as Python numbers."""
    return zip(*(np.asarray(det[k]).tolist() for k in ('bboxes', 'labels', 'scores')))


@contextlib.contextmanager
def _replaced(path: str) -> Iterator[TextIO]:
    """Open a text file that gets its name when it is complete."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    temporary = f'{path}.tmp'
    try:
        with open(temporary, 'w') as file:
            yield file
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
