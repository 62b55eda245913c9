"""What the operators share: the precision they compute in, planes of feature maps."""

from __future__ import annotations

from functools import reduce

import torch
import torchvision  # noqa: F401  (registers torch.ops.torchvision)
from torch import Tensor

vision = torch.ops.torchvision


def common_float(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Cast tensors to their widest dtype, at least float32."""
    dtype = reduce(torch.promote_types, (t.dtype for t in tensors), torch.float32)
    return tuple(t.to(dtype) for t in tensors)


def plane_starts(rois: Tensor, grad_input: Tensor) -> Tensor:
    """Start of each RoI's planes in the flattened (B, C, H, W), as (K, C, 1, 1)."""
    channels, height, width = grad_input.shape[1:]
    planes = rois[:, :1].long() * channels + torch.arange(channels, device=rois.device)
    return (planes * (height * width))[:, :, None, None]
