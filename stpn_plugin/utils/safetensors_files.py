"""Files of weights in the format safetensors, which holds numbers and text alone.

Large sets of weights lie in several such files beside an index.
"""

from __future__ import annotations

import json
import os.path as osp
from typing import Any, BinaryIO, Mapping

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from .files import leads_out, whole_binary
from .json_files import check_regular_file, read_json, write_json

#: Endings of a file of weights, and of the index of several.
SUFFIX, INDEX_SUFFIX = '.safetensors', '.safetensors.index.json'


def write_safetensors(
    file: BinaryIO, weights: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> None:
    """Write weights.

    Args:
        file: File to write to.
        weights: The tensors, by name.
        metadata: Text about them, by name.
    """
    # Copies: the format has no memory that several share, as weights may.
    tensors = {
        name: weight.detach().cpu().contiguous().clone()
        for name, weight in weights.items()
    }
    file.write(save(tensors, dict(metadata)))


def write_safetensors_parts(
    stem: str,
    weights: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    max_bytes: int,
) -> tuple[list[str], str | None]:
    """Write weights as one file or, if they are large, as several with an index.

    Args:
        stem: Path of the files up to what tells them apart.
        weights: The tensors, by name.
        metadata: Text about them, by name.
        max_bytes: Most bytes of the weights of a file that has more than one.

    Returns:
        Names of the files, and that of the index if there are several.
    """
    parts: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, weight in weights.items():
        num_bytes = weight.numel() * weight.element_size()
        if parts[-1] and size + num_bytes > max_bytes:
            parts.append({})
            size = 0
        parts[-1][name] = weight
        size += num_bytes
    folder, base = osp.split(stem)
    count = len(parts)
    names = [f'{base}-{i:05d}-of-{count:05d}{SUFFIX}' for i in range(1, count + 1)]
    if count == 1:
        names = [base + SUFFIX]
    for name, part in zip(names, parts):
        with whole_binary(osp.join(folder, name)) as file:
            write_safetensors(file, part, metadata)
    if count == 1:
        return names, None
    files = {key: name for name, part in zip(names, parts) for key in part}
    write_json(stem + INDEX_SUFFIX, dict(metadata={}, weight_map=files))
    return names, base + INDEX_SUFFIX


def read_safetensors(path: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read weights.

    Args:
        path: The file.

    Returns:
        The tensors and the text about them, by name.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no such file, or damaged.
    """
    check_regular_file(path)
    try:
        with safe_open(path, framework='pt', device='cpu') as file:
            # Not views of the file, which may change.
            weights = {name: file.get_tensor(name).clone() for name in file.keys()}
            return weights, file.metadata() or {}
    except (SafetensorError, AttributeError, RuntimeError) as error:
        raise ValueError(f'{path} cannot be read as weights: {error}') from error


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
        tensors, metadata = read_safetensors(part)
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
