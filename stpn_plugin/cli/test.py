"""Test a video object detector: evaluate, save, format or draw its predictions."""

from __future__ import annotations

import os.path as osp
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device

from ..builders import entry, load_weights
from ..engine import build_runner
from ..evaluation import (
    EVALUATOR_OF,
    as_list,
    check_outputs,
    format_only_evaluator,
    select_evaluators,
    set_options,
)
from ..utils import check_writable, keep_freed_memory
from ..utils.files import FULL_DISK, named_write_errors
from .command import Command, argument, flag, option
from .running import RunOptions, check_exists, prepare_common_cfg, run_loop
from .values import results_path


@dataclass
class Options(RunOptions):
    """What to test, and what to do with the predictions."""

    checkpoint_arg: str | None = argument(
        'checkpoint file or URL, default: "load_from" of the config',
        nargs='?',
        metavar='checkpoint',
    )
    checkpoint: str | None = option('the same, as an option')
    out: str | None = option(
        'write all predictions to FILE.npz (recommended: smaller, safe to read from '
        'others), or to FILE.pkl, a pickle as mmengine writes it',
        type=results_path,
        output=True,
        metavar='FILE.npz',
    )
    eval: list[str] | None = option(
        f'what to evaluate, of: {", ".join(EVALUATOR_OF)}; default: the evaluators of '
        'the config',
        exclusive='what',
        choices=list(EVALUATOR_OF),
        metavar='METRIC',
    )
    format_only: bool = flag(
        'do not evaluate, write the predictions as an ILSVRC VID submission and as '
        'COCO JSON: <work dir>/results.txt and results.bbox.json',
        exclusive='what',
    )
    eval_options: dict[str, Any] | None = option(
        'options of the evaluators, e.g. classwise=True or outfile_prefix=a/b'
    )
    show: bool = flag('show predictions')
    show_dir: str | None = option(
        'draw predictions into DIR/<video>/<frame>; score threshold and interval are '
        'default_hooks.visualization.score_thr and .interval of the config',
        metavar='DIR',
    )


def prepare_cfg(options: Options) -> Config:
    """Make a complete config.

    Args:
        options: The command line.

    Returns:
        What the runner is to be built from. ``load_from`` names the checkpoint,
        ``test_evaluator`` is a list.

    Raises:
        FileNotFoundError: If the config or the checkpoint is missing.
        OSError: If an output cannot be written.
        ValueError: If arguments contradict each other or the config, or no
            checkpoint is given.
    """
    cfg = prepare_common_cfg(options)
    cfg.load_from = _choose_checkpoint(
        options.checkpoint_arg, options.checkpoint, cfg.get('load_from')
    )
    cfg.resume = False
    check_exists(cfg.load_from)

    dataset = entry(cfg, 'test_dataloader.dataset')
    evaluators = as_list(cfg.get('test_evaluator'))
    if options.format_only:
        prefix = osp.join(cfg.work_dir, 'results')
        evaluators = [format_only_evaluator(evaluators, dataset, prefix)]
    elif options.eval:
        evaluators = select_evaluators(evaluators, options.eval, dataset)
    if options.eval_options:
        evaluators = set_options(evaluators, options.eval_options)
    if options.out:
        # First: whatever happens to the metrics, the predictions are on the disk.
        evaluators = [
            dict(type='DumpVideoResults', out_file_path=options.out),
            *evaluators,
        ]
    cfg.test_evaluator = evaluators
    check_outputs(evaluators)
    if options.show_dir is not None:
        check_writable(osp.join(options.show_dir, 'frame'))
    if options.show or options.show_dir:
        _enable_visualization(cfg, options.show, options.show_dir)
    return cfg


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


def run(options: Options) -> None:
    """Test."""
    cfg = prepare_cfg(options)
    for needed in ('model', 'test_cfg', 'test_evaluator'):
        entry(cfg, needed)
    with named_write_errors(cfg.work_dir, FULL_DISK):
        keep_freed_memory(get_device())
        runner = build_runner(cfg)
        load_weights(runner.model, cfg.load_from)
        run_loop(runner, runner.test)


main = Command(__doc__, Options, run)
