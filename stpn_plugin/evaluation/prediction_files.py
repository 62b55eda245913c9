"""Predictions in a file without a pickle: ``.npz``, which is a zip archive of arrays.

A full validation set has millions of detections. As JSON they would take some 80 bytes
each, minutes to parse and many times the memory; here they take 28, are read as they
lie, and keep every bit. The archive holds

======================== ============================================================
``images``               JSON, as bytes: a list with a dict per image: ``img_id``,
                         ``img_path``, ``ori_shape``, ``video_id``, ``frame_id`` and
                         whatever else of a prediction is plain data
``NAME/count``           how many instances each image has in a group such as
                         ``pred_det_instances``; -1 where it lacks the group
``NAME/field/FIELD``     ``bboxes``, ``scores``, ``labels``, ``instances_id``...: those
                         of all images, one after the other
``NAME/mask_run/FIELD``  masks as lengths of runs, of which the first is False, in the
                         order of memory
``NAME/mask_size/FIELD`` (number of runs, height, width) of each mask
======================== ============================================================

Any other program can read it with ``numpy.load(path, allow_pickle=False)``.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from typing import Any, BinaryIO, Mapping, Sequence

import numpy as np
import torch

_MOST_MASK_PIXELS = 1 << 31  # of an image: what 2 GB hold


def write_predictions(file: BinaryIO, predictions: Sequence[Mapping[str, Any]]) -> None:
    """Write predictions.

    Tuples become lists. Tensors of a group of instances stay tensors, in bfloat16
    they become float32.

    Args:
        file: File to write to.
        predictions: A prediction per image: plain data, and groups of instances, which
            are dicts of tensors or arrays with an entry per instance.

    Raises:
        ValueError: A prediction has something else, or images have different fields
            in a group.
    """
    images: list[dict] = []
    groups: dict[str, list[dict[str, np.ndarray] | None]] = {}
    for index, prediction in enumerate(predictions):
        image = {}
        for key, value in prediction.items():
            fields = _fields(value)
            if fields is None:
                image[key] = value
            else:
                group = groups.setdefault(key, [])
                group.extend([None] * (index - len(group)))
                group.append(fields)
        images.append(image)
    try:
        text = json.dumps(images, default=_plain)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f'predictions cannot be written as .npz: {error}. Write them as .pkl'
        ) from error
    arrays = dict(images=np.frombuffer(text.encode(), np.uint8))
    for name, group in groups.items():
        group.extend([None] * (len(images) - len(group)))
        arrays.update(_joined(name, group))
    np.savez(file, **arrays)


def _fields(value: Any) -> dict[str, np.ndarray] | None:
    """Arrays of a group of instances; None for what is no group."""
    if not isinstance(value, Mapping) or not value:
        return None
    fields = {}
    for name, field in value.items():
        if isinstance(field, torch.Tensor):
            field = field.detach().cpu()
            field = (field.float() if field.dtype == torch.bfloat16 else field).numpy()
        if not isinstance(field, np.ndarray) or field.ndim == 0:
            return None
        if field.dtype.kind not in 'biuf':
            return None
        fields[name] = field
    if len({len(field) for field in fields.values()}) != 1:
        return None
    return fields


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic, torch.Tensor)):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f'they have a {type(value).__name__}')


def _joined(
    name: str, group: Sequence[dict[str, np.ndarray] | None]
) -> dict[str, np.ndarray]:
    """Members of the archive for a group."""
    present = [fields for fields in group if fields is not None]
    names = list(present[0])
    if any(fields.keys() != present[0].keys() for fields in present):
        raise ValueError(
            f'predictions cannot be written as .npz: {name} has not the same fields in '
            'all images. Write them as .pkl'
        )
    counts = [-1 if f is None else len(f[names[0]]) for f in group]
    members = {f'{name}/count': np.array(counts, np.int64)}
    for field in names:
        values = [fields[field] for fields in present]
        if values[0].dtype == bool and values[0].ndim == 3:
            masks = [mask for image in values for mask in image]
            runs = [_run_lengths(mask) for mask in masks]
            sizes = [(len(r), *mask.shape) for r, mask in zip(runs, masks)]
            joined = np.concatenate([*runs, np.zeros(0, np.uint32)])
            members[f'{name}/mask_run/{field}'] = joined.astype(np.uint32)
            members[f'{name}/mask_size/{field}'] = np.array(sizes, np.int64).reshape(
                -1, 3
            )
        else:
            members[f'{name}/field/{field}'] = np.concatenate(values)
    return members


def _run_lengths(mask: np.ndarray) -> np.ndarray:
    flat = mask.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    ends = np.concatenate([[0] if flat[:1].any() else [], changes, [flat.size]])
    return np.diff(ends, prepend=0).astype(np.uint32)


def read_predictions(file: BinaryIO) -> list[dict[str, Any]]:
    """Read predictions.

    Args:
        file: The open file.

    Returns:
        A prediction per image; fields of instances are tensors, which share memory.

    Raises:
        ValueError: The file is not one that :func:`write_predictions` wrote.
    """
    arrays = _read_arrays(file)
    if 'images' not in arrays or arrays['images'].dtype != np.uint8:
        raise ValueError('it has no images')
    try:
        images = json.loads(arrays.pop('images').tobytes())
    except (RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f'its images are no JSON: {error}') from error
    if not isinstance(images, list) or not all(isinstance(i, dict) for i in images):
        raise ValueError('its images are no list of dicts')
    for name in [n[: -len('/count')] for n in arrays if n.endswith('/count')]:
        counts = arrays[f'{name}/count']
        if counts.dtype != np.int64 or counts.shape != (len(images),):
            raise ValueError(f'{name} is not of its {len(images)} images')
        present = np.maximum(counts, 0)
        ends = np.cumsum(present)
        total = int(ends[-1]) if len(ends) else 0
        if total < 0 or present.max(initial=0) > total:
            raise ValueError(f'{name} has no counts')
        fields = _group(arrays, name, total)
        for image, count, end in zip(images, counts.tolist(), ends.tolist()):
            if count >= 0:
                image[name] = {
                    field: value(end - count, end) for field, value in fields.items()
                }
    return images


def _group(arrays: Mapping[str, np.ndarray], name: str, total: int) -> dict[str, Any]:
    """Functions from a range of instances to a tensor, by field."""
    fields: dict[str, Any] = {}
    for member, array in arrays.items():
        prefix, _, field = member.rpartition('/')
        if prefix == f'{name}/field':
            fields[field] = torch.from_numpy(array).__getitem__
        elif prefix == f'{name}/mask_size':
            fields[field] = _Masks(arrays.get(f'{name}/mask_run/{field}'), array)
        else:
            continue
        if array.ndim == 0 or len(array) != total:
            raise ValueError(f'{member} is not of {total} instances')
    return {
        field: value if isinstance(value, _Masks) else _slicer(value)
        for field, value in fields.items()
    }


def _slicer(get: Any) -> Any:
    return lambda start, end: get(slice(start, end))


class _Masks:
    """Makes masks from the lengths of their runs."""

    def __init__(self, runs: np.ndarray | None, sizes: np.ndarray) -> None:
        if runs is None or runs.dtype != np.uint32 or runs.ndim != 1:
            raise ValueError('masks have no runs')
        if sizes.dtype != np.int64 or sizes.ndim != 2 or sizes.shape[1] != 3:
            raise ValueError('masks have no sizes')
        if (sizes < 0).any() or (sizes > 1 << 40).any():
            raise ValueError('masks have no sizes')
        self.runs, self.sizes = runs, sizes
        self.ends = np.cumsum(sizes[:, 0])

    def __call__(self, start: int, end: int) -> torch.Tensor:
        shapes = {tuple(shape) for shape in self.sizes[start:end, 1:].tolist()}
        if len(shapes) > 1:
            raise ValueError('the masks of an image differ in size')
        height, width = shapes.pop() if shapes else (0, 0)
        if (end - start) * height * width > _MOST_MASK_PIXELS:
            raise ValueError('the masks of an image would not fit into memory')
        masks = np.zeros((end - start, height * width), bool)
        for mask, last, size in zip(
            masks, self.ends[start:end], self.sizes[start:end, 0]
        ):
            runs = self.runs[last - size : last]
            if len(runs) != size or int(runs.sum(dtype=np.uint64)) != mask.size:
                raise ValueError('the runs of a mask do not fill it')
            mask[:] = np.repeat(np.arange(size) % 2 == 1, runs)
        return torch.from_numpy(masks.reshape(len(masks), height, width))


def _read_arrays(file: BinaryIO) -> dict[str, np.ndarray]:
    """Arrays of numbers of an archive, none larger than the file."""
    arrays = {}
    length = file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        if any(info.header_offset < 0 for info in infos):
            raise ValueError('its members have no places')
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise ValueError('it is compressed')
        if sum(info.file_size for info in infos) > length:
            raise ValueError('its members overlap')
        for info in infos:
            name = info.filename
            if not name.endswith('.npy') or name[:-4] in arrays:
                raise ValueError(f'it has {name!r:.50} twice, or not as an array')
            arrays[name[:-4]] = _read_array(bytearray(archive.read(info)))
    return arrays


def _read_array(content: bytearray) -> np.ndarray:
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0) or int.from_bytes(content[8:10], 'little') > 1000:
        raise ValueError('it has an array with a header of another kind')
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    start = stream.tell()
    if dtype.kind not in 'biuf' or dtype.hasobject or not dtype.isnative:
        raise ValueError(f'it has an array of {dtype!r:.50}')
    if any(size < 0 for size in shape) or len(shape) > 32:
        raise ValueError(f'it has an array of shape {shape!r:.50}')
    if math.prod(shape) * dtype.itemsize != len(content) - start:
        raise ValueError(f'an array of shape {shape!r:.50} does not have its bytes')
    flat = np.frombuffer(content, dtype, offset=start)
    return flat.reshape(shape, order='F' if fortran else 'C')
