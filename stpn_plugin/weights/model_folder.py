"""A trained model as a folder that others can use: weights, config, and a card."""

from __future__ import annotations

import hashlib
import json
import os.path as osp
import re
import textwrap
from inspect import signature
from typing import Any, Mapping

import yaml
from mmengine.config import Config
from mmengine.runner import Runner
from torch import Tensor, nn

from ..builders import build_model, check_finite, dataset_meta, entry, take_weights
from ..models.class_check import check_num_classes, checkpoint_classes
from ..utils import (
    classes_in,
    markdown_table,
    whole_folder,
    whole_text,
    write_json,
)
from ..utils.literal_configs import parse_literal_config
from ..utils.model_folders import CARD, CONFIG, SETTINGS, WEIGHTS
from ..utils.safetensors_files import write_safetensors_parts
from ..version import __version__
from .checkpoint_file import Checkpoint, read_checkpoint
from .convert import convert_weights

# What runners read of a config, but for what is of the run that trained it. Variables
# that the config was written with, such as transforms by name, are in there already.
_OF_ONE_RUN = {'work_dir', 'load_from', 'resume', 'launcher', 'experiment_name'}
_KEPT = {
    *(set(signature(Runner.__init__).parameters) - _OF_ONE_RUN),
    *('custom_imports', 'find_unused_parameters', 'model_wrapper_cfg', 'sync_bn'),
}

_CARD = """\
# {name}

{model}: a video object detector of stpn_plugin {version}, a plugin for MMTracking 1.x.
{parameters:,} parameters{precision}.

{description}

## Use

```python
from stpn_plugin.apis import VideoDetector

detector = VideoDetector.from_pretrained('{name}')  # this folder, or its repo id
for result in detector.detect_video('video.mp4'):
    print(result.frame_id, result.names)
```

```shell
stpn demo video.mp4 {name} --out-video found.mp4
stpn test {name}/config.py {name}/{weights}
```

## Classes

{classes}

## Training

{training}

## Results

{results}

## Method

Spatio-temporal prompting: Sun et al., *Spatio-temporal Prompting Network for Robust
Video Feature Extraction*, ICCV 2023.

## Files

{files}
"""


def publish_folder(
    source: str,
    folder: str,
    config: Config | None = None,
    half: bool = False,
    license: str | None = None,
    metrics: Mapping[str, float] | None = None,
    description: str | None = None,
    max_bytes: int = 5 * 10**9,
) -> str:
    """Write a checkpoint as a folder in the layout of Hugging Face's Hub.

    ``model.safetensors`` or, if that was too large, several and their index;
    ``config.py``, ``config.json`` with the names of the classes, and ``README.md``, a
    model card. Released weights of the STPN authors are converted, see
    :func:`~stpn_plugin.weights.convert_checkpoint`.

    Args:
        source: Checkpoint; nothing that it may bring along is run.
        folder: Folder to write, which does not exist.
        config: Config of the model. Defaults to the one in the checkpoint, where
            training has put it.
        half: Write half precision.
        license: Identifier of the licence, for the card.
        metrics: Scores of the model, for the card.
        description: What the model is for, for the card.
        max_bytes: Largest size of a file of weights.

    Returns:
        Path of the weights, or of the index of their files.

    Raises:
        OSError: The source does not exist, or the folder does, or cannot be written.
        ValueError: The source is no checkpoint, does not fit the config, or there is
            no config.
    """
    checkpoint = read_checkpoint(source)
    check_finite(checkpoint.weights, source)
    cfg = config or _config_in(checkpoint, source)
    cfg = Config({key: value for key, value in cfg.items() if key in _KEPT})
    model = build_model(cfg)
    weights = _fitting_weights(checkpoint, model, source)
    classes = checkpoint_classes(dict(meta=checkpoint.meta))
    classes = classes or classes_in(dataset_meta(cfg)) or ()
    check_num_classes(model, classes)
    if half:
        weights = {
            key: value.half() if value.is_floating_point() else value
            for key, value in weights.items()
        }
    metadata = dict(
        format='pt',
        classes=json.dumps(classes),
        stpn_plugin_version=__version__,
    )
    with whole_folder(folder) as unfinished:
        written, digests = _write_weights(unfinished, weights, metadata, max_bytes)
        with whole_text(osp.join(unfinished, CONFIG)) as file:
            file.write(cfg.pretty_text)
        settings = dict(
            library_name='stpn_plugin',
            library_version=__version__,
            architectures=[str(entry(cfg, 'model.type'))],
            id2label=dict(enumerate(classes)),
        )
        write_json(osp.join(unfinished, SETTINGS), settings)
        name = osp.basename(osp.abspath(folder))
        results = 'None were given.'
        if metrics:
            rows = [(key, f'{value:.4g}') for key, value in metrics.items()]
            results = markdown_table([('metric', 'value'), *rows])
        text = _CARD.format(
            name=name,
            model=_describe(cfg),
            version=__version__,
            parameters=sum(p.numel() for p in model.parameters()),
            precision=', in half precision' if half else '',
            weights=written,
            description=textwrap.fill(description or '', 88),
            classes=', '.join(classes) or 'Unknown.',
            training=_training(checkpoint, cfg, source),
            results=results,
            files=markdown_table([('file', 'SHA-256'), *digests.items()]),
        )
        with whole_text(osp.join(unfinished, CARD)) as file:
            text = re.sub('\n{3,}', '\n\n', text)
            file.write(f'---\n{_front_matter(name, license)}---\n\n{text}')
    return osp.join(folder, written)


