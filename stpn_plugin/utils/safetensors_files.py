"""Files of weights in the format safetensors, which holds numbers and text alone.

A file is the length of its header (8 bytes), the header (JSON: type, shape and place of
each tensor, and text about them), and the tensors one after the other. Large sets of
weights lie in several such files beside an index.
"""

from __future__ import annotations

import io
import json
import math
import os.path as osp
from typing import Any, BinaryIO, Mapping

import torch
from torch import Tensor

from .files import leads_out
from .json_files import read_json

#: Endings of a file of weights, and of the index of several.
SUFFIX, INDEX_SUFFIX = '.safetensors', '.safetensors.index.json'

_DTYPES = {
    'F64': torch.float64,
    'F32': torch.float32,
    'F16': torch.float16,
    'BF16': torch.bfloat16,
    'I64': torch.int64,
    'I32': torch.int32,
    'I16': torch.int16,
    'I8': torch.int8,
    'U8': torch.uint8,
    'BOOL': torch.bool,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_METADATA = '__metadata__'


def write_safetensors(
    file: BinaryIO, weights: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> None:
    """Write weights.

    Args:
        file: File to write to.
        weights: The tensors, by name.
        metadata: Text about them, by name.
    """
    header: dict[str, Any] = {_METADATA: dict(metadata)}
    end = 0
    for name, weight in weights.items():
        begin, end = end, end + weight.numel() * weight.element_size()
        header[name] = dict(
            dtype=_NAMES[weight.dtype],
            shape=list(weight.shape),
            data_offsets=[begin, end],
        )
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)  # so that the tensors are aligned
    file.write(len(text).to_bytes(8, 'little') + text)
    for weight in weights.values():
        flat = weight.detach().cpu().reshape(-1).contiguous()
        file.write(flat.view(torch.uint8).numpy().tobytes())


def read_safetensors(file: BinaryIO) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read weights, and believe nothing that the file does not hold.

    Args:
        file: The open file.

    Returns:
        The tensors and the text about them, by name.

    Raises:
        ValueError: It is no such file, or damaged.
    """
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    start = 8 + int.from_bytes(file.read(8), 'little')
    if not 8 < start <= length:
        raise ValueError('it is cut short, or no safetensors file')
    try:
        header = json.loads(file.read(start - 8))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'its header is no JSON: {error}') from error
    if not isinstance(header, dict):
        raise ValueError('its header is no JSON object')
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(
        isinstance(value, str) for value in metadata.values()
    ):
        raise ValueError('its metadata is no text')
    weights = {}
    read = 0
    places = {name: _place(name, entry) for name, entry in header.items()}
    for name, (dtype, shape, begin, end) in sorted(
        places.items(), key=lambda item: item[1][2:]
    ):
        if begin != read or end > length - start:
            raise ValueError(f'{name} overlaps another, or lies beyond the end')
        file.seek(start + begin)
        content = bytearray(file.read(end - begin))
        flat = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0)
        weights[name] = flat.to(dtype).reshape(shape)
        read = end
    return {name: weights[name] for name in header}, metadata


def _place(name: str, entry: Any) -> tuple[torch.dtype, list[int], int, int]:
    """Type and shape of a tensor, and where it begins and ends."""
    entry = entry if isinstance(entry, dict) else {}
    dtype = _DTYPES.get(str(entry.get('dtype')))
    shape, offsets = entry.get('shape'), entry.get('data_offsets')
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or not all(
            type(number) is int and 0 <= number < 1 << 48 for number in numbers
        ):
            raise ValueError(f'{name} has no shape or no place')
    if dtype is None or len(offsets) != 2 or len(shape) > 32:
        raise ValueError(f'{name} is of an unknown type, or has no place')
    size = math.prod(shape) * torch.empty(0, dtype=dtype).element_size()
    if offsets[1] - offsets[0] != size:
        raise ValueError(f'{name} has not the bytes of its shape')
    return dtype, shape, offsets[0], offsets[1]


def is_safetensors(path: str) -> bool:
    """Whether a name is that of a safetensors file, or of the index of several."""
    return path.endswith((SUFFIX, INDEX_SUFFIX))


def read_safetensors_checkpoint(path: str) -> dict[str, Any]:
    """Read a safetensors file, or all those of an index, as a checkpoint.

    Args:
        path: The file.

    Returns:
        ``state_dict``, and ``meta`` with the names of the classes if the file knows
        them.

    Raises:
        OSError: A file cannot be read.
        ValueError: A file is damaged.
    """
    weights: dict[str, Tensor] = {}
    metadata: dict[str, str] = {}
    for part in _parts(path):
        with open(part, 'rb') as file:
            try:
                tensors, metadata = read_safetensors(file)
            except ValueError as error:
                raise ValueError(
                    f'{part} cannot be read as weights: {error}'
                ) from error
        weights.update(tensors)
    meta: dict[str, Any] = {}
    try:
        classes = json.loads(metadata.get('classes', 'null'))
    except (ValueError, RecursionError):
        classes = None
    if isinstance(classes, list) and all(isinstance(name, str) for name in classes):
        names = tuple(classes)
        meta['dataset_meta'] = dict(CLASSES=names, classes=names)
    return dict(state_dict=weights, meta=meta)


def _parts(path: str) -> list[str]:
    """The files of an index, or the one file."""
    if not path.endswith(INDEX_SUFFIX):
        return [path]
    index = read_json(path)
    names = index.get('weight_map') if isinstance(index, dict) else None
    if not isinstance(names, dict) or not all(
        isinstance(name, str) and name.endswith(SUFFIX) and not leads_out(name)
        for name in names.values()
    ):
        raise ValueError(f'{path} is no index of safetensors files beside it')
    return [osp.join(osp.dirname(path), name) for name in sorted(set(names.values()))]
