"""The compiled operators of mmcv, computed by torch and torchvision.

``mmcv.ops`` looks its operators up in ``mmcv._ext``, a C++ extension that
``mmcv-lite`` does not have. This module stands in for it: it gathers the operators of
``mmcv_torchvision_ops`` under the names of the extension. It has to be a module and
not a package: Python prefers a compiled ``mmcv/_ext*.so`` to a module of its name, and
a package to both.
"""

from __future__ import annotations

from functools import partial
from typing import Callable, NoReturn

import torch
from mmcv_torchvision_ops.deform_conv import (
    deform_conv_backward_input,
    deform_conv_backward_parameters,
    deform_conv_forward,
    modulated_deform_conv_backward,
    modulated_deform_conv_forward,
)
from mmcv_torchvision_ops.focal_loss import (
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
    softmax_focal_loss_backward,
    softmax_focal_loss_forward,
)
from mmcv_torchvision_ops.multi_scale_deform_attn import (
    ms_deform_attn_backward,
    ms_deform_attn_forward,
)
from mmcv_torchvision_ops.nms import (
    nms,
    nms_match,
    softnms,
)
from mmcv_torchvision_ops.roi_align import (
    roi_align_backward,
    roi_align_forward,
)
from mmcv_torchvision_ops.roi_pool import (
    roi_pool_backward,
    roi_pool_forward,
)

__all__ = [
    'deform_conv_backward_input',
    'deform_conv_backward_parameters',
    'deform_conv_forward',
    'get_compiler_version',
    'get_compiling_cuda_version',
    'modulated_deform_conv_backward',
    'modulated_deform_conv_forward',
    'ms_deform_attn_backward',
    'ms_deform_attn_forward',
    'nms',
    'nms_match',
    'roi_align_backward',
    'roi_align_forward',
    'roi_pool_backward',
    'roi_pool_forward',
    'sigmoid_focal_loss_backward',
    'sigmoid_focal_loss_forward',
    'softmax_focal_loss_backward',
    'softmax_focal_loss_forward',
    'softnms',
]


def _unsupported(name: str, *args: object, **kwargs: object) -> NoReturn:
    raise NotImplementedError(
        f"mmcv's operator '{name}' is not among those of mmcv-torchvision-ops. It "
        'needs the full mmcv, compiled with its operators: '
        'pip uninstall -y mmcv-torchvision-ops mmcv-lite && '
        'pip install openmim && mim install "mmcv==2.0.0rc4"'
    )


def __getattr__(name: str) -> Callable[..., NoReturn]:
    # mmcv.ops asks for every operator at import: all must resolve.
    if name.startswith('_'):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return partial(_unsupported, name)


def get_compiler_version() -> str:
    """What ``collect_env`` prints as the compiler of mmcv."""
    return 'none (mmcv-torchvision-ops)'


def get_compiling_cuda_version() -> str:
    """What ``collect_env`` prints as the CUDA compiler of mmcv."""
    return f'none (mmcv-torchvision-ops), CUDA of torch: {torch.version.cuda}'
