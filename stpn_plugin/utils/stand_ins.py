"""From the stand-ins of a pickle to arrays, tensors and plain containers.

:func:`~stpn_plugin.utils.inert_pickle.read_pickle` wrote down what a pickle asks for.
Here a closed list of it is granted, by code of this module that checks every size:
nothing that the pickle names is looked up or called.
"""

from __future__ import annotations

import collections
import math
from typing import Any, Callable, Iterator, Mapping, NamedTuple

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, nn

from .inert_pickle import Built, Global, Persistent, PickleError
from .numeric_arrays import plain_array, plain_dtype, with_dtype_state

# Nested deeper than any prediction or checkpoint is.
_DEEPEST = 100
# A pickle may refer to one list from everywhere: what it holds, written out, may be
# larger than itself, but not without limit.
_LARGEST_PER_BYTE = 64

# Legacy names of storages.
_STORAGES = dict(
    DoubleStorage=torch.float64,
    FloatStorage=torch.float32,
    HalfStorage=torch.float16,
    BFloat16Storage=torch.bfloat16,
    LongStorage=torch.int64,
    IntStorage=torch.int32,
    ShortStorage=torch.int16,
    CharStorage=torch.int8,
    ByteStorage=torch.uint8,
    BoolStorage=torch.bool,
    ComplexFloatStorage=torch.complex64,
    ComplexDoubleStorage=torch.complex128,
    UntypedStorage=torch.uint8,
)


class Storage(NamedTuple):
    """The memory that tensors are views of.

    Attributes:
        data: Its bytes.
        dtype: What they are, if a tensor says nothing else.
    """

    data: bytearray
    dtype: torch.dtype


class StorageKey(NamedTuple):
    """What a checkpoint says of a storage: its name, type and number of elements."""

    name: str
    dtype: torch.dtype
    numel: int

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.numel * itemsize(self.dtype)


def itemsize(dtype: torch.dtype) -> int:
    """Size of an element in bytes."""
    return torch.empty((), dtype=dtype).element_size()


def storage_key(stand_in: Persistent) -> StorageKey:
    """Read a reference to a storage.

    Raises:
        PickleError: It is none.
    """
    key = stand_in.key
    if (
        not isinstance(key, tuple)
        or len(key) not in (5, 6)
        or key[0] != 'storage'
        or not isinstance(key[1], Global)
        or key[1].module not in ('torch', 'torch.storage', 'torch.cuda')
        or key[1].name not in _STORAGES
        or not isinstance(key[2], (str, int))
        or type(key[4]) is not int
        or key[4] < 0
        or key[5:] not in ((), (None,))
    ):
        raise PickleError(f'{key!r:.100} is no storage of a tensor')
    return StorageKey(str(key[2]), _STORAGES[key[1].name], key[4])


