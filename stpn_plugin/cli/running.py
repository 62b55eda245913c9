"""Options of training and testing, and what they mean for a config."""

from __future__ import annotations

import os
import os.path as osp
from dataclasses import dataclass
from datetime import timedelta
from inspect import signature
from typing import Any, Callable

import torch
import torch.distributed as torch_dist
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch.nn.parallel import DistributedDataParallel

from ..builders import ConfigError
from ..evaluation import MetricError
from ..utils import check_writable
from .command import one_line, option
from .configs import ConfigOptions

_ERRORS_OF_LAYERS = (
    *(RuntimeError, TypeError, KeyError, IndexError),
    *(AttributeError, NameError, AssertionError),
)
#: How long processes wait for each other, unless the config says it.
TIMEOUT_SECONDS = 1800


@dataclass
class RunOptions(ConfigOptions):
    """What training and testing share."""

    work_dir: str | None = option(
        'folder for logs and results, default: the work_dir of the config, else '
        './work_dirs/<config name>'
    )
    launcher: str = option(
        'how the processes were started',
        default='none',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
    )
    # torch 2.0 renamed the option that its launcher passes, `mim train` among others.
    local_rank: int = option(
        'set by torch.distributed.launch',
        default=0,
        flags=('--local_rank', '--local-rank'),
    )


def prepare_common_cfg(options: RunOptions) -> Config:
    """Read the config and apply the options that training and testing share.

    Raises:
        OSError: The work dir cannot be written.
        ValueError: The launcher needs GPUs, and there are none.
    """
    os.environ.setdefault('LOCAL_RANK', str(options.local_rank))
    cfg = options.read_config()
    cfg.launcher = options.launcher
    if options.work_dir is not None:
        cfg.work_dir = options.work_dir
    elif cfg.get('work_dir') is None:
        name = osp.splitext(osp.basename(options.config))[0]
        cfg.work_dir = osp.join('work_dirs', name)
    check_writable(osp.join(cfg.work_dir, 'log'))
    _check_entries(cfg)
    if cfg.launcher != 'none':
        # Through this folder metrics collect the results of all processes.
        check_writable(osp.join('.dist_test', 'results'))
        cfg.setdefault('env_cfg', dict()).setdefault('dist_cfg', dict())
        cfg.env_cfg.dist_cfg.setdefault('timeout', TIMEOUT_SECONDS)
    if cfg.launcher != 'none' and get_device() == 'cpu':
        _prepare_cpu_processes(cfg)
    return cfg


def _check_entries(cfg: Config) -> None:
    """Raise a ValueError for what would fail late, in a place that tells nothing."""
    for name in ('val_interval', 'max_epochs', 'max_iters'):
        value = _part(cfg, 'train_cfg').get(name)
        if value is not None and not (isinstance(value, int) and value > 0):
            raise ValueError(f'train_cfg.{name} is {value!r}, no positive whole number')
    window = _part(cfg, 'log_processor').get('window_size', 1)
    if not isinstance(window, int):
        raise ValueError(f'log_processor.window_size is {window!r}, no whole number')
    for phase in ('train', 'val', 'test'):
        datasets = [_part(cfg, f'{phase}_dataloader').get('dataset')]
        for dataset in datasets:  # grows
            if not isinstance(dataset, dict):
                continue
            datasets += [dataset.get('dataset'), *(dataset.get('datasets') or ())]
            if 'pipeline' in dataset and not dataset['pipeline']:
                raise ValueError(
                    f'a data set of {phase}_dataloader has an empty pipeline: it ends '
                    'with a transform that packs inputs, as PackTrackInputs'
                )


def _part(cfg: Config, name: str) -> dict[str, Any]:
    value = cfg.get(name)
    return value if isinstance(value, dict) else {}  # else building it tells


def _prepare_cpu_processes(cfg: Config) -> None:
    """Let several processes work without any GPU.

    mmengine selects a CUDA device both when it joins the processes and when
    it wraps the model, also for the gloo backend.
    """
    if cfg.launcher != 'pytorch':
        raise ValueError(
            f'--launcher {cfg.launcher} needs GPUs and none was '
            'found. On CPU use tools/dist_*.sh.'
        )
    dist_cfg = cfg.env_cfg.dist_cfg
    if dist_cfg.get('backend') != 'gloo':
        if os.environ.get('RANK', '0') == '0':
            print_log('No GPU found: processes talk over gloo.', logger='current')
    dist_cfg.backend = 'gloo'
    if not torch_dist.is_initialized():
        timeout = timedelta(seconds=dist_cfg.timeout)
        torch_dist.init_process_group('gloo', timeout=timeout)
    if cfg.get('model_wrapper_cfg') is None:
        # Buffers stay each process's own, as mmengine has it; torch renamed that.
        known = signature(DistributedDataParallel).parameters
        buffers = {'forward_sync_buffers', 'broadcast_buffers'}.intersection(known)
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            find_unused_parameters=cfg.get('find_unused_parameters', False),
            **{max(buffers): False},
        )
    cfg.model_wrapper_cfg.device_ids = None


def check_exists(checkpoint: Any) -> None:
    """Raise unless a checkpoint is a file or some kind of URL."""
    if not isinstance(checkpoint, str):  # a config may have anything
        raise ValueError(f'load_from is {checkpoint!r}, not the path of a checkpoint')
    if '://' not in checkpoint and not osp.isfile(checkpoint):
        what = 'is a folder' if osp.isdir(checkpoint) else 'does not exist'
        raise FileNotFoundError(f'Checkpoint {checkpoint} {what}.')


class _StepsDone(Hook):
    """Knows whether a model has got through a step."""

    any = False

    def _after_iter(self, *args: Any, **kwargs: Any) -> None:
        self.any = True


def run_loop(runner: Runner, loop: Callable[[], Any]) -> None:
    """Train or test, and tell of a config whose model cannot do a single step.

    Many values of a config are used for the first time in a step, deep in layers that
    know nothing of the config. Processes that worked together part at the end.

    Args:
        runner: The runner.
        loop: Its method that trains or tests.

    Raises:
        ConfigError: The first step failed. Errors of later steps stay what they are.
    """
    steps = _StepsDone()
    runner.register_hook(steps)
    try:
        loop()
    except _ERRORS_OF_LAYERS as error:
        if steps.any or isinstance(error, (MetricError, torch.cuda.OutOfMemoryError)):
            raise
        raise ConfigError(
            f'{runner.cfg.filename}: the first step of what it describes fails: '
            f'{one_line(error)}'
        ) from error
    if torch_dist.is_initialized():
        # Left to the interpreter's end, gloo's threads have ended a process by abort.
        torch_dist.destroy_process_group()
