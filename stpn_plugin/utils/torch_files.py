"""Reading what ``torch.save`` wrote, without torch's own reader.

``torch.load`` runs what a file says unless ``weights_only`` is set, and before torch
2.6 also then: it starts TorchScript archives and trusts sizes in the file
(CVE-2025-32434). This reader runs nothing with any torch, and believes no size that it
has not compared with the file.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import struct
import zipfile
from typing import Any, BinaryIO, Iterator

import torch

from .inert_pickle import Built, Persistent, PickleError, read_pickle
from .stand_ins import StandInDecoder, Storage, StorageKey, storage_key

_ZIP = b'PK\x03\x04'
# What the legacy format begins with: a pickle of this number.
_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


@contextlib.contextmanager
def mapped(file: BinaryIO) -> Iterator[Any]:
    """The content of an open file, read from the disk as it is needed.

    Raises:
        PickleError: It is empty.
    """
    if os.fstat(file.fileno()).st_size == 0:
        raise PickleError('it is empty')
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content


def read_torch_file(
    file: BinaryIO,
    keep_foreign: bool = False,
    device: str | torch.device = 'cpu',
) -> Any:
    """Read a file of ``torch.save``, in the zip or the legacy format.

    Args:
        file: The open file.
        keep_foreign: Leave stand-ins of objects that are neither plain data, arrays,
            tensors nor what mmengine puts into a checkpoint. They are refused
            otherwise.
        device: Where to put tensors.

    Returns:
        What was saved.

    Raises:
        PickleError: It is no such file, is cut short, or holds something that is
            refused.
    """
    with mapped(file) as content:
        if content[:4] == _ZIP:
            return _read_zip(file, len(content), keep_foreign, device)
        return read_legacy(content, keep_foreign, device)


def _read_zip(
    file: BinaryIO, length: int, keep_foreign: bool, device: str | torch.device
) -> Any:
    try:
        with zipfile.ZipFile(file) as archive:
            members = _members(archive, length)
            data = archive.read(members['data.pkl'])

            def load_storage(key: StorageKey) -> Storage:
                info = members.get(f'data/{key.name}')
                if info is None or info.file_size != key.nbytes:
                    raise PickleError(
                        f'storage {key.name!r:.50} should have {key.nbytes} bytes and '
                        f'has {"none" if info is None else info.file_size}'
                    )
                return Storage(bytearray(archive.read(info)), key.dtype)

            root, _ = read_pickle(data)
            return StandInDecoder(
                len(data), load_storage, keep_foreign=keep_foreign, device=device
            ).decode(root)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise PickleError(f'its zip archive is broken: {error}') from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # Of a seek to where no file begins.
        raise PickleError('its zip archive is broken: its places are none') from error


def _members(archive: zipfile.ZipFile, length: int) -> dict[str, zipfile.ZipInfo]:
    """Members of an archive, by their path below its only folder."""
    members: dict[str, zipfile.ZipInfo] = {}
    folders = set()
    for info in archive.infolist():
        folder, _, name = info.filename.partition('/')
        folders.add(folder)
        if name in members:
            raise PickleError(f'its archive has {name!r:.50} twice')
        if info.compress_type != zipfile.ZIP_STORED:
            raise PickleError('its archive is compressed, which torch.save never does')
        members[name] = info
    if 'constants.pkl' in members:
        raise PickleError('it is a TorchScript archive: a program')
    if len(folders) != 1 or 'data.pkl' not in members:
        raise PickleError('its archive is none that torch.save wrote')
    if sum(info.file_size for info in members.values()) > length:
        raise PickleError('the members of its archive overlap')
    if 'byteorder' in members and archive.read(members['byteorder']) != b'little':
        raise PickleError('it was written by a big-endian machine')
    return members


def read_legacy(
    content: Any, keep_foreign: bool = False, device: str | torch.device = 'cpu'
) -> Any:
    """Read the legacy format of ``torch.save``.

    Args:
        content: The bytes of the file, or a map of it.
        keep_foreign: See :func:`read_torch_file`.
        device: Where to put tensors.

    Returns:
        What was saved.

    Raises:
        PickleError: See :func:`read_torch_file`.
    """
    magic, position = read_pickle(content)
    if magic != _MAGIC_NUMBER:
        raise PickleError('it is a pickle, but none that torch.save wrote')
    protocol, position = read_pickle(content, position)
    if protocol != _PROTOCOL:
        raise PickleError(f'version {protocol!r:.20} of its format is unknown')
    _, position = read_pickle(content, position)  # about the machine
    root, end = read_pickle(content, position)
    length = end - position
    names, position = read_pickle(content, end)
    wanted = _storage_keys(root)
    places: dict[StorageKey, int] = {}
    for name in names if isinstance(names, list) else ():
        key = wanted.get(str(name)) if isinstance(name, (str, int)) else None
        header = content[position : position + 8]
        if key is None or len(header) != 8:
            raise PickleError('its storages are not those that it refers to')
        if struct.unpack('<q', header)[0] != key.numel:
            raise PickleError(f'storage {key.name!r:.50} has another size than it says')
        places[key] = position + 8
        position += 8 + key.nbytes
        if position > len(content):
            raise PickleError('it is cut short')

    def load_storage(key: StorageKey) -> Storage:
        if key not in places:
            raise PickleError(f'it lacks storage {key.name!r:.50}')
        start = places[key]
        return Storage(bytearray(content[start : start + key.nbytes]), key.dtype)

    return StandInDecoder(
        length, load_storage, keep_foreign=keep_foreign, device=device
    ).decode(root)


def _storage_keys(root: Any) -> dict[str, StorageKey]:
    """Every storage that a pickle refers to, by its name."""
    keys: dict[str, StorageKey] = {}
    seen = set()
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        if isinstance(value, Persistent):
            key = storage_key(value)
            if keys.setdefault(key.name, key) != key:
                raise PickleError(f'storage {key.name!r:.50} has two types')
        elif isinstance(value, (list, tuple)):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, Built):
            waiting.extend((value.function, value.args, value.kwargs, value.state))
            waiting.extend((value.items, value.pairs))
        else:
            continue
        seen.add(id(value))
    return keys


def nested_storage(content: bytes) -> Storage:
    """Read the storage that a file within a pickle has.

    Args:
        content: A file in the legacy format, as pickles of tensors have it.

    Returns:
        The storage.

    Raises:
        PickleError: It is none.
    """
    storage = read_legacy(content)
    if not isinstance(storage, Storage):
        raise PickleError('a file within it holds something else than a storage')
    return storage
