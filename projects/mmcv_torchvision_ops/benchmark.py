"""Time and memory of the operators, next to those of a compiled mmcv if there is one.

Every case runs forward and, where there is one, backward through ``mmcv.ops``, with
sizes of a detector on an 800 x 1333 image.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import importlib.util
import sys
import time
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType
from typing import Callable, Dict, Iterator

import torch
from mmcv import ops
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction
from torch import Tensor

Cases = Dict[str, Callable[[], object]]


def make_cases(device: torch.device) -> Cases:
    """Names and functions of what is timed."""

    def randn(*shape: int) -> Tensor:
        return torch.randn(shape, device=device, requires_grad=True)

    def backward(output: Tensor) -> None:
        output.backward(torch.ones_like(output))

    corners = torch.rand(1000, 2, device=device) * 700
    boxes = torch.cat((corners, corners + torch.rand_like(corners) * 300), 1)
    scores = torch.rand(1000, device=device)
    labels = torch.arange(1000, device=device) % 30
    dets = torch.cat((boxes, scores[:, None]), 1)
    rois = torch.cat((torch.zeros_like(scores)[:512, None], boxes[:512]), 1)

    stride8, stride16 = randn(1, 256, 100, 168), randn(1, 256, 50, 84)
    kernel = randn(256, 256, 3, 3)
    offset, mask = randn(1, 18, 50, 84), randn(1, 9, 50, 84)
    logits = randn(20000, 30)
    targets = torch.randint(0, 31, (20000,), device=device)
    known = targets.clamp(max=29)

    shapes = torch.tensor([[50, 84], [25, 42], [13, 21]], device=device)
    sizes = shapes.prod(1)
    value = randn(1, int(sizes.sum()), 8, 32)
    points = torch.rand(1, 1000, 8, 3, 4, 2, device=device, requires_grad=True)
    attention = randn(1, 1000, 8, 3, 4)

    def align(ratio: int, mode: str) -> Callable[[], None]:
        return lambda: backward(
            ops.roi_align(stride8, rois, 7, 0.125, ratio, mode, True)
        )

    return {
        'nms, 1000 boxes': lambda: ops.nms(boxes, scores, 0.5),
        'nms with offset 1': lambda: ops.nms(boxes, scores, 0.5, 1),
        'batched_nms, 30 classes': lambda: ops.batched_nms(
            boxes, scores, labels, dict(type='nms', iou_threshold=0.5)
        ),
        'soft_nms, 1000 boxes': lambda: ops.soft_nms(boxes, scores),
        'nms_match, 1000 boxes': lambda: ops.nms_match(dets, 0.5),
        'roi_align avg, 512 RoIs': align(0, 'avg'),
        'roi_align max, ratio 2': align(2, 'max'),
        'roi_align max, ratio 0': align(0, 'max'),
        'roi_pool, 512 RoIs': lambda: backward(ops.roi_pool(stride8, rois, 7, 0.125)),
        'deform_conv, 256 channels': lambda: backward(
            ops.deform_conv2d(stride16, offset, kernel, 1, 1)
        ),
        'modulated_deform_conv': lambda: backward(
            ops.modulated_deform_conv2d(stride16, offset, mask, kernel, None, 1, 1)
        ),
        'sigmoid_focal_loss, 20000 x 30': lambda: backward(
            ops.sigmoid_focal_loss(logits, targets)
        ),
        'softmax_focal_loss, 20000 x 30': lambda: backward(
            ops.softmax_focal_loss(logits, known)
        ),
        'ms_deform_attn, 1000 queries': lambda: backward(
            MultiScaleDeformableAttnFunction.apply(
                value, shapes, sizes.cumsum(0) - sizes, points, attention, 64
            )
        ),
    }


def extensions() -> Iterator[tuple[str, ModuleType]]:
    """This project's module, and mmcv's compiled one if there is one."""
    project = Path(__file__).parent  # on sys.path, as this is a program in it
    spec = importlib.util.spec_from_file_location('here', project / 'mmcv' / '_ext.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield 'here', module
    installed = importlib.import_module('mmcv._ext')
    if str(installed.__file__).endswith(tuple(EXTENSION_SUFFIXES)):
        yield 'compiled', installed


def use(extension: ModuleType) -> None:
    """Let ``mmcv.ops`` call the operators of this module."""
    for name, module in list(sys.modules.items()):
        if name.startswith('mmcv.ops.') and hasattr(module, 'ext_module'):
            module.ext_module = extension  # type: ignore[attr-defined]


def resident(field: str) -> float:
    """A memory field of this process in MiB (Linux)."""
    status = Path('/proc/self/status').read_text()
    return int(status.split(f'{field}:')[1].split()[0]) / 1024


def measure(
    function: Callable[[], object], device: torch.device, repeat: int
) -> tuple[float, float] | None:
    """Best milliseconds and peak MiB above the start; None if there is no kernel."""
    if device.type == 'cuda':
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() / 2**20
    else:
        ctypes.CDLL(None).malloc_trim(0)  # or freed memory would be used unseen
        Path('/proc/self/clear_refs').write_text('5')  # resets VmHWM
        before = resident('VmRSS')
    try:
        function()
    except RuntimeError as error:
        if 'implementation for device' not in str(error):
            raise
        return None
    best = float('inf')
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        if device.type == 'cuda':
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    if device.type == 'cuda':
        peak = torch.cuda.max_memory_allocated() / 2**20
    else:
        peak = resident('VmHWM')
    return 1000 * best, peak - before


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--device', default='cpu', type=torch.device)
    parser.add_argument('--repeat', default=5, type=int, help='the best run counts')
    parser.add_argument('--threads', default=1, type=int)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)

    modules = dict(extensions())
    rows = [[f'{args.device}, torch {torch.__version__}', *modules], ['---']]
    rows[1] *= len(rows[0])
    for case, function in make_cases(args.device).items():
        row = [case]
        for module in modules.values():
            use(module)
            result = measure(function, args.device, args.repeat)
            row.append(
                'none' if result is None else '{:.1f} ms, {:.0f} MiB'.format(*result)
            )
        rows.append(row)
    table = '\n'.join('| ' + ' | '.join(row) + ' |' for row in rows)
    print(table)  # noqa: T201


if __name__ == '__main__':
    main()
