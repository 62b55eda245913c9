"""Reading a pickle without running it.

A pickle is a program: it names functions and classes, and Python's own unpickler
imports and calls them, before anybody has seen what it asks for. :func:`read_pickle`
goes through the same program and writes down what it *would* have done. Plain data
becomes plain data; everything else becomes a stand-in, which nothing is imported or
called for:

======================= =============================================================
:class:`Global`         a name of a module, such as ``numpy.ndarray``
:class:`Built`          what a call returned, with all that was put into it afterwards
:class:`Persistent`     what the pickle refers to outside of itself
======================= =============================================================

What the stand-ins mean is decided by :mod:`.stand_ins`, after the whole is known.

Time and memory are bounded by the length of the input: no size or index in it is
believed (Python's unpickler allocates a memo of 64 GB for 6 bytes), nothing recurs,
and keys are scalars, since the hash of a tuple nested a million times ends a process.

The instructions are those that Python 3 writes with protocol 2 to 5; the others, of
old text formats, extension codes and buffers outside of the pickle, are refused.
"""

from __future__ import annotations

import struct
from typing import Any, Callable, NamedTuple


class PickleError(ValueError):
    """The input is no pickle, or does what is not allowed in one."""


class Global(NamedTuple):
    """Stands for a class or function that a pickle names."""

    module: str
    name: str

    @property
    def path(self) -> str:
        """The full name."""
        return f'{self.module}.{self.name}'


class Built:
    """Stands for what calling something would have returned.

    Attributes:
        function: What would have been called: a :class:`Global`, or a stand-in for
            what another call returned.
        args: Its arguments.
        kwargs: Its keyword arguments.
        state: What would have been its attributes.
        items: What would have been appended to it.
        pairs: Keys and values that would have been set in it.
    """

    __slots__ = ('args', 'function', 'items', 'kwargs', 'pairs', 'state')

    def __init__(self, function: Any, args: tuple, kwargs: dict | None = None) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs or {}
        self.state: Any = None
        self.items: list = []
        self.pairs: list[tuple[Any, Any]] = []

    @property
    def path(self) -> str:
        """Full name of the function, or '' for what another call returned."""
        return self.function.path if isinstance(self.function, Global) else ''


class Persistent:
    """Stands for something outside of the pickle.

    Attributes:
        key: What the pickle says of it.
    """

    __slots__ = ('key',)

    def __init__(self, key: Any) -> None:
        self.key = key


def read_pickle(data: Any, start: int = 0) -> tuple[Any, int]:
    """Read one pickle.

    Args:
        data: Bytes, or a map of a file into memory.
        start: Where the pickle begins.

    Returns:
        What it holds, and where it ends.

    Raises:
        PickleError: It is no pickle, is cut short, or has an instruction that is not
            supported.
    """
    return _Reader(data, start).read()


