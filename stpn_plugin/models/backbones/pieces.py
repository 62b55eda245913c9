"""Working through large tensors a few rows at a time.

Intermediate results of attention and of MLPs are several times as wide as what goes in.
On a CPU they are best made a few rows at a time: so they stay in the cache, and need
next to no memory.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

PIECE = 2**21
"""Numbers in the largest intermediate result of a piece, see :func:`slices`: what fits
in a cache, is enough for weights to be read seldom, and is far below the size from
which the C library fetches memory from the system anew at each allocation."""


def slices(count: int, width: int) -> list[slice]:
    """Cut rows into pieces.

    Args:
        count: Number of rows.
        width: Numbers that the largest intermediate result holds for a row.

    Returns:
        Slices of the rows.
    """
    rows = max(1, PIECE // width)
    return [slice(start, start + rows) for start in range(0, count, rows)]


def pieces(x: Tensor, count: int, width: int) -> list[slice]:
    """How to cut rows in inference, for layers that act on each alone.

    In training, where intermediate results are kept anyway, on a GPU, and while a graph
    is recorded all rows are taken at once.

    Args:
        x: What the rows are of.
        count: Number of rows.
        width: Numbers that the largest intermediate result holds for a row.

    Returns:
        Slices of the rows.
    """
    if x.device.type != 'cpu' or torch.is_grad_enabled() or is_traced():
        return [slice(None)]
    return slices(count, width)


def trains_in_pieces(x: Tensor) -> bool:
    """Whether layers that have a gradient in pieces are to use it.

    Under autocast they are not: it chooses the types of torch's own layers.
    """
    return x.device.type == 'cpu' and torch.is_grad_enabled() and not is_traced()


def is_autocast(x: Tensor) -> bool:
    """Whether types are chosen by torch's autocast on a tensor's device."""
    if x.device.type == 'cpu':
        return torch.is_autocast_cpu_enabled()
    return torch.is_autocast_enabled()


def laid_out(x: Tensor) -> Tensor:
    """A view whose rows are about to be worked on.

    While a graph is recorded, it is copied. Whether layers have to copy a view depends
    on which dimensions have a size of one, and would bind the graph to those.
    """
    return x.clone(memory_format=torch.contiguous_format) if is_traced() else x


def is_plain(x: Tensor) -> bool:
    """Whether there are numbers in a tensor, and no graph is recorded of it.

    Fake tensors, and others that stand for tensors, are of types of their own.
    """
    return type(x) in (Tensor, nn.Parameter) and not is_traced()


def is_traced() -> bool:
    """Whether torch.compile, export or a jit trace records what is done."""
    compiler = getattr(torch, 'compiler', None)
    is_compiling = getattr(compiler, 'is_compiling', None)
    if is_compiling is not None and is_compiling():
        return True
    return torch.jit.is_tracing()
