"""Files that do harm when they are read carelessly.

Pickles are written instruction by instruction: Python's own pickler would not write
most of them.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any, Callable, Mapping

import torch


def text(value: str) -> bytes:
    """An instruction that puts text on the stack."""
    data = value.encode()
    return b'X' + struct.pack('<I', len(data)) + data


def name(path: str) -> bytes:
    """An instruction that puts a class or function on the stack."""
    module, _, attribute = path.rpartition('.')
    return f'c{module}\n{attribute}\n'.encode()


def call(path: str, *args: bytes) -> bytes:
    """Instructions that call a function of that path."""
    return name(path) + b'(' + b''.join(args) + b'tR'


def attacks(sign: Path) -> dict[str, bytes]:
    """Instructions that leave a file as a sign, or end the process, if followed."""
    touch = text(f'touch {sign}')
    code = text(f'open({str(sign)!r}, "w").close()')
    nested = b'\x80\x02' + call('os.system', touch) + b'.'
    stored = b'B' + struct.pack('<I', len(nested)) + nested
    chain = (
        name('builtins.getattr')
        + b'('
        + call('builtins.__import__', text('os'))
        + text('system')
        + b'tR('
        + touch
        + b'tR'
    )
    objects = call('numpy.dtype', text('O8'), b'\x89', b'\x88')
    objects_state = b'(K\x03' + text('|') + b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb'
    address = call('_codecs.encode', text('A' * 8), text('latin1'))
    refcounted = call('numpy.dtype', text('f8'), b'\x89', b'\x88')
    refcounted += (
        b'(K\x03' + text('<') + b'NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x01tb'
    )

    def array(module: str, dtype: bytes, size: bytes = b'K\x01\x85') -> bytes:
        made = call(
            f'{module}.multiarray._reconstruct',
            name('numpy.ndarray'),
            b'K\x00\x85',
            text('b'),
        )
        return made + b'(K\x01' + size + dtype + b'\x89' + address + b'tb'

    plain = call('numpy.dtype', text('f8'), b'\x89', b'\x88')
    return dict(
        system=call('os.system', touch),
        posix=call('posix.system', touch),
        evaluated=call('builtins.eval', code),
        executed=call('builtins.exec', code),
        popen=call('subprocess.Popen', text(f'touch {sign}'), b'I0\n'),
        nested=call('pickle.loads', stored),
        numpy_nested=call('numpy.core.multiarray._reconstruct', stored),
        storage=call('torch.storage._load_from_bytes', stored),
        chain=chain,
        partial=call('functools.partial', name('os.system'), touch) + b')R',
        attribute=call('operator.attrgetter', text('system'))
        + b'('
        + call('importlib.import_module', text('os'))
        + b'tR',
        instance=b'(' + touch + b'ios\nsystem\n',
        object_array=array('numpy.core', objects + objects_state),
        object_array_2=array('numpy._core', objects + objects_state),
        object_scalar=call(
            'numpy.core.multiarray.scalar', objects + objects_state, address
        ),
        counted_numbers=array('numpy.core', refcounted),
        structure=array('numpy.core', call('numpy.dtype', b'](' + text('f8') + b'e')),
        short_array=array('numpy.core', plain, b'M\xff\xff\x85'),
        negative_array=array('numpy.core', plain, b'J\xff\xff\xff\xff\x85'),
        empty_array_object=call('numpy.ndarray', b'K\x01\x85', text('O'), address),
        made_array=name('numpy.ndarray') + b'(K\x01' + text('O') + b't\x81',
        buffer=call(
            'numpy._core.numeric._frombuffer',
            address,
            objects + objects_state,
            b'K\x01\x85',
            text('C'),
        ),
        patched_class=name('collections.OrderedDict')
        + b'N}'
        + text('keys')
        + b'Ns\x86b',
        patched_function=name('torch._utils._rebuild_tensor_v2')
        + b'N}'
        + text('__doc__')
        + text('patched')
        + b's\x86b',
        patched_numpy=name('mmengine.structures.instance_data.InstanceData')
        + b'N}'
        + text('keys')
        + b'Ns\x86b',
        history_methods=name('mmengine.logging.history_buffer.HistoryBuffer')
        + b')\x81}'
        + text('statistics_methods')
        + b'}'
        + text('mean')
        + name('collections.OrderedDict')
        + b'ssb',
        extension=b'\x82\x01',
        # Memory and time
        long=b'\x8b\xff\xff\xff\x7f',
        bytes8=b'\x8e' + struct.pack('<Q', 1 << 50),
        bytearray8=b'\x96' + struct.pack('<Q', 1 << 50),
        deep=b']' * 200_000 + b'a' * 199_999,
        deep_key=b'}' + b')' + b'\x85' * 200_000 + b'Ns',
        deep_set=b'\x8f(' + b')' + b'\x85' * 200_000 + b'\x90',
        laughs=text('ha') + b'2\x86' * 200,
        own_item=b']q\x00h\x00a',
    )


# For 6 bytes Python's unpickler makes a memo of 32 GB.
LARGE_MEMO = b'Nr\xff\xff\xff\x7f'


def as_pickle(instructions: bytes, inside: bool = True) -> bytes:
    """A results file: a list with a prediction that holds it."""
    if inside:
        instructions = b']}' + text('img_id') + instructions + b'sa'
    return b'\x80\x02' + instructions + b'.'


def as_zip(instructions: bytes, inside: bool = True) -> bytes:
    """A checkpoint in the zip format."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w') as archive:
        archive.writestr('archive/data.pkl', _in_checkpoint(instructions, inside))
        archive.writestr('archive/version', b'3\n')
    return stream.getvalue()


