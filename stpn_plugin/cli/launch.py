"""From command line arguments to a :class:`mmengine.runner.Runner`.

``tools/train.py`` and ``tools/test.py`` are argument parsers over these
functions; everything that can be decided without a running model is decided
here, before the runner is built.
"""

from __future__ import annotations

import argparse
import os
import os.path as osp

import torch.distributed as torch_dist
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.runner import find_latest_checkpoint

from ..builders import load_config
from ..compat import add_local_rank_argument
from ..evaluation import (
    as_list,
    check_outputs,
    format_only_evaluator,
    select_evaluators,
    set_options,
)
from ..utils import check_writable

# Every ImageNet VID recipe of mmtracking and of STPN is written for 8 images.
BASE_BATCH_SIZE = 8


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that training and testing share.

    Args:
        parser (argparse.ArgumentParser): Parser to extend, in place.
    """
    parser.add_argument(
        'config',
        help='config file, or a config of an installed OpenMMLab package such '
        'as mmtrack::vid/dff/dff_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py',
    )
    parser.add_argument(
        '--work-dir',
        help='folder for logs and results, default: the work_dir of the '
        'config, else ./work_dirs/<config name>',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override entries of the config, e.g. '
        'train_dataloader.batch_size=2 \'a.b="[1,2]"\'',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes were started',
    )
    add_local_rank_argument(parser)


def prepare_train_cfg(args: argparse.Namespace) -> Config:
    """Turn the arguments of ``tools/train.py`` into a complete config.

    Args:
        args (argparse.Namespace): The common arguments, and ``amp``,
            ``auto_scale_lr`` and ``resume``.

    Returns:
        Config: What the runner is to be built from.

    Raises:
        FileNotFoundError: If the config or the checkpoint is missing.
        OSError: If the work dir cannot be written.
        ValueError: If ``--amp`` does not fit the config or the device.
    """
    cfg = _prepare_common_cfg(args)
    if args.amp:
        _enable_amp(cfg)
    if args.auto_scale_lr:
        cfg.setdefault('auto_scale_lr', dict())
        cfg.auto_scale_lr.setdefault('base_batch_size', BASE_BATCH_SIZE)
        cfg.auto_scale_lr.enable = True
    if args.resume is not None:
        checkpoint = args.resume
        if checkpoint == 'auto':
            checkpoint = find_latest_checkpoint(cfg.work_dir)
        # A job that is always started with --resume has nothing to resume at first.
        cfg.resume = checkpoint is not None
        cfg.load_from = checkpoint or cfg.get('load_from')
    if cfg.get('load_from') is not None:
        _check_exists(cfg.load_from)
    return cfg


def prepare_test_cfg(args: argparse.Namespace) -> Config:
    """Turn the arguments of ``tools/test.py`` into a complete config.

    Args:
        args (argparse.Namespace): The common arguments, and those that
            ``tools/test.py`` adds.

    Returns:
        Config: What the runner is to be built from. ``load_from`` names the
        checkpoint, ``test_evaluator`` is a list.

    Raises:
        FileNotFoundError: If the config or the checkpoint is missing.
        OSError: If an output cannot be written.
        ValueError: If arguments contradict each other or the config, or no
            checkpoint is given.
    """
    cfg = _prepare_common_cfg(args)
    cfg.load_from = _choose_checkpoint(
        args.checkpoint_arg, args.checkpoint, cfg.get('load_from')
    )
    cfg.resume = False
    _check_exists(cfg.load_from)

    evaluators = as_list(cfg.get('test_evaluator'))
    if args.format_only:
        prefix = osp.join(cfg.work_dir, 'results')
        evaluators = [
            format_only_evaluator(evaluators, cfg.test_dataloader.dataset, prefix)
        ]
    elif args.eval:
        evaluators = select_evaluators(
            evaluators, args.eval, cfg.test_dataloader.dataset
        )
    if args.eval_options:
        evaluators = set_options(evaluators, args.eval_options)
    if args.out:
        # First: whatever happens to the metrics, the predictions are on the disk.
        evaluators = [
            dict(type='DumpVideoResults', out_file_path=args.out),
            *evaluators,
        ]
    cfg.test_evaluator = evaluators
    check_outputs(evaluators)
    if args.show_dir is not None:
        check_writable(osp.join(args.show_dir, 'frame'))
    if args.show or args.show_dir:
        _enable_visualization(cfg, args.show, args.show_dir)
    return cfg


def _prepare_common_cfg(args: argparse.Namespace) -> Config:
    """Read the config and apply the arguments of both tools."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = load_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        name = osp.splitext(osp.basename(args.config))[0]
        cfg.work_dir = osp.join('work_dirs', name)
    check_writable(osp.join(cfg.work_dir, 'log'))
    if cfg.launcher != 'none':
        # Through this folder metrics collect the results of all processes.
        check_writable(osp.join('.dist_test', 'results'))
    if cfg.launcher != 'none' and get_device() == 'cpu':
        _prepare_cpu_processes(cfg)
    return cfg


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
    cfg.setdefault('env_cfg', dict())
    dist_cfg = cfg.env_cfg.setdefault('dist_cfg', dict())
    if dist_cfg.get('backend') != 'gloo':
        print_log('No GPU found: processes talk over gloo.', logger='current')
    dist_cfg.backend = 'gloo'
    if not torch_dist.is_initialized():
        torch_dist.init_process_group('gloo')
    if cfg.get('model_wrapper_cfg') is None:
        cfg.model_wrapper_cfg = dict(
            type='MMDistributedDataParallel',
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )
    cfg.model_wrapper_cfg.device_ids = None


