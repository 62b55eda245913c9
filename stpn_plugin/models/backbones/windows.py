"""Windows of a map of patches: cut, shifted, masked, and put back."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .pieces import laid_out


def window_grid(hw_shape: tuple[int, int], window_size: int) -> tuple[int, int]:
    """Number of rows and columns of windows that cover (H, W) patches."""
    (h, w), size = hw_shape, window_size
    # Exported graphs divide negative numbers otherwise.
    return (h + size - 1) // size, (w + size - 1) // size


def border_masks(window_size: int, shift_size: int) -> Tensor:
    """Additive masks that keep wrapped-around patches of a window apart.

    Only windows of the last row and of the last column hold such patches, so
    four masks serve maps of any size.

    Args:
        window_size: Side of a window in patches.
        shift_size: Cyclic shift in patches.

    Returns:
        Tensor of shape (4, 1, N, N), 0 or -100, with ``N = window_size ** 2``:
        for windows inside, in the last column, in the last row, in both.
    """
    wrapped = torch.arange(window_size) >= window_size - shift_size
    rows = wrapped.long().repeat_interleave(window_size)  # (N,)
    columns = wrapped.long().repeat(window_size)
    regions = torch.stack((0 * rows, columns, 2 * rows, 2 * rows + columns))
    apart = regions[:, :, None] != regions[:, None, :]
    return torch.where(apart, -100.0, 0.0).unsqueeze(1)


def border_kinds(rows: int, columns: int, device: torch.device) -> Tensor:
    """Which of :func:`border_masks` each of (rows x columns) windows needs."""
    last_row = torch.arange(rows, device=device) == rows - 1
    last_column = torch.arange(columns, device=device) == columns - 1
    return (2 * last_row.long()[:, None] + last_column.long()).flatten()


def shifted_bands(
    start: int, stop: int, shift: int, padded: int, length: int
) -> list[tuple[slice, slice]]:
    """Where a part of a padded, shifted axis comes from.

    Args:
        start: Where the part begins.
        stop: Where it ends.
        shift: How far the axis was shifted; what left it came back at the end.
        padded: Length of the axis.
        length: Length without the padding at its end.

    Returns:
        Places on the axis before it was padded and shifted, and places in the part, of
        each of at most two bands.
    """
    bands = []
    for offset in (shift, shift - padded):
        low, high = max(start + offset, 0), min(stop + offset, length)
        if low < high:
            places = slice(low - offset - start, high - offset - start)
            bands.append((slice(low, high), places))
    return bands


def window_partition(x: Tensor, grid: tuple[int, int], window_size: int) -> Tensor:
    """Cut maps (B, H, W, C) into a grid of windows (B, nW, window_size ** 2, C)."""
    rows, columns = grid
    x = x.unflatten(2, (columns, window_size)).unflatten(1, (rows, window_size))
    return laid_out(x.transpose(2, 3)).flatten(3, 4).flatten(1, 2)


def window_reverse(windows: Tensor, grid: tuple[int, int], window_size: int) -> Tensor:
    """Merge a grid of windows (B, nW, window_size ** 2, C) into maps (B, H, W, C)."""
    x = windows.unflatten(2, (window_size, window_size)).unflatten(1, grid)
    return laid_out(x.transpose(2, 3)).flatten(3, 4).flatten(1, 2)


class Places(NamedTuple):
    """From where rows are taken.

    Attributes:
        index: Which row each takes, (number,); any where it is padding.
        padding: The rows that are padding, (number,), or None if there are none.
    """

    index: Tensor
    padding: Tensor | None = None

    def take(self, rows: Tensor) -> Tensor:
        """Take rows (B, number, C) from (B, L, C); padding is zero."""
        taken = rows.index_select(1, self.index)
        return taken if self.padding is None else taken.index_fill_(1, self.padding, 0)


class WindowPlaces(NamedTuple):
    """Where the tokens of shifted windows are among prompted tokens, and back.

    Attributes:
        windows: Places of the P prompts, and then of the nW * N patches of windows,
            among P + H * W tokens.
        tokens: Places of the tokens among those.
        kinds: Which of :func:`border_masks` each window needs, (nW,), or None if the
            windows are not shifted.
    """

    windows: Places
    tokens: Places
    kinds: Tensor | None


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def window_places(
    hw_shape: tuple[int, int],
    window_size: int,
    shift_size: int,
    num_prompts: int,
    device: torch.device,
) -> WindowPlaces:
    """Find the :class:`WindowPlaces` of a map.

    They depend on shapes alone, and the last 64 are kept. Nothing that records a graph
    may ask for them: it would keep symbols.

    Args:
        hw_shape: (H, W) of the patches.
        window_size: Side of a window in patches.
        shift_size: Cyclic shift in patches.
        num_prompts: Number of prompts P.
        device: Of the tokens.
    """
    h, w = hw_shape
    grid = window_grid(hw_shape, window_size)
    numbers = torch.full((grid[0] * window_size, grid[1] * window_size), -1)
    numbers[:h, :w] = torch.arange(h * w).view(h, w) + num_prompts
    numbers = numbers.roll((-shift_size, -shift_size), dims=(0, 1))[None, ..., None]
    index = window_partition(numbers, grid, window_size).flatten()
    index = torch.cat((torch.arange(num_prompts), index))
    padding = (index < 0).nonzero().flatten()
    filled = (index >= 0).nonzero().flatten()
    back = torch.empty(num_prompts + h * w, dtype=torch.long)
    back[index[filled]] = filled
    return WindowPlaces(
        Places(
            index.clamp(min=0).to(device), padding.to(device) if len(padding) else None
        ),
        Places(back.to(device)),
        border_kinds(*grid, device=device) if shift_size else None,
    )


def move(rows: Tensor, there: Places, back: Places) -> Tensor:
    """Move rows to other places; its gradient moves them back.

    torch's gradient of a gather has to reckon with rows that are taken twice, and is
    slow.

    Args:
        rows: (B, L, C).
        there: From where each of M rows is taken; none is taken twice.
        back: From where each of L rows is taken of those.

    Returns:
        Tensor of shape (B, M, C).
    """
    return _Move.apply(rows, there, back)


class _Move(torch.autograd.Function):
    """Arguments and result as for :func:`move`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, there: Places, back: Places) -> Tensor:
        ctx.there, ctx.back = there, back
        return there.take(rows)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return move(grad, ctx.back, ctx.there), None, None