def as_legacy(instructions: bytes, inside: bool = True) -> bytes:
    """A checkpoint in the legacy format."""
    head = (0x1950A86A20F9469CFC6C, 1001, dict(little_endian=True))
    return b''.join(
        [
            *(pickle.dumps(part, 2) for part in head),
            _in_checkpoint(instructions, inside),
            pickle.dumps([], 2),
        ]
    )


def _in_checkpoint(instructions: bytes, inside: bool) -> bytes:
    if inside:
        instructions = b'}' + text('state_dict') + b'}' + text('a') + instructions
        instructions += b'ss'
    return b'\x80\x02' + instructions + b'.'


def edited_zip(
    path: Path, edit: Callable[[str, bytes], bytes | None], **added: bytes
) -> bytes:
    """A checkpoint whose members are changed; None leaves one out."""
    stream = io.BytesIO()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(stream, 'w') as target:
        for member in source.namelist():
            content = edit(member, source.read(member))
            if content is not None:
                target.writestr(member, content)
        for member, content in added.items():
            target.writestr(member.replace('__', '/'), content)
    return stream.getvalue()


def broken_archives(folder: Path) -> Mapping[str, bytes]:
    """Checkpoints whose container lies."""
    path = folder / 'good.pth'
    torch.save(dict(state_dict=dict(a=torch.arange(6.0))), path)
    good = path.read_bytes()
    path_legacy = folder / 'legacy.pth'
    torch.save(
        dict(state_dict=dict(a=torch.arange(6.0))),
        path_legacy,
        _use_new_zipfile_serialization=False,
    )
    legacy = path_legacy.read_bytes()

    def data(old: bytes, new: bytes, last: bool = False) -> Any:
        def edit(member: str, content: bytes) -> bytes:
            if not member.endswith('data.pkl'):
                return content
            assert old in content
            head, _, tail = content.rpartition(old) if last else content.partition(old)
            return head + new + tail

        return edit

    def without(ending: str) -> Any:
        return lambda member, content: None if member.endswith(ending) else content

    compressed = io.BytesIO()
    with zipfile.ZipFile(path) as source:
        with zipfile.ZipFile(compressed, 'w', zipfile.ZIP_DEFLATED) as target:
            for member in source.namelist():
                target.writestr(member, source.read(member))
            target.writestr('good/data/9', bytes(1 << 20))
    return dict(
        large_storage=edited_zip(path, data(b'K\x06', b'M\xff\xff')),
        wide_tensor=edited_zip(path, data(b'K\x06', b'M\xff\xff', last=True)),
        long_stride=edited_zip(path, data(b'K\x01\x85', b'M\xff\xff\x85')),
        negative_stride=edited_zip(path, data(b'K\x01\x85', b'J\xff\xff\xff\xff\x85')),
        offset=edited_zip(path, data(b'QK\x00', b'QM\xff\xff')),
        no_storage=edited_zip(path, without('data/0')),
        no_pickle=edited_zip(path, without('data.pkl')),
        nested_path=edited_zip(path, without('data.pkl'), good__a__data_pkl=b''),
        program=edited_zip(path, lambda m, c: c, **{'good__constants.pkl': b''}),
        cut_short=good[: len(good) // 2],
        legacy_cut_short=legacy[:-8],
        legacy_large_storage=legacy.replace(b'K\x06N', b'K\x07N'),
        legacy_wide_tensor=legacy.replace(b'K\x06\x85', b'K\x77\x85'),
        empty=b'',
        html=b'<html>not found</html>',
        tar=b'storages' + bytes(1024),
        pickle=pickle.dumps(dict(a=1)),
    )