class StandInDecoder:
    """Decodes one pickle.

    Args:
        length: Its length in bytes, which bounds what it may hold.
        load_storage: Reads a storage outside of the pickle.
        load_nested: Reads the storage that a file of torch has, given as bytes.
        keep_foreign: Decode weights and what they are in, and leave all other
            stand-ins as they are. What is not known is refused otherwise.
        device: Where to put tensors.
    """

    def __init__(
        self,
        length: int,
        load_storage: Callable[[StorageKey], Storage] | None = None,
        load_nested: Callable[[bytes], Any] | None = None,
        keep_foreign: bool = False,
        device: str | torch.device = 'cpu',
    ) -> None:
        self._load_storage = load_storage
        self._load_nested = load_nested
        self._keep_foreign = keep_foreign
        self._device = device
        self._nodes_left = _LARGEST_PER_BYTE * length + 1000
        self._depth = 0
        # By the id of a stand-in or container: what became of it, and its size.
        self._done: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()
        self._storages: dict[StorageKey, Storage] = {}

    def decode(self, value: Any) -> Any:
        """Decode what :func:`~.inert_pickle.read_pickle` returned.

        Args:
            value: Plain data and stand-ins. It has to be kept alive by the caller.

        Returns:
            The same with arrays, tensors and plain containers for the stand-ins.

        Raises:
            PickleError: It asks for something that is not on the list, or something
                in it is not what it should be.
        """
        self._nodes_left -= 1
        if self._nodes_left < 0:
            raise PickleError('it refers to itself so often that it would not fit')
        decode_type = _TYPES.get(type(value))
        if decode_type is None:
            return value
        key = id(value)
        if key in self._done:
            decoded, size = self._done[key]
            self._nodes_left -= size
            return decoded
        if key in self._open or self._depth > _DEEPEST:
            raise PickleError('it is nested without end')
        before = self._nodes_left
        self._open.add(key)
        self._depth += 1
        try:
            decoded = decode_type(self, value)
        except (TypeError, RuntimeError, ValueError, OverflowError) as error:
            if isinstance(error, PickleError):
                raise
            raise PickleError(str(error)) from error
        self._depth -= 1
        self._open.remove(key)
        self._done[key] = decoded, before - self._nodes_left
        return decoded

    def forget(self) -> None:
        """Forget what was decoded, before it is freed: its ids may come again."""
        self._done.clear()
        self._storages.clear()

    def _global(self, value: Global) -> Any:
        if value.module == 'torch':
            dtype = getattr(torch, value.name, None)
            if isinstance(dtype, torch.dtype):
                return dtype
        return self._foreign(value, value.path)

    def _built(self, value: Built) -> Any:
        make = _FUNCTIONS.get(value.path)
        if make is None or (self._keep_foreign and value.path not in _OF_WEIGHTS):
            return self._foreign(value, value.path or 'the result of a call')
        return make(self, value)

    def _foreign(self, value: Any, what: str) -> Any:
        if self._keep_foreign:
            return value
        raise PickleError(f'{what} is not allowed in it')

    def _persistent(self, value: Persistent) -> Storage:
        if self._load_storage is None:
            raise PickleError('it refers to something outside of itself')
        key = storage_key(value)
        if key not in self._storages:
            self._storages[key] = self._load_storage(key)
        return self._storages[key]

    def _dict(self, value: dict) -> dict:
        return {self.decode(key): self.decode(item) for key, item in value.items()}

    def _args(self, value: Built, *numbers: int) -> list:
        """Decoded arguments of a call that takes so many of them."""
        if len(value.args) not in numbers or value.kwargs:
            raise PickleError(
                f'{value.path} is called with other arguments than it has'
            )
        return [self.decode(arg) for arg in value.args]

    def _state(self, value: Built) -> dict:
        """The decoded attributes of an instance."""
        if type(value.state) is not dict:
            raise PickleError(f'{value.path} has no attributes')
        return self._dict(value.state)

    # Python

    def _encoded(self, value: Built) -> bytes:
        text, encoding = self._args(value, 2)
        if not isinstance(text, str) or encoding not in ('latin1', 'latin-1'):
            raise PickleError('it encodes something in an unknown way')
        return text.encode('latin-1')

    def _bytes(self, value: Built) -> bytes:
        (content,) = self._args(value, 0, 1) or [b'']
        if not isinstance(content, (bytes, bytearray)):
            raise PickleError('it makes bytes of something else')
        return bytes(content)

    def _bytearray(self, value: Built) -> bytearray:
        if len(value.args) == 2:
            return bytearray(self._encoded(value))
        return bytearray(self._bytes(value))

    def _set(self, value: Built) -> set:
        (items,) = self._args(value, 0, 1) or [[]]
        return set(_scalars(items))

    def _frozenset(self, value: Built) -> frozenset:
        return frozenset(self._set(value))

    def _ordered_dict(self, value: Built) -> collections.OrderedDict:
        (items,) = self._args(value, 0, 1) or [[]]
        pairs = [(self.decode(k), self.decode(v)) for k, v in value.pairs]
        result = collections.OrderedDict([*items, *pairs])
        if type(value.state) is dict and '_metadata' in value.state:
            # The versions of modules, for a state dict.
            vars(result)['_metadata'] = self.decode(value.state['_metadata'])
        return result

    def _counter(self, value: Built) -> collections.Counter:
        (counts,) = self._args(value, 0, 1) or [{}]
        if type(counts) is not dict or any(type(n) is not int for n in counts.values()):
            raise PickleError('a Counter has no counts')
        return collections.Counter(counts)

    # numpy

    def _dtype(self, value: Built) -> np.dtype:
        dtype = plain_dtype(value.args[0] if value.args else None)
        return dtype if value.state is None else with_dtype_state(dtype, value.state)

    def _reconstructed(self, value: Built) -> np.ndarray:
        if type(value.state) is not tuple or len(value.state) != 5:
            raise PickleError('an array has no content')
        _, shape, dtype, fortran, data = value.state
        return plain_array(
            self.decode(dtype), self.decode(shape), self.decode(data), fortran is True
        )

    def _from_buffer(self, value: Built) -> np.ndarray:
        data, dtype, shape, order = self._args(value, 4)
        if order not in ('C', 'F'):
            raise PickleError('an array has no order of memory')
        return plain_array(dtype, shape, data, order == 'F')

    def _numpy_scalar(self, value: Built) -> np.generic:
        dtype, data = self._args(value, 2)
        return plain_array(dtype, (), data)[()]

    # torch

    def _size(self, value: Built) -> torch.Size:
        (sizes,) = self._args(value, 1)
        return torch.Size(_sizes(sizes))

    def _torch_device(self, value: Built) -> torch.device:
        return torch.device(*self._args(value, 1, 2))

    def _nested(self, value: Built) -> Any:
        (content,) = self._args(value, 1)
        if self._load_nested is None or not isinstance(content, bytes):
            raise PickleError(f'{value.path} is not allowed in it')
        return self._load_nested(content)

    def _tensor(self, value: Built) -> Tensor:
        storage, offset, sizes, strides, *rest = self._args(value, 4, 5, 6, 7, 8)
        if not isinstance(storage, Storage):
            raise PickleError('a tensor has no storage')
        dtype = rest[2] if value.path.endswith('_v3') and len(rest) > 2 else None
        tensor = _view(storage, offset, _sizes(sizes), _sizes(strides), dtype)
        tensor = tensor.to(self._device)
        return tensor.requires_grad_() if rest[:1] == [True] else tensor

    def _parameter(self, value: Built) -> nn.Parameter:
        data, requires_grad, _ = self._args(value, 3)
        if not isinstance(data, Tensor) or type(requires_grad) is not bool:
            raise PickleError('a parameter has no tensor')
        return nn.Parameter(data, requires_grad)

    # OpenMMLab

    def _data_element(self, value: Built) -> dict:
        """Fields of a data element, as its ``to_dict`` returns them."""
        state = self._state(value)
        fields: set = set()
        for name in ('_metainfo_fields', '_data_fields'):
            fields |= _scalars(state.get(name, ()))
        # A field that is a property is kept with a `_` in front.
        private = {name for name in fields if str(name)[:1] == '_'}
        fields -= {name for name in private if name[1:] in fields}
        missing = [f for f in fields if f not in state and f'_{f}' not in state]
        if missing:
            raise PickleError(f'{value.path} lacks its field {missing[0]!r}')
        order = {name.lstrip('_'): None for name in state if isinstance(name, str)}
        return {
            name: state[name] if name in state else state[f'_{name}']
            for name in (*order, *sorted(private & fields))
            if name in fields
        }

    def _boxes(self, value: Built) -> Tensor:
        tensor = self._state(value).get('tensor')
        if not isinstance(tensor, Tensor):
            raise PickleError(f'{value.path} has no tensor')
        return tensor

    def _history(self, value: Built) -> HistoryBuffer:
        if type(value.state) is not dict:
            raise PickleError(f'{value.path} has no attributes')
        # Not its statistics methods: those are the same in every process, and its
        # `__setstate__` puts them into its class.
        state = {k: v for k, v in value.state.items() if k != 'statistics_methods'}
        return history_buffer(self._dict(state))


