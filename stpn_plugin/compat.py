"""The few adaptations that stock MMTracking 1.0.0rc1 needs on today's stack.

This is the only place where anything outside this package is touched. Every entry is
one function that names the symptom it cures and the versions that show it; each is
harmless where the symptom does not occur, and may be called any number of times.
:func:`apply` is called when ``stpn_plugin`` is imported, hence before a config that
lists it in ``custom_imports`` reads data or checkpoints.
"""

from __future__ import annotations

import argparse
import builtins
import copy
import pickle
import weakref
from typing import Any, Callable, List, Tuple, Union

import numpy as np
import torch
from mmcv.transforms.utils import cache_randomness
from mmengine.logging import HistoryBuffer


def apply() -> None:
    """Apply every adaptation that works by being applied at import."""
    restore_numpy_aliases()
    trust_mmengine_checkpoints()
    bind_cached_randomness()


def restore_numpy_aliases() -> None:
    """Give numpy its old names for Python's own types back, where they are missing.

    Symptom: ``AttributeError: module 'numpy' has no attribute 'bool'`` (or ``int``,
    ``float``) from mmdet's and mmtrack's ``LoadAnnotations``, ``RandomCrop``,
    ``MeanTransforms``, box samplers and evaluation.

    Versions: numpy 1.24 removed all of them; numpy 2.0 brought ``bool`` back, as its
    own scalar type, which is left alone.
    """
    if np.lib.NumpyVersion(np.__version__) < '1.24.0':
        return
    for name in ('bool', 'int', 'float', 'object', 'str'):
        # Not `hasattr`: numpy 1.24 to 1.26 warn when asked for some of these names.
        if name not in vars(np):
            setattr(np, name, getattr(builtins, name))


def trust_mmengine_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)`` read what mmengine's Runner writes.

    Symptom: ``UnpicklingError: Weights only load failed. ... Unsupported global: GLOBAL
    mmengine.logging.history_buffer.HistoryBuffer`` when testing or resuming from a
    checkpoint of one's own.

    Versions: torch 2.6 made ``weights_only=True`` the default; mmengine up to 0.10.7
    does not declare the classes that its message hub puts into a checkpoint.

    Only ``HistoryBuffer``, its own methods and plain numpy data are declared: loading
    still runs no code that a checkpoint brings along.
    """
    if not hasattr(torch.serialization, 'add_safe_globals'):  # torch < 2.4
        return
    torch.serialization.add_safe_globals(_checkpoint_globals())


def _checkpoint_globals() -> List[Union[Any, Tuple[Any, str]]]:
    """List the classes and functions that an mmengine checkpoint refers to."""
    reconstruct: Any = np.zeros(0).__reduce__()[0]
    scalar: Any = np.float64(0).__reduce__()[0]
    dtypes = {type(np.dtype(code)) for code in np.typecodes['All'] if code not in 'OV'}
    # numpy 2 renamed `numpy.core`; a checkpoint keeps the name of the numpy it was
    # written with, so both have to be known to both.
    renamed = [
        (function, f'numpy.{core}.multiarray.{function.__name__}')
        for function in (reconstruct, scalar)
        for core in ('core', '_core')
    ]
    # A history buffer keeps its statistics methods, pickled as `getattr(class, name)`.
    method = (_history_buffer_method, 'builtins.getattr')
    return [HistoryBuffer, method, np.ndarray, np.dtype, *dtypes, *renamed]


def _history_buffer_method(owner: type, name: str) -> Callable:
    """Look up a method of ``HistoryBuffer``; stands in for the far wider ``getattr``.

    Raises:
        pickle.UnpicklingError: If anything else is asked for.
    """
    if owner is not HistoryBuffer or name not in vars(HistoryBuffer):
        raise pickle.UnpicklingError(
            f'a checkpoint asked for {owner!r}.{name}; only methods of '
            'mmengine.logging.HistoryBuffer are trusted'
        )
    return getattr(HistoryBuffer, name)


def bind_cached_randomness() -> None:
    """Make ``share_random_params`` share, with several transforms of one class.

    Symptom: after its first sample, ``TransformBroadcaster(share_random_params=True)``
    draws anew for each frame, or takes the parameters of another transform of the same
    class: the frames of a sample are flipped differently, or differ in size
    (``ValueError: all input arrays must have the same shape``). It takes two transforms
    of one class in a process, such as a ``RandomFlip`` for each of two data sets.

    Versions: mmcv 2.0.0rc1 to rc4. A method marked ``cache_randomness`` is one object
    for all instances, and remembers the instance that asked last.
    """
    if getattr(cache_randomness.__get__, 'binds', False):
        return

    def bind(self: cache_randomness, obj: Any, cls: type) -> cache_randomness:
        bound = copy.copy(self)
        bound.instance_ref = weakref.ref(obj)
        return bound

    bind.binds = True  # type: ignore[attr-defined]
    cache_randomness.__get__ = bind


def add_local_rank_argument(parser: argparse.ArgumentParser) -> None:
    """Accept both spellings of the local rank on a tool's command line.

    Symptom: ``error: unrecognized arguments: --local-rank=0`` when a tool is started
    by ``python -m torch.distributed.launch``, as ``mim train`` does.

    Versions: torch 2.0 renamed the ``--local_rank`` that its launcher passes. Stock
    ``mmtrack/tools/train.py`` parses its arguments before any plugin is imported and
    thus stays out of reach: use this package's tools, or ``torchrun``.

    Args:
        parser (argparse.ArgumentParser): The parser of the tool, changed in place.
    """
    parser.add_argument(
        '--local_rank',
        '--local-rank',
        type=int,
        default=0,
        help='set by torch.distributed.launch',
    )