def _config_in(checkpoint: Checkpoint, source: str) -> Config:
    """The config that training put into a checkpoint, read as data."""
    text = checkpoint.meta.get('cfg')
    if not isinstance(text, str):
        raise ValueError(f'{source} has no config in it: give --config')
    return Config(parse_literal_config(text, f'the config in {source}'))


def _fitting_weights(
    checkpoint: Checkpoint, model: nn.Module, source: str
) -> dict[str, Tensor]:
    """Weights under the model's names.

    Raises:
        ValueError: They do not fit, converted neither.
    """
    weights = checkpoint.weights
    try:
        take_weights(model, dict(state_dict=weights), source)
    except ValueError as misfit:
        if not hasattr(model, 'detector'):
            raise
        conversion = convert_weights(weights, model)
        if not conversion.complete or conversion.backbone_only:
            raise ValueError(
                f'{misfit}; nor does it when converted: {len(conversion.missing)} '
                f'weights missing, {len(conversion.wrong_shape)} of another shape, '
                f'such as {[*conversion.missing, *conversion.wrong_shape][:3]}'
            ) from misfit
        return conversion.weights
    names = model.state_dict()
    return {name: weights[name] for name in weights if name in names}


def _write_weights(
    folder: str,
    weights: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    max_bytes: int,
) -> tuple[str, dict[str, str]]:
    """Name of the file of weights or of the index, and SHA-256 of the files."""
    path = osp.join(folder, WEIGHTS)
    names, index = write_safetensors_parts(path, weights, metadata, max_bytes)
    digests = {}
    for name in names:
        with open(osp.join(folder, name), 'rb') as file:
            digests[name] = hashlib.sha256(file.read()).hexdigest()
    return index or names[0], digests


def _describe(cfg: Config) -> str:
    """The types of a model's parts."""
    model = cfg.model
    detector = model.get('detector') or model
    kinds = [model, detector, detector.get('backbone') or {}]
    names = dict.fromkeys(str(kind.get('type')).split('.')[-1] for kind in kinds)
    return ', '.join(name for name in names if name != 'None')


def _training(checkpoint: Checkpoint, cfg: Config, source: str) -> str:
    meta: dict[str, Any] = checkpoint.meta
    lines = [f'Made from `{osp.basename(source)}`.']
    if isinstance(meta.get('iter'), int):
        lines.append(f'Trained for {meta["iter"]:,} iterations.')
    dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    sets = [dataset, *dataset.get('datasets', ())]
    files = [str(item['ann_file']) for item in sets if item.get('ann_file')]
    if files:
        names = ', '.join(f'`{osp.basename(file)}`' for file in files)
        lines.append(f'The config trains on {names}.')
    return ' '.join(lines)


def _front_matter(name: str, license: str | None) -> str:
    """What the Hub reads of a card."""
    fields: dict[str, Any] = dict(
        library_name='stpn_plugin',
        pipeline_tag='object-detection',
        tags=['video-object-detection', 'stpn', 'mmtracking'],
    )
    if license:
        fields = dict(license=license, **fields)
    return yaml.safe_dump(fields, sort_keys=False)
