"""A pickle module that rebuilds tensors and plain data, and runs nothing else.

``torch.load(path, pickle_module=inert_pickle)`` reads any checkpoint, also one
whose ``meta`` or optimizer holds objects of libraries that are not installed.
Whatever a pickle refers to beyond a short list of harmless names becomes an
:class:`Inert` stand-in: it is neither imported nor called.
"""

from __future__ import annotations

import collections
import pickle
from typing import Any, BinaryIO

import torch


class Inert:
    """Stands for an object of a checkpoint that is not rebuilt."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take the arguments of any class or function, for nothing."""

    def _ignore(self, *args: Any, **kwargs: Any) -> Inert:
        return self

    # All that an unpickler calls on the objects that it makes.
    __call__ = __setstate__ = __setitem__ = append = extend = add = _ignore


_REBUILT = {
    ('collections', 'OrderedDict'): collections.OrderedDict,
    ('torch', 'Size'): torch.Size,
    ('torch._utils', '_rebuild_tensor'): torch._utils._rebuild_tensor,
    ('torch._utils', '_rebuild_tensor_v2'): torch._utils._rebuild_tensor_v2,
    ('torch._utils', '_rebuild_parameter'): torch._utils._rebuild_parameter,
    # torch.load knows the other storages itself
    ('torch.storage', 'UntypedStorage'): getattr(torch, 'UntypedStorage', Inert),
}


class Unpickler(pickle.Unpickler):
    """Unpickler whose classes are harmless or inert."""

    def find_class(self, module: str, name: str) -> Any:
        """Look up a name: from the list, a dtype, or the stand-in."""
        if module == 'torch' and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        return _REBUILT.get((module, name), Inert)


def load(file: BinaryIO, **kwargs: Any) -> Any:
    """Read one pickle from a file, as :func:`pickle.load` does."""
    return Unpickler(file, **kwargs).load()