class _Reader:
    """The state of reading: a stack, marks in it, and the memo."""

    def __init__(self, data: Any, start: int) -> None:
        self.data = data
        self.position = start
        self.stack: list = []
        self.marks: list[list] = []
        self.memo: dict[int, Any] = {}

    def read(self) -> tuple[Any, int]:
        data, instructions = self.data, _INSTRUCTIONS
        if data[self.position : self.position + 1] != b'\x80':
            raise PickleError('it is no pickle')
        try:
            while True:
                code = data[self.position]
                self.position += 1
                if code == _STOP:
                    return self.stack.pop(), self.position
                instructions[code](self)
        except KeyError as error:
            if error.args == (code,) and code not in instructions:
                raise PickleError(
                    f'instruction {bytes([code])!r} at byte {self.position - 1} is not '
                    'one that Python 3 writes with protocols 2 to 5'
                ) from error
            raise PickleError(f'no memo {error}') from error
        except IndexError as error:
            raise PickleError('it is cut short or garbled') from error

    # Bytes of the input

    def take(self, size: int) -> bytes:
        """The next bytes; fewer than asked for are an error."""
        end = self.position + size
        taken = self.data[self.position : end]
        if len(taken) != size:
            raise PickleError('it is cut short')
        self.position = end
        return taken

    def number(self, code: str) -> Any:
        return struct.unpack(code, self.take(struct.calcsize(code)))[0]

    def line(self) -> str:
        end = self.data.find(b'\n', self.position)
        if end < 0:
            raise PickleError('it is cut short')
        line = self.text(end - self.position)
        self.position += 1
        return line

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode('utf-8', 'surrogatepass')
        except UnicodeDecodeError as error:
            raise PickleError(f'it has text that is not UTF-8: {error}') from error

    # Instructions

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop_mark(self) -> list:
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def push_global(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise PickleError('it names a class by something else than text')
        self.stack.append(Global(module, name))

    def call(self) -> None:
        args = self.stack.pop()
        self.build_call(self.stack.pop(), args, {})

    def call_with_names(self) -> None:
        kwargs, args = self.stack.pop(), self.stack.pop()
        self.build_call(self.stack.pop(), args, kwargs)

    def build_call(self, function: Any, args: Any, kwargs: Any) -> None:
        if type(args) is not tuple or type(kwargs) is not dict:
            raise PickleError('it calls something without a tuple of arguments')
        if not isinstance(function, (Global, Built)):
            raise PickleError(f'it calls a {type(function).__name__}')
        self.stack.append(Built(function, args, kwargs))

    def set_state(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Built):
            # A class or function of this process, changed for good.
            raise PickleError('it sets attributes of something that it did not make')
        self.stack[-1].state = state

    def extend(self, items: list) -> None:
        target = self.stack[-1]
        if type(target) is list:
            target.extend(items)
        elif isinstance(target, Built):
            target.items.extend(items)
        else:
            raise PickleError(f'it appends to a {type(target).__name__}')

    def set_pairs(self, items: list) -> None:
        target = self.stack[-1]
        if len(items) % 2:
            raise PickleError('it sets a key without a value')
        pairs = zip(items[::2], items[1::2])
        if type(target) is dict:
            for key, value in pairs:
                target[_scalar(key)] = value
        elif isinstance(target, Built):
            target.pairs.extend(pairs)
        else:
            raise PickleError(f'it sets a key of a {type(target).__name__}')

    def update_set(self) -> None:
        items = self.pop_mark()
        target = self.stack[-1]
        if type(target) is not set:
            raise PickleError(f'it adds to a {type(target).__name__}')
        target.update(map(_scalar, items))

    def push_dict(self) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self.set_pairs(items)

    def push_tuple(self, size: int) -> None:
        if len(self.stack) < size:
            raise PickleError('it is garbled')
        items = self.stack[-size:]
        del self.stack[-size:]
        self.stack.append(tuple(items))

    def push_byte_string(self, size: int) -> None:
        """The ``str`` of Python 2: text where it can be."""
        taken = self.take(size)
        try:
            self.stack.append(taken.decode('ascii'))
        except UnicodeDecodeError:
            self.stack.append(taken)

    def setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.set_pairs([key, value])

    def append(self) -> None:
        item = self.stack.pop()
        self.extend([item])

    def stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.push_global(module, name)

    def memoize(self, index: int) -> None:
        self.memo[index] = self.stack[-1]


def _scalar(key: Any) -> Any:
    """A key of a dict or an item of a set; bounded work to take the hash of."""
    if isinstance(key, tuple) and not isinstance(key, Global):
        if all(isinstance(item, _SCALARS) for item in key):
            return key
    elif key is None or isinstance(key, (*_SCALARS, Global, Built)):
        return key
    raise PickleError(f'it has a {type(key).__name__} for a key')


_SCALARS = (bool, int, float, str, bytes)
_STOP = ord('.')


def _pushing(value: Callable[[_Reader], Any]) -> Callable[[_Reader], None]:
    return lambda reader: reader.push(value(reader))


def _integer(reader: _Reader, size: int) -> int:
    return int.from_bytes(reader.take(size), 'little', signed=True)


_INSTRUCTIONS: dict[int, Callable[[_Reader], Any]] = {
    code[0]: instruction
    for code, instruction in {
        b'\x80': lambda r: r.take(1),  # the protocol
        b'\x95': lambda r: r.take(8),  # the length of a frame
        # Constants
        b'N': _pushing(lambda r: None),
        b'\x88': _pushing(lambda r: True),
        b'\x89': _pushing(lambda r: False),
        b'K': _pushing(lambda r: r.number('<B')),
        b'M': _pushing(lambda r: r.number('<H')),
        b'J': _pushing(lambda r: r.number('<i')),
        b'\x8a': _pushing(lambda r: _integer(r, r.number('<B'))),
        b'\x8b': _pushing(lambda r: _integer(r, r.number('<I'))),
        b'G': _pushing(lambda r: r.number('>d')),
        b'X': _pushing(lambda r: r.text(r.number('<I'))),
        b'\x8c': _pushing(lambda r: r.text(r.number('<B'))),
        b'\x8d': _pushing(lambda r: r.text(r.number('<Q'))),
        b'C': _pushing(lambda r: r.take(r.number('<B'))),
        b'B': _pushing(lambda r: r.take(r.number('<I'))),
        b'\x8e': _pushing(lambda r: r.take(r.number('<Q'))),
        b'\x96': _pushing(lambda r: bytearray(r.take(r.number('<Q')))),
        b'U': lambda r: r.push_byte_string(r.number('<B')),
        b'T': lambda r: r.push_byte_string(r.number('<I')),
        # Containers
        b']': _pushing(lambda r: []),
        b'}': _pushing(lambda r: {}),
        b')': _pushing(lambda r: ()),
        b'\x8f': _pushing(lambda r: set()),
        b'\x85': lambda r: r.push_tuple(1),
        b'\x86': lambda r: r.push_tuple(2),
        b'\x87': lambda r: r.push_tuple(3),
        b't': lambda r: r.push(tuple(r.pop_mark())),
        b'l': lambda r: r.push(r.pop_mark()),
        b'd': _Reader.push_dict,
        b'\x91': lambda r: r.push(frozenset(map(_scalar, r.pop_mark()))),
        b'a': _Reader.append,
        b'e': lambda r: r.extend(r.pop_mark()),
        b's': _Reader.setitem,
        b'u': lambda r: r.set_pairs(r.pop_mark()),
        b'\x90': _Reader.update_set,
        # The stack and the memo
        b'(': _Reader.mark,
        b'0': lambda r: r.stack.pop(),
        b'1': _Reader.pop_mark,
        b'2': lambda r: r.stack.append(r.stack[-1]),
        b'h': _pushing(lambda r: r.memo[r.number('<B')]),
        b'j': _pushing(lambda r: r.memo[r.number('<I')]),
        b'q': lambda r: r.memoize(r.number('<B')),
        b'r': lambda r: r.memoize(r.number('<I')),
        b'\x94': lambda r: r.memoize(len(r.memo)),
        # What stand-ins are for
        b'c': lambda r: r.push_global(r.line(), r.line()),
        b'\x93': _Reader.stack_global,
        b'R': _Reader.call,
        b'\x81': _Reader.call,
        b'\x92': _Reader.call_with_names,
        b'b': _Reader.set_state,
        b'Q': _pushing(lambda r: Persistent(r.stack.pop())),
    }.items()
}
