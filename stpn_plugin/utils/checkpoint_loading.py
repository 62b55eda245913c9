"""Loading checkpoints, from wherever mmengine takes them, without running them.

mmengine calls ``torch.load`` and leaves it to torch whether the file may run code: it
may before torch 2.6, and with every torch if it comes from a URL.
:func:`load_checkpoint_file` never lets it, and :func:`serve_mmengine` brings mmengine's
own loading to it: that of the Runner, of ``init_cfg``, and of every backbone.
"""

from __future__ import annotations

import os
import os.path as osp
import re
import tempfile
import zipfile
import zlib
from typing import Any, BinaryIO, Callable, Mapping
from urllib.parse import urlparse

import torch
import torch.distributed as torch_dist
from mmengine.dist import get_dist_info
from mmengine.fileio import get_file_backend
from mmengine.runner import (
    CheckpointLoader,
    get_deprecated_model_names,
    get_external_models,
    get_mmcls_models,
    get_torchvision_models,
)
from mmengine.runner.checkpoint import _get_mmengine_home, _process_mmcls_checkpoint
from mmengine.utils import digit_version

from .safetensors_files import is_safetensors, read_safetensors_checkpoint
from .torch_files import read_torch_file

# From 2.6 on `weights_only` holds what it promises (CVE-2025-32434), and takes the
# pairs of a function and a name that `compat.trust_mmengine_checkpoints` declares.
TORCH_LOADS_SAFELY = digit_version(torch.__version__) >= digit_version('2.6')


def load_checkpoint_file(
    file: str | os.PathLike[str] | BinaryIO, map_location: Any = None
) -> Any:
    """Load a checkpoint, and refuse one that holds more than data.

    That is tensors, plain data, arrays of numbers, and mmengine's histories of logged
    values. What others have declared by ``torch.serialization.add_safe_globals`` is
    accepted too, where torch is new enough to know it.

    Args:
        file: Path of a file of ``torch.save``, or the open file; or path of a
            safetensors file or of the index of several, which are read to the CPU.
        map_location: As for ``torch.load``. Before torch 2.6 a device; anything else
            means the CPU.

    Returns:
        What was saved.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no checkpoint, or holds what is refused.
    """
    if isinstance(file, (str, os.PathLike)):
        path = osp.expanduser(os.fspath(file))
        if not osp.isfile(path):
            raise FileNotFoundError(f'checkpoint {path} does not exist')
        if is_safetensors(path):
            return read_safetensors_checkpoint(path)
        with open(path, 'rb') as opened:
            return _load(opened, path, map_location)
    return _load(file, str(getattr(file, 'name', 'the file')), map_location)


