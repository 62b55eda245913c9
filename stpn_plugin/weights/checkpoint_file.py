"""Reading checkpoints of any origin, and writing clean ones."""

from __future__ import annotations

import hashlib
import io
import os.path as osp
from typing import Any, Mapping, NamedTuple

import torch
from torch import Tensor

from ..utils.files import WholeFile, named_write_errors, refuse_overwriting_input
from ..utils.inert_pickle import PickleError
from ..utils.safetensors_files import is_safetensors, read_safetensors_checkpoint
from ..utils.torch_files import read_torch_file

# Where trainers put weights, the better ones first: timm and others keep averaged
# weights apart. mmengine's `state_dict` is averaged already if its EMA was on, and its
# `ema_state_dict` then has those that are not.
_WEIGHT_ENTRIES = ('state_dict_ema', 'model_ema', 'state_dict', 'model')


class Checkpoint(NamedTuple):
    """What is of use in a checkpoint.

    Attributes:
        weights: The state dict.
        meta: Plain data of ``meta``.
        dropped: Names of everything else.
    """

    weights: dict[str, Tensor]
    meta: dict[str, Any]
    dropped: list[str]


def read_checkpoint(filename: str) -> Checkpoint:
    """Read a checkpoint without running anything that it may bring along.

    Args:
        filename: A file that ``torch.save`` wrote, in the zip or the legacy
            format: a state dict, or a dict with one; or a safetensors file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no checkpoint, or has no weights.
    """
    if not osp.isfile(filename):
        raise FileNotFoundError(f'checkpoint {filename} does not exist')
    if is_safetensors(filename):
        content = read_safetensors_checkpoint(filename)
        return Checkpoint(content['state_dict'], content['meta'], [])
    with open(filename, 'rb') as file:
        try:
            content = read_torch_file(file, keep_foreign=True)
        except PickleError as error:
            raise ValueError(
                f'{filename} cannot be read as a checkpoint: {error}'
            ) from error
    if not isinstance(content, Mapping):
        raise ValueError(
            f'{filename} holds no dict but a {type(content).__name__}; a state dict '
            'or a checkpoint with one is needed'
        )
    entry = next(
        (k for k in _WEIGHT_ENTRIES if isinstance(content.get(k), Mapping)), ''
    )
    source = content[entry] if entry else content
    weights = {
        k: v for k, v in source.items() if isinstance(v, Tensor) and isinstance(k, str)
    }
    if not weights:
        raise ValueError(
            f'{filename} has no weights: no tensors at its top level or under '
            f'{", ".join(_WEIGHT_ENTRIES)}'
        )
    dropped = [str(k) for k in content if k not in (entry, 'meta')] if entry else []
    dropped += [f'{entry}.{k}'.lstrip('.') for k in source if k not in weights]
    meta = plain(content.get('meta')) if entry else None
    return Checkpoint(weights, meta if isinstance(meta, dict) else {}, dropped)


def plain(value: Any) -> Any:
    """Keep what is plain data: numbers, text, None, and containers of such.

    Args:
        value: Anything; containers are searched through.

    Returns:
        A copy without anything else; None for what is no plain data itself.
    """
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items() if _is_plain(k) and _is_plain(v)}
    if isinstance(value, (list, tuple)):
        items = [plain(v) for v in value if _is_plain(v)]
        return items if isinstance(value, list) else tuple(items)
    return value if _is_plain(value) else None


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (int, float, str, list, tuple, Mapping))


def write_checkpoint(
    filename: str,
    weights: Mapping[str, Tensor],
    meta: dict[str, Any],
    hash_suffix: bool = False,
    source: str | None = None,
) -> str:
    """Write weights, whole or not at all.

    Args:
        filename: Path of the file.
        weights: The state dict.
        meta: Plain data that describes it.
        hash_suffix: Append the first 8 digits of the file's SHA-256 to its
            stem, as OpenMMLab's model zoos do.
        source: The file that the weights come from, which must not be written over.

    Returns:
        Path of the written file.

    Raises:
        OSError: The file cannot be written.
        ValueError: It is the source.
    """
    # Clones: a view would bring the whole storage that it is a part of.
    state_dict = {k: v.detach().clone().contiguous() for k, v in weights.items()}
    # In memory first: if the disk is full, torch has other errors than the system's.
    content = io.BytesIO()
    torch.save(dict(meta=meta, state_dict=state_dict), content)
    file = WholeFile(filename)
    try:
        with named_write_errors(filename), open(file.temporary, 'wb') as handle:
            handle.write(content.getbuffer())
        if hash_suffix:
            stem, extension = osp.splitext(filename)
            digest = hashlib.sha256(content.getbuffer()).hexdigest()
            filename = f'{stem}-{digest[:8]}{extension or ".pth"}'
        if source is not None:
            refuse_overwriting_input(source, filename)
    except BaseException:
        file.discard()
        raise
    file.keep(filename)
    return filename
