"""What the processes of a training decide together."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce, get_world_size


def highest(value: int) -> int:
    """The highest of the values that each process has.

    Args:
        value: That of this process.
    """
    if get_world_size() == 1:
        return value
    number = torch.tensor([value])
    all_reduce(number, 'max')
    return int(number)


def gathered(value: Any) -> list[Any]:
    """What each process has, in their order.

    Args:
        value: Of this process; it can be pickled.
    """
    return [value] if get_world_size() == 1 else all_gather_object(value)