def history_buffer(state: Mapping[str, Any]) -> HistoryBuffer:
    """Make a history of logged values from its attributes.

    Args:
        state: ``_log_history`` and ``_count_history``, arrays of numbers, and
            ``max_length``.

    Returns:
        The history.

    Raises:
        PickleError: The attributes are not these.
    """
    logs, counts = state.get('_log_history'), state.get('_count_history')
    length = state.get('max_length')
    if (
        not isinstance(logs, np.ndarray)
        or not isinstance(counts, np.ndarray)
        or logs.dtype.kind not in 'iuf'
        or counts.dtype.kind not in 'iuf'
        or logs.ndim != 1
        or logs.shape != counts.shape
        or type(length) is not int
        or length < len(logs)
    ):
        raise PickleError('a HistoryBuffer has no history of numbers')
    history = HistoryBuffer(max_length=length)
    history._log_history, history._count_history = np.array(logs), np.array(counts)
    return history


def _view(
    storage: Storage,
    offset: Any,
    sizes: list[int],
    strides: list[int],
    dtype: torch.dtype | None,
) -> Tensor:
    """A tensor over a storage, if it lies within it."""
    dtype = dtype or storage.dtype
    if type(offset) is not int or offset < 0 or len(sizes) != len(strides):
        raise PickleError('a tensor has no sizes and strides')
    numel = len(storage.data) // itemsize(dtype)
    last = sum((size - 1) * stride for size, stride in zip(sizes, strides))
    # Nor may it repeat elements: copied, it would be larger than the file.
    if 0 not in sizes and (offset + last >= numel or math.prod(sizes) > numel):
        raise PickleError(
            f'a tensor of sizes {sizes} and strides {strides} from {offset} does not '
            f'lie in its storage of {numel} elements'
        )
    if 0 in sizes:
        return torch.empty(sizes, dtype=dtype)
    whole = torch.frombuffer(storage.data, dtype=dtype, count=numel)
    return whole.as_strided(sizes, strides, offset)