def _enable_amp(cfg: Config) -> None:
    """Switch the optimizer wrapper to mixed precision."""
    if get_device() == 'cpu':
        raise ValueError('--amp needs a GPU and none was found.')
    wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if wrapper == 'AmpOptimWrapper':
        return
    if wrapper != 'OptimWrapper':
        raise ValueError(
            '--amp replaces optim_wrapper.type "OptimWrapper", '
            f'the config has "{wrapper}".'
        )
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def _choose_checkpoint(
    positional: str | None, option: str | None, load_from: str | None
) -> str:
    """One checkpoint out of the three places that can name one."""
    if positional and option and positional != option:
        raise ValueError(
            f'Two checkpoints are given, {positional} and '
            f'--checkpoint {option}. Give one.'
        )
    checkpoint = positional or option or load_from
    if not checkpoint:
        raise ValueError(
            'No checkpoint: give one after the config, with '
            '--checkpoint, or as "load_from" in the config.'
        )
    return checkpoint


def _check_exists(checkpoint: str) -> None:
    """Raise unless a checkpoint is a file or some kind of URL."""
    if '://' not in checkpoint and not osp.isfile(checkpoint):
        what = 'is a folder' if osp.isdir(checkpoint) else 'does not exist'
        raise FileNotFoundError(f'Checkpoint {checkpoint} {what}.')


def _enable_visualization(cfg: Config, show: bool, show_dir: str | None) -> None:
    """Draw the predictions of each frame on screen or into files."""
    hooks = cfg.setdefault('default_hooks', dict())
    hook = hooks.setdefault('visualization', dict(type='TrackVisualizationHook'))
    hook.setdefault('interval', 1)
    if hook.type.split('.')[-1] == 'TrackVisualizationHook':
        hook.type = 'VideoVisualizationHook'
    visualizer = cfg.setdefault('visualizer', dict(type='DetLocalVisualizer'))
    if visualizer.type.split('.')[-1] == 'TrackLocalVisualizer':  # draws tracks only
        visualizer.type = 'DetLocalVisualizer'
    hook.update(draw=True, show=show, test_out_dir=show_dir)
