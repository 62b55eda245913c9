"""Configs, models and their weights: one place for each to be read, built, loaded."""

from __future__ import annotations

import os.path as osp
import pickle
from contextlib import contextmanager
from itertools import chain
from typing import Any, Iterator, Mapping, NamedTuple, Tuple
from urllib.error import URLError

import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.hub import get_config
from mmengine.model import is_model_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import CheckpointLoader
from mmtrack.registry import DATASETS, MODELS
from mmtrack.utils import register_all_modules
from torch import Tensor, nn

from .utils.config_overrides import check_inherited_variables, check_overrides

Shape = Tuple[int, ...]


class ConfigError(ValueError):
    """A config cannot be read, or lacks something."""


def load_config(config: str, options: dict[str, Any] | None = None) -> Config:
    """Read a config.

    Args:
        config: Path of a file, or ``'<package>::<path>'`` for a config
            that an installed OpenMMLab package ships, relative to the
            package's ``configs``.
        options: Entries to override, by their paths, as ``--cfg-options`` gives them:
            ``{'train_dataloader.batch_size': 2}``.

    Returns:
        The config.

    Raises:
        FileNotFoundError: If there is no such config.
        ConfigError: If it cannot be read, or has no place for an option.
        ValueError: If it or an option sets a variable that nothing reads any more.
    """
    if '::' not in config and not osp.isfile(config):
        raise FileNotFoundError(
            f'Config file {config} does not exist. Give the path of a config, '
            'or <package>::<path> for one that an OpenMMLab package ships, '
            'e.g. mmtrack::vid/selsa/'
            'selsa_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py'
        )
    try:
        cfg = get_config(config) if '::' in config else Config.fromfile(config)
        list(cfg.items())  # imports what a config with `import` names
    except FileNotFoundError:
        raise
    except (Exception, SystemExit) as error:  # a config is a program: anything
        raise ConfigError(
            f'Config {config} cannot be read: {type(error).__name__}: {error}'
        ) from error
    if '::' not in config:
        check_inherited_variables(config)
    if options:
        check_overrides(cfg.filename, cfg, options)
        try:
            cfg.merge_from_dict(options)
        except (KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f'{", ".join(options)} cannot be set in {config}: {error}'
            ) from error
    return cfg


@contextmanager
def scope_of(cfg: Config) -> Iterator[None]:
    """Build from the registries of a config's default scope, by default mmtrack's."""
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmtrack')):
        yield


def entry(cfg: Config, path: str) -> Any:
    """An entry that a config has to have.

    Args:
        cfg: The config.
        path: Keys with dots between them: ``'test_dataloader.dataset'``.

    Returns:
        The entry.

    Raises:
        ConfigError: If there is none, or it is None.
    """
    value: Any = cfg
    for key in path.split('.'):
        value = value.get(key) if hasattr(value, 'get') else None
        if value is None:
            raise ConfigError(f'Config {cfg.filename or ""} has no {path}')
    return value


def build_model(cfg: Config) -> nn.Module:
    """Build the model of a config."""
    model = entry(cfg, 'model')
    with scope_of(cfg):
        return MODELS.build(model)


def build_dataset(cfg: Config, phase: str = 'test') -> BaseDataset:
    """Build the dataset of a phase: 'train', 'val' or 'test'.

    Raises:
        ConfigError: If the config has no dataset for the phase.
    """
    dataset = entry(cfg, f'{phase}_dataloader.dataset')
    with scope_of(cfg):
        return DATASETS.build(dataset)


def packed_sample(dataset: BaseDataset, index: int) -> dict[str, Any]:
    """A sample of a data set, as the network takes it.

    Raises:
        ConfigError: If the pipeline does not end with a transform that packs it.
    """
    sample = dataset[index]
    if 'inputs' not in sample:
        raise ConfigError(
            'the pipeline of the data set does not end with a transform that packs '
            'what the network needs, as PackTrackInputs'
        )
    return sample


def dataset_meta(cfg: Config) -> dict[str, Any]:
    """What the test dataset of a config knows before any annotation is read."""
    dataset = entry(cfg, 'test_dataloader.dataset')
    with scope_of(cfg):
        return DATASETS.build({**dataset, 'lazy_init': True}).metainfo


class WeightFit(NamedTuple):
    """How the weights of a checkpoint fit a model.

    Attributes:
        num_taken: Number of the model's parameters that were in the checkpoint.
        num_parameters: Number of the model's parameters.
        other_shape: (shape in the checkpoint, shape in the model) by name, of weights
            that were left out for it.
        missing: Parameters that the checkpoint lacks.
        unexpected: Weights that the model lacks.
    """

    num_taken: int
    num_parameters: int
    other_shape: dict[str, tuple[Shape, Shape]]
    missing: list[str]
    unexpected: list[str]

    @property
    def exact(self) -> bool:
        """Whether checkpoint and model have the same weights."""
        return not (self.other_shape or self.missing or self.unexpected)

    @property
    def complete(self) -> bool:
        """Whether the model got all its weights."""
        return not (self.other_shape or self.missing)

    def report(self) -> str:
        """What was taken, and what was not, in a few lines."""
        lines = [f'{self.num_taken} of {self.num_parameters} parameters taken.']
        for kind, names in (
            ('of another shape', list(self.other_shape)),
            ('that the checkpoint lacks', self.missing),
            ('that the model lacks', self.unexpected),
        ):
            if not names:
                continue
            lines.append(f'{len(names)} {kind}:')
            for name in names[:_SHOWN]:
                line = f'  {name}'
                if name in self.other_shape:
                    theirs, ours = self.other_shape[name]
                    line += f': {theirs} in the checkpoint, {ours} in the model'
                lines.append(line)
            if len(names) > _SHOWN:
                lines.append(f'  ... and {len(names) - _SHOWN} more')
        return '\n'.join(lines)