def _sizes(value: Any) -> list[int]:
    if not isinstance(value, (tuple, list)) or len(value) > 32:
        raise PickleError('a tensor has no sizes and strides')
    if not all(type(size) is int and 0 <= size < 1 << 48 for size in value):
        raise PickleError(f'a tensor has sizes or strides {value!r:.100}')
    return list(value)


def _scalars(items: Any) -> set:
    def check() -> Iterator[Any]:
        for item in items:
            if not isinstance(item, (bool, int, float, str, bytes, type(None))):
                raise PickleError(f'it has a set with a {type(item).__name__}')
            yield item

    if not isinstance(items, (list, tuple, set, frozenset)):
        raise PickleError(f'it makes a set of a {type(items).__name__}')
    return set(check())


_TYPES: Mapping[type, Callable[[StandInDecoder, Any], Any]] = {
    list: lambda self, value: [self.decode(item) for item in value],
    tuple: lambda self, value: tuple([self.decode(item) for item in value]),
    dict: StandInDecoder._dict,
    Global: StandInDecoder._global,
    Built: StandInDecoder._built,
    Persistent: StandInDecoder._persistent,
}
_FUNCTIONS: Mapping[str, Callable[[StandInDecoder, Built], Any]] = {
    '_codecs.encode': StandInDecoder._encoded,
    **{
        f'{module}.{name}': function
        for module in ('builtins', '__builtin__')
        for name, function in dict(
            bytes=StandInDecoder._bytes,
            bytearray=StandInDecoder._bytearray,
            set=StandInDecoder._set,
            frozenset=StandInDecoder._frozenset,
        ).items()
    },
    'collections.OrderedDict': StandInDecoder._ordered_dict,
    'collections.Counter': StandInDecoder._counter,
    'numpy.dtype': StandInDecoder._dtype,
    **{
        f'numpy.{core}.{name}': function
        for core in ('core', '_core')
        for name, function in {
            'multiarray._reconstruct': StandInDecoder._reconstructed,
            'multiarray.scalar': StandInDecoder._numpy_scalar,
            'numeric._frombuffer': StandInDecoder._from_buffer,
        }.items()
    },
    'torch.Size': StandInDecoder._size,
    'torch.device': StandInDecoder._torch_device,
    'torch.storage._load_from_bytes': StandInDecoder._nested,
    'torch._utils._rebuild_tensor': StandInDecoder._tensor,
    'torch._utils._rebuild_tensor_v2': StandInDecoder._tensor,
    'torch._utils._rebuild_tensor_v3': StandInDecoder._tensor,
    'torch._utils._rebuild_parameter': StandInDecoder._parameter,
    'mmengine.logging.history_buffer.HistoryBuffer': StandInDecoder._history,
    **{
        f'{package}.structures.{name}': StandInDecoder._data_element
        for package, name in (
            ('mmengine', 'base_data_element.BaseDataElement'),
            ('mmengine', 'instance_data.InstanceData'),
            ('mmengine', 'pixel_data.PixelData'),
            ('mmdet', 'det_data_sample.DetDataSample'),
            ('mmtrack', 'track_data_sample.TrackDataSample'),
        )
    },
    'mmdet.structures.bbox.horizontal_boxes.HorizontalBoxes': StandInDecoder._boxes,
}
_OF_WEIGHTS = {'collections.OrderedDict', 'torch.Size'} | {
    path for path in _FUNCTIONS if path.startswith('torch._utils.')
}
