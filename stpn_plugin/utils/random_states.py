"""The state of every global random generator, as plain data and arrays."""

from __future__ import annotations

import contextlib
import random
from typing import Any, Iterator

import numpy as np
import torch


def random_state() -> dict[str, Any]:
    """Copy the state of the generators of Python, numpy, torch and all CUDA devices.

    Returns:
        What :func:`set_random_state` takes. A checkpoint can hold it.
    """
    version, words, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return dict(
        python=(version, np.array(words, np.int64), gauss),
        numpy=(np.array(keys, np.int64), position, has_gauss, cached),
        torch=torch.get_rng_state().numpy(),
        cuda=[state.numpy() for state in devices],
    )


def set_random_state(state: dict[str, Any]) -> None:
    """Bring all generators to a state.

    Args:
        state: What :func:`random_state` gave. States of CUDA devices that are not here
            are left out.
    """
    version, words, gauss = state['python']
    random.setstate((version, tuple(int(word) for word in words), gauss))
    keys, position, has_gauss, cached = state['numpy']
    keys = np.asarray(keys, np.uint32)
    np.random.set_state(('MT19937', keys, position, has_gauss, cached))
    torch.set_rng_state(torch.from_numpy(np.array(state['torch'], np.uint8)))
    if torch.cuda.is_available():
        for device, saved in zip(range(torch.cuda.device_count()), state['cuda']):
            saved = torch.from_numpy(np.array(saved, np.uint8))
            torch.cuda.set_rng_state(saved, device)


@contextlib.contextmanager
def kept_random_state() -> Iterator[None]:
    """Leave the generators afterwards as they were before."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)
