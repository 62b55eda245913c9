"""Writing a trained model as graphs that run without its code."""

from __future__ import annotations

import importlib
import io
import logging
import os
import os.path as osp
import warnings
from contextlib import contextmanager
from typing import Any, Iterator

import torch
from mmengine.config import Config
from torch import nn

from ..builders import build_model, dataset_meta, entry, load_weights
from ..models.class_check import check_num_classes, checkpoint_classes
from ..utils import import_extra, named_write_errors, whole_binary, whole_folder
from .errors import ExportError
from .graphs import Graphs

#: Suffix of the files of each format.
SUFFIXES = {'onnx': 'onnx', 'torch': 'pt2'}
CONFIG = 'config.py'

# Sizes that a graph is recorded at; what they are is of no consequence.
_BATCH, _FRAMES, _SIZE = 2, 3, (230, 260)


def export_model(
    cfg: Config,
    checkpoint: str,
    folder: str,
    form: str = 'onnx',
    maps: bool = False,
) -> list[str]:
    """Export the model of a config.

    Frames (N, 3, H, W) are those of the test pipeline as they are: BGR or RGB as it
    loads them, float32 from 0 to 255, of any number and size. The files are::

        support  frames (N, 3, H, W)           -> features (N, C, h, w)
        prompts  features (B, T, C, h, w)      -> prompts (B, P, C1)
        frame    frames (B, 3, H, W), prompts  -> boxes (B, K, 4), scores (B, K),
                                                  labels (B, K); or maps (B, Ci, Hi, Wi)

    The first two together make prompts of support frames, and are not written where
    prompts need none; they are two, so that each support frame is looked at once.
    Boxes are in pixels of the frames. Where there are fewer than K, scores are 0 and
    labels -1. Prompts of single blocks have a tensor each, named by stage and block.

    Args:
        cfg: The config.
        checkpoint: Path or URL of the weights.
        folder: Folder to write to, which does not exist.
        form: ``'onnx'``, or ``'torch'`` for programs of ``torch.export``.
        maps: Whether ``frame`` ends with the feature maps that go into the heads.

    Returns:
        Names of the files.

    Raises:
        ExportError: The model cannot be exported.
        MissingPackageError: A package is missing.
        OSError: The folder exists, or cannot be written.
        ValueError: The checkpoint does not fit.
    """
    if osp.lexists(folder):
        raise FileExistsError(f'{folder} exists')
    check_packages(form)
    model = build_model(cfg)
    content = load_weights(model, checkpoint)
    classes = checkpoint_classes(content) or tuple(dataset_meta(cfg)['CLASSES'])
    check_num_classes(model, classes)
    graphs = Graphs(model.eval(), maps)
    with whole_folder(folder) as temporary:
        write_graphs(graphs, temporary, form)
        path = osp.join(temporary, CONFIG)
        with named_write_errors(path):
            _run_config(cfg, classes, maps).dump(path)
        return sorted(os.listdir(temporary))


def write_graphs(graphs: Graphs, folder: str, form: str) -> None:
    """Write the files of :func:`export_model`, but the config.

    Args:
        graphs: What to write.
        folder: Where to; it is there.
        form: As of :func:`export_model`.
    """
    with torch.no_grad(), _for_any_size(), _quiet():
        for name, (graph, example) in _examples(graphs).items():
            path = osp.join(folder, f'{name}.{SUFFIXES[form]}')
            program = torch.export.export(
                graph, example, dynamic_shapes=_shapes(name, example)
            )
            if form == 'torch':
                _save_program(program, path)
            else:
                _save_onnx(program, path, *_names(name, graphs, program))


def check_packages(form: str) -> None:
    """Raise a ValueError unless all is there that a format takes."""
    if not hasattr(_tracing_settings(), 'backed_size_oblivious'):
        raise ExportError(
            f'torch {torch.__version__} cannot export graphs for any size of frames: '
            'take torch 2.14 or later'
        )
    for name in ('onnx', 'onnxscript') if form == 'onnx' else ():
        import_extra(name, 'export')


