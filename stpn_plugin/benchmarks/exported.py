"""Frames a second of exported detectors, by onnxruntime."""

from __future__ import annotations

from itertools import count
from tempfile import TemporaryDirectory

import torch
from torch import nn

from ..deploy import ExportError, Graphs, OnnxSTPN, check_packages, write_graphs
from ..utils import MissingPackageError, import_extra
from .detectors import LARGE, SINGLE, SMALL, STPN, Scene, build, frames, read_config
from .measuring import Run, Settings, Table, comparison, take_turns

EAGER = ', eager'
NUM_REFS = 2


def build_sides(name: str, config: str, scene: Scene, settings: Settings) -> dict:
    """Tests of the next frame of a video: by the model, and by its graphs."""
    cfg = read_config(config, scene)
    if settings.quick:
        cfg.model.detector.backbone.depths = (1, 1, 1, 1)
    with TemporaryDirectory() as folder:
        write_graphs(Graphs(build(cfg, settings)), folder, 'onnx')
        exported = OnnxSTPN(folder)
    num_refs = 0 if config == SINGLE else NUM_REFS
    return {
        f'{name}{EAGER}': _side(build(cfg, settings), scene, num_refs),
        f'{name}, onnxruntime': _side(exported.eval(), scene, num_refs),
    }


def _side(model: nn.Module, scene: Scene, num_refs: int) -> Run:
    numbers = count(1)

    def test(number: int, refs: int) -> None:
        with torch.no_grad():
            model.test_step(frames(scene, number, 1, refs))

    test(0, num_refs)
    return lambda: test(next(numbers), 0)


def measure(name: str, config: str, scene: Scene, settings: Settings) -> Table:
    """Compare a model with its graphs."""
    repeats = settings.repeats(9 if scene.small else 3)
    costs = take_turns(
        build_sides(name, config, scene, settings), repeats, settings.device
    )
    return Table(
        f"Exported to ONNX, after a video's first frame, {name}, {scene.name}; "
        f'medians of {repeats}',
        comparison(costs, [f'{name}{EAGER}'], settings, unit='frame'),
        'No boxes are left of random weights. onnxruntime keeps the memory of its '
        'first run, so there is none to be seen beyond it.',
    )


def tables(settings: Settings) -> list[Table]:
    """All about exported models; nothing without the extra ``export``."""
    try:
        check_packages('onnx')
        import_extra('onnxruntime', 'export')
    except (ExportError, MissingPackageError) as error:
        return [Table('Exported to ONNX', [['not measured'], [str(error)]])]
    if settings.quick:
        return [measure('single frame', SINGLE, SMALL, settings)]
    return [measure('STPN', STPN, scene, settings) for scene in (SMALL, LARGE)]
