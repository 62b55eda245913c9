"""Train a video object detector."""

from __future__ import annotations

from dataclasses import dataclass

from mmengine.config import Config
from mmengine.device import get_device

from ..builders import entry, load_weights
from ..engine import build_runner, check_resumable, checkpoint_dir, find_checkpoint
from ..utils.files import FULL_DISK, named_write_errors
from .command import Command, flag, option
from .running import RunOptions, check_exists, prepare_common_cfg, run_loop

# Every ImageNet VID recipe of mmtracking and of STPN is written for 8 images.
BASE_BATCH_SIZE = 8


@dataclass
class Options(RunOptions):
    """How to train."""

    amp: bool = flag('train with automatic mixed precision, on a CPU in bfloat16')
    auto_scale_lr: bool = flag(
        'scale the learning rate linearly with the number of images per iteration, '
        'over all processes'
    )
    resume: str | None = option(
        'go on from this checkpoint, or from the newest whole one in the work dir',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
    )


def prepare_cfg(options: Options) -> Config:
    """Make a complete config.

    Args:
        options: The command line.

    Returns:
        What the runner is to be built from.

    Raises:
        FileNotFoundError: If the config or the checkpoint is missing.
        OSError: If the work dir cannot be written.
        ValueError: If ``--amp`` does not fit the config, or no checkpoint of the work
            dir will do for ``--resume``.
    """
    cfg = prepare_common_cfg(options)
    if options.amp:
        _enable_amp(cfg)
    if options.auto_scale_lr:
        cfg.setdefault('auto_scale_lr', dict())
        cfg.auto_scale_lr.setdefault('base_batch_size', BASE_BATCH_SIZE)
        cfg.auto_scale_lr.enable = True
    if options.resume is not None:
        checkpoint: str | None = options.resume
        if checkpoint == 'auto':
            checkpoint = find_checkpoint(checkpoint_dir(cfg), cfg.work_dir)
        # A job that is always started with --resume has nothing to resume at first.
        cfg.resume = checkpoint is not None
        cfg.load_from = checkpoint or cfg.get('load_from')
    if cfg.get('load_from') is not None:
        check_exists(cfg.load_from)
    return cfg


def _enable_amp(cfg: Config) -> None:
    """Switch the optimizer wrapper to mixed precision."""
    amp = 'CPUAmpOptimWrapper' if get_device() == 'cpu' else 'AmpOptimWrapper'
    wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if wrapper not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(
            '--amp replaces optim_wrapper.type "OptimWrapper" or "AmpOptimWrapper", '
            f'the config has "{wrapper}".'
        )
    cfg.optim_wrapper.type = amp
    if amp == 'AmpOptimWrapper':
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    else:
        for key in ('loss_scale', 'dtype'):
            cfg.optim_wrapper.pop(key, None)


def run(options: Options) -> None:
    """Train."""
    cfg = prepare_cfg(options)
    for needed in ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper'):
        entry(cfg, needed)
    with named_write_errors(cfg.work_dir, FULL_DISK):
        _train(cfg)


def _train(cfg: Config) -> None:
    runner = build_runner(cfg)
    if cfg.get('load_from') is not None:
        # Before the data sets are read; the runner loads it again, and tells.
        checkpoint = load_weights(runner.model, cfg.load_from, partly=not cfg.resume)
        if cfg.resume:
            check_resumable(checkpoint, cfg.load_from)
    run_loop(runner, runner.train)


main = Command(__doc__, Options, run)