# Names of each kind in a report.
_SHOWN = 10


def load_weights(model: nn.Module, filename: str, partly: bool = False) -> dict:
    """Load the weights of a checkpoint file into a model.

    Args:
        model: The model.
        filename: Path or URL of the checkpoint.
        partly: Take what fits and leave the rest as it is; see :func:`take_weights`.
            Defaults to False.

    Returns:
        The checkpoint.

    Raises:
        ValueError: If the file is no checkpoint, or does not fit.
    """
    try:
        checkpoint = CheckpointLoader.load_checkpoint(filename, 'cpu')
    except (pickle.UnpicklingError, EOFError, RuntimeError, URLError) as error:
        raise ValueError(
            f'{filename} cannot be read as a checkpoint: {error}'
        ) from error
    take_weights(model, checkpoint, filename, partly)
    return checkpoint


def take_weights(
    model: nn.Module, checkpoint: Any, name: str, partly: bool = False
) -> WeightFit:
    """Load the weights of a checkpoint in memory into a model.

    mmengine only warns about weights that are missing or of another shape, and a model
    with random weights then yields results that mean nothing.

    Args:
        model: The model, also one wrapped for several processes.
        checkpoint: What was in the file; not changed.
        name: What to call it in errors.
        partly: For the start of a training: weights of another shape and those that are
            missing are left as they are, as long as any fits. Defaults to False: each
            parameter must be there, in its shape.

    Returns:
        What was taken and what was not.

    Raises:
        ValueError: If it is no checkpoint, has weights that are no finite numbers, or
            does not fit.
    """
    if is_model_wrapper(model):
        model = model.module
    weights = _weights_of(checkpoint, name)
    check_finite(weights, name)
    with _leave_other_shapes(model) as other_shape:
        # torch tells what is missing, not the names: modules may know their old ones.
        missing, unexpected = model.load_state_dict(weights, strict=False)
    parameters = dict(model.named_parameters())
    missing = [key for key in missing if key in parameters and key not in other_shape]
    num_left = len(missing) + sum(key in parameters for key in other_shape)
    fit = WeightFit(
        num_taken=len(parameters) - num_left,
        num_parameters=len(parameters),
        other_shape=other_shape,
        missing=missing,
        unexpected=unexpected,
    )
    if fit.num_taken == 0 and fit.unexpected:
        raise ValueError(
            f'{name} has no weight that the model of the config could take. It has '
            f'{", ".join(fit.unexpected[:3])}, ...; the model has '
            f'{", ".join(list(parameters)[:3])}, ... Weights of other projects are '
            'converted by tools/model_converters/convert_checkpoint.py'
        )
    if fit.num_taken == 0 or not (partly or fit.complete):
        raise ValueError(f'{name} does not fit the model of the config: {fit.report()}')
    return fit


@contextmanager
def _leave_other_shapes(model: nn.Module) -> Iterator[dict[str, tuple[Shape, Shape]]]:
    """Let a model take no weights of another shape than it has, instead of raising.

    Modules rename weights of earlier versions while they load, so shapes are compared
    in each module, under the names that it has now.

    Yields:
        Grows while weights are loaded: shapes in the checkpoint and in the model, by
        name.
    """
    found: dict[str, tuple[Shape, Shape]] = {}

    def leave(module: nn.Module, weights: dict, prefix: str, *_: Any) -> None:
        own = (module.named_parameters, module.named_buffers)
        for name, value in chain.from_iterable(get(recurse=False) for get in own):
            other = weights.get(prefix + name)
            if other is not None and other.shape != value.shape:
                found[prefix + name] = (tuple(other.shape), tuple(value.shape))
                del weights[prefix + name]

    # Without the underscore from torch 2.5 on.
    handles = [
        module._register_load_state_dict_pre_hook(leave, with_module=True)
        for module in model.modules()
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def check_training_state(checkpoint: dict, name: str) -> None:
    """Raise a ValueError unless training can resume from a checkpoint.

    Args:
        checkpoint: What was in the file.
        name: What to call it in the error.
    """
    if not {'meta', 'optimizer'} <= checkpoint.keys():
        raise ValueError(
            f'{name} holds weights but no training state, so training cannot '
            'resume from it. To start from its weights, set "load_from" instead.'
        )


def check_finite(weights: Mapping[str, Any], name: str) -> None:
    """Raise a ValueError if weights are infinite or no numbers.

    Args:
        weights: A state dict.
        name: What to call its checkpoint in the error.
    """
    bad = [
        key
        for key, value in weights.items()
        if torch.is_tensor(value)
        and value.is_floating_point()
        and not bool(torch.isfinite(value).all())
    ]
    if bad:
        shown = ', '.join(bad[:3]) + (', ...' if len(bad) > 3 else '')
        raise ValueError(
            f'{name} has weights that are no finite numbers, {len(bad)} of '
            f'{len(weights)} ({shown}): its training has diverged. Use an earlier '
            'checkpoint'
        )


def _weights_of(checkpoint: Any, name: str) -> dict[str, Tensor]:
    """The state dict of a checkpoint, without the prefix of a wrapped model."""
    weights = checkpoint
    if isinstance(checkpoint, dict):
        weights = checkpoint.get('state_dict', checkpoint)
    if (
        not isinstance(weights, dict)
        or not weights
        or not all(torch.is_tensor(value) for value in weights.values())
        or not all(isinstance(key, str) for key in weights)
    ):
        raise ValueError(f'{name} holds no "state_dict" of weights.')
    prefix = 'module.'
    return {
        key[len(prefix) :] if key.startswith(prefix) else key: value
        for key, value in weights.items()
    }