def _examples(graphs: Graphs) -> dict[str, tuple[nn.Module, tuple]]:
    """Graphs by the names of their files, each with what it is recorded with."""
    frames = torch.zeros(_BATCH, 3, *_SIZE)
    if graphs.support is None or graphs.prompts is None:
        return dict(frame=(graphs.frame, (frames,)))
    support = torch.zeros(_BATCH * _FRAMES, 3, *_SIZE)
    features = tuple(
        one.unflatten(0, (_BATCH, _FRAMES)) for one in graphs.support(support)
    )
    prompts = graphs.prompts(features)
    return dict(
        support=(graphs.support, (support,)),
        prompts=(graphs.prompts, (features,)),
        frame=(graphs.frame, (frames, prompts)),
    )


def _shapes(name: str, example: tuple) -> tuple:
    """Which dimensions may have any size."""
    some = torch.export.Dim.DYNAMIC
    frames = {0: some, 2: some, 3: some}
    if name == 'prompts':
        return (tuple({0: some, 1: some, 3: some, 4: some} for _ in example[0]),)
    if len(example) == 1:
        return (frames,)
    return (frames, tuple({0: some} for _ in example[1]))


def _names(name: str, graphs: Graphs, program: Any) -> tuple[list[str], list[str]]:
    """Names of a graph's inputs and outputs."""

    def tensors(kind: str) -> list[str]:
        if graphs.keys is None:
            return [kind]
        return [f'{kind}_{stage}_{block}' for stage, block in graphs.keys]

    if name == 'support':
        return ['frames'], tensors('features')
    if name == 'prompts':
        return tensors('features'), tensors('prompts')
    prompts = [] if graphs.prompts is None else tensors('prompts')
    found = ['boxes', 'scores', 'labels']
    if graphs.frame.head is None:
        found = [f'maps_{i}' for i in range(len(program.graph_signature.user_outputs))]
    return ['frames', *prompts], found


def _save_program(program: Any, path: str) -> None:
    # In memory first: if the disk is full, torch ends the process.
    content = io.BytesIO()
    torch.export.save(program, content)
    with whole_binary(path) as file:
        file.write(content.getbuffer())


def _save_onnx(program: Any, path: str, inputs: list[str], outputs: list[str]) -> None:
    made = torch.onnx.export(
        program, dynamo=True, input_names=inputs, output_names=outputs, verbose=False
    )
    with named_write_errors(path):
        made.save(path)


def _run_config(cfg: Config, classes: tuple[str, ...], maps: bool) -> Config:
    """What runs the graphs: a config of its own, with the test pipeline of the old."""
    dataset = entry(cfg, 'test_dataloader.dataset').to_dict()
    dataset['metainfo'] = {**(dataset.get('metainfo') or {}), 'CLASSES': classes}
    imports = [*(cfg.get('custom_imports') or {}).get('imports', [])]
    model = dict(type='OnnxSTPN')
    for key in ('support', 'support_chunk_size'):
        if cfg.model.get(key) is not None:
            model[key] = cfg.model[key]
    made = dict(
        custom_imports=dict(imports=[*imports, 'stpn_plugin', 'stpn_plugin.deploy']),
        default_scope=cfg.get('default_scope', 'mmtrack'),
        test_dataloader=dict(dataset=dataset),
    )
    if not maps:
        made['model'] = model
    return Config(made)


@contextmanager
def _for_any_size() -> Iterator[None]:
    """Let torch take no size for granted, not even that there is more than one."""
    settings = _tracing_settings()
    before = settings.backed_size_oblivious
    settings.backed_size_oblivious = True
    try:
        yield
    finally:
        settings.backed_size_oblivious = before


def _tracing_settings() -> Any:
    """Module of settings of torch, None if it has none."""
    try:
        return importlib.import_module('torch.fx.experimental._config')
    except ImportError:
        return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what torch's exporters warn of and users cannot change."""
    logger = logging.getLogger('onnx_ir')
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logger.setLevel(level)
