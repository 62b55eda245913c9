"""What the C library does with memory that is given back to it.

glibc asks the system for each block above some size (at most 32 MiB) anew, and gives it
back at once. Its pages are zeroed at first use, each time. Maps of whole images are
such blocks, those of batches above all. The parts ``backbones`` and ``kept-memory`` of
``make bench`` measure Swin as glibc does it, and with memory that is kept.
"""

from __future__ import annotations

import ctypes
import os

import torch

# Of malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_SETTINGS_OF_USERS = (
    *('MALLOC_MMAP_MAX_', 'MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_'),
    *('MALLOC_TOP_PAD_', 'GLIBC_TUNABLES'),
)


def keep_freed_memory(device: str) -> bool:
    """Keep freed memory in this process for what is computed next.

    The process then stays as large as it once was. For programs that compute, not for
    libraries.

    Args:
        device: Where is computed. Only for the CPU, memory is kept.

    Returns:
        Whether it is. Not without glibc, nor where the user has set glibc's
        environment variables.
    """
    if torch.device(device).type != 'cpu':
        return False
    if any(name in os.environ for name in _SETTINGS_OF_USERS):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # not Linux, or another C library
        return False
    # No block comes straight from the system, and none at the heap's end goes back.
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, -1))