def check_whole(path: str) -> None:
    """Compare a checkpoint with the checksums (CRC-32) that ``torch.save`` put into it.

    Args:
        path: Path of the file. The legacy format has no checksums.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not as it was written.
    """
    if osp.getsize(path) == 0:
        raise ValueError(f'{path} is empty')
    with open(path, 'rb') as file:
        if file.read(2) != b'PK':
            return
        try:
            with zipfile.ZipFile(file) as archive:
                broken = archive.testzip()
        except zipfile.BadZipFile as error:
            raise ValueError(f'{path} is cut short: {error}') from error
        except (NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
            raise ValueError(f'{path} is damaged: {error}') from error
    if broken is not None:
        raise ValueError(
            f'{path} is damaged: {broken} in it does not have its checksum'
        )


def _load(file: BinaryIO, name: str, map_location: Any) -> Any:
    try:
        if TORCH_LOADS_SAFELY:
            return torch.load(file, map_location=map_location, weights_only=True)
        is_device = isinstance(map_location, (str, torch.device))
        return read_torch_file(file, device=map_location if is_device else 'cpu')
    except OSError:
        raise
    # Garbage makes torch raise nearly anything.
    except Exception as error:
        # torch's message is mostly advice on how to trust the file.
        found = re.search(
            r'WeightsUnpickler error:\s*(.+?)(?:[.] Please|\n|$)', str(error)
        )
        reason = found[1] if found else error
        raise ValueError(
            f'{name} cannot be read as a checkpoint of weights and plain data: '
            f'{reason}. What other code saved beside its weights can be stripped by '
            'tools/model_converters/convert_checkpoint.py'
        ) from error


def serve_mmengine() -> None:
    """Replace mmengine's loaders of every scheme by ones that run nothing.

    Schemes that others have registered stay as they are.
    """
    loaders: dict[Callable, tuple[str, ...]] = {
        load_from_local: ('',),
        load_from_http: ('http://', 'https://'),
        load_from_torchvision: ('modelzoo://', 'torchvision://'),
        load_from_openmmlab: ('open-mmlab://', 'openmmlab://'),
        load_from_mmcls: ('mmcls://',),
        load_from_ceph: (r'(\S+\:)?s3://', r'(\S+\:)?petrel://'),
        load_from_pavi: ('pavi://',),
    }
    for loader, prefixes in loaders.items():
        stock = [
            prefix
            for prefix in prefixes
            if CheckpointLoader._schemes[prefix].__module__ == _STOCK
        ]
        CheckpointLoader.register_scheme(stock, loader, force=True)


_STOCK = 'mmengine.runner.checkpoint'


# The names are mmengine's: it logs what follows `load_from_`.
def load_from_local(filename: str, map_location: Any = None) -> Any:
    """Load a file of this machine."""
    return load_checkpoint_file(filename, map_location)


def load_from_http(filename: str, map_location: Any = None) -> Any:
    """Load a URL, by way of the folder where torch keeps downloads."""
    folder = osp.join(torch.hub.get_dir(), 'checkpoints')
    os.makedirs(folder, exist_ok=True)
    path = osp.join(folder, osp.basename(urlparse(filename).path))
    rank, world_size = get_dist_info()
    if rank == 0 and not osp.exists(path):
        torch.hub.download_url_to_file(filename, path, progress=os.isatty(0))
    if world_size > 1:
        torch_dist.barrier()
        if not osp.exists(path):  # another machine
            torch.hub.download_url_to_file(filename, path, progress=False)
    return load_checkpoint_file(path, map_location)


def load_from_torchvision(filename: str, map_location: Any = None) -> Any:
    """Load a model of torchvision by its name."""
    return load_from_http(_known(get_torchvision_models(), filename), map_location)


def load_from_openmmlab(filename: str, map_location: Any = None) -> Any:
    """Load a model of OpenMMLab by its name."""
    location = _known(get_external_models(), filename, get_deprecated_model_names())
    if location.startswith(('http://', 'https://')):
        return load_from_http(location, map_location)
    return load_from_local(osp.join(_get_mmengine_home(), location), map_location)


def load_from_mmcls(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Load the backbone of a model of mmcls by its name."""
    url = _known(get_mmcls_models(), filename)
    return _process_mmcls_checkpoint(load_from_http(url, map_location))


def load_from_ceph(filename: str, map_location: Any = None) -> Any:
    """Load from an object store."""
    backend = get_file_backend(filename, backend_args=dict(backend='petrel'))
    with tempfile.TemporaryFile() as file:
        file.write(backend.get(filename))
        file.seek(0)
        return load_checkpoint_file(file, map_location)


def load_from_pavi(filename: str, map_location: Any = None) -> Any:
    """Refuse: the service is gone, and its loader would run the file."""
    raise ValueError(f'{filename}: download the checkpoint and give its path instead')


def _known(
    models: Mapping[str, str], filename: str, renamed: Mapping[str, str] | None = None
) -> str:
    """Where the weights of a name such as ``torchvision://resnet50`` are."""
    name = filename.split('://', 1)[1]
    name = (renamed or {}).get(name, name)
    if name not in models:
        raise ValueError(
            f'{filename} is none of the {len(models)} models that mmengine knows there'
        )
    return models[name]
