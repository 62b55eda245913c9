"""The main job, from nothing to pictures: what ``make demo`` runs.

Generate tiny_vid, convert it, train STPN on it from a single-frame detector, test both
with VID metrics, draw pictures. The detector's weights are in the repository; with
``--full`` they are trained, too. Each stage is a command of its own, printed before it
runs, so that it can be repeated by hand with a data set or config of one's own.

Example:
    $ python projects/tiny_vid/demo.py
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import os.path as osp
import runpy
import shlex
import sys
import time
from typing import NamedTuple, Sequence

ROOT = osp.dirname(osp.dirname(osp.dirname(osp.abspath(__file__))))
sys.path.insert(0, ROOT)

# All that the stages import is imported here, once for all of them.
import stpn_plugin.visualization  # noqa: E402, F401

# isort: split
from mmengine.config import Config  # noqa: E402
from rich.console import Console  # noqa: E402

CONVERTERS = 'tools/convert_datasets/ilsvrc'
CONFIGS = 'projects/tiny_vid/configs'
BACKBONE_CONFIG = f'{CONFIGS}/tiny_swin_1xb32-1k_tinyvid-stills.py'
DETECTOR_CONFIG = f'{CONFIGS}/tiny_faster-rcnn_swin_fpn_1xb16-400_tinyvid.py'
CONFIG = f'{CONFIGS}/tiny_stpn_faster-rcnn_swin_fpn_2xb8-250_tinyvid.py'
NUM_PROCESSES = 2  # that train with it, as its name says
FULL_CONFIG = f'{CONFIGS}/tiny_stpn_faster-rcnn_swin_fpn_1xb16-400_tinyvid.py'
DATA_ROOT = 'data/tiny_vid'  # as in the configs
WORK_DIR = 'work_dirs/tiny_vid_demo'
# What the test would find again.
NO_VALIDATION = ['val_cfg=None', 'val_dataloader=None', 'val_evaluator=None']
# Still images train the backbone alone, so a few do where its weights are given.
FEW_STILLS = ['--stills', '60']


class Stage(NamedTuple):
    """A stage of the demo: what it is for, and arguments of Python."""

    title: str
    command: list[str]


class Size(NamedTuple):
    """How large the demo is, if not as large as usual.

    Attributes:
        data: Options of the generator.
        max_iters: Iterations of each training; None for those of its config.
    """

    data: list[str] = []
    max_iters: int | None = None

    def iterations(self, config: str) -> int:
        """Training iterations of a config."""
        if self.max_iters is not None:
            return self.max_iters
        return Config.fromfile(osp.join(ROOT, config)).train_cfg.max_iters


def data_stages(size: Size = Size()) -> list[Stage]:  # noqa: B008 (immutable)
    """Stages that make the data.

    Args:
        size: How large they are.
    """
    generate = ['projects/tiny_vid/generate.py', DATA_ROOT, '--overwrite', *size.data]
    convert = ['-i', DATA_ROOT, '-o', f'{DATA_ROOT}/annotations']
    return [
        Stage('generate videos and still images in the layout of ILSVRC', generate),
        *(
            Stage(
                f'convert {name} to CocoVID',
                [f'{CONVERTERS}/imagenet2coco_{name}.py', *convert],
            )
            for name in ('vid', 'det')
        ),
    ]


def detector_stages(work_dir: str, size: Size = Size()) -> list[Stage]:  # noqa: B008
    """Stages that train the single-frame detector, and its file.

    Args:
        work_dir: Folder for checkpoints and logs.
        size: How long to train.
    """
    backbone_dir = f'{work_dir}/backbone'
    backbone = f'{backbone_dir}/iter_{size.iterations(BACKBONE_CONFIG)}.pth'
    return [
        Stage(
            'train the backbone on still images, as others do on ImageNet',
            _train(BACKBONE_CONFIG, backbone_dir, size),
        ),
        Stage(
            'train a single-frame detector, as others do on COCO',
            _train(
                DETECTOR_CONFIG,
                f'{work_dir}/detector',
                size,
                f'model.detector.backbone.init_cfg.checkpoint={backbone}',
                *NO_VALIDATION,
            ),
        ),
    ]


def detector_checkpoint(work_dir: str, size: Size = Size()) -> str:  # noqa: B008
    """File that :func:`detector_stages` end with."""
    return f'{work_dir}/detector/iter_{size.iterations(DETECTOR_CONFIG)}.pth'


def stpn_stages(work_dir: str, size: Size = Size()) -> list[Stage]:  # noqa: B008
    """Stages that train STPN from the packed detector.

    Args:
        work_dir: Folder for checkpoints and logs.
        size: How long to train.
    """
    detector = f'{work_dir}/detector.pth'
    return [
        Stage(
            'unpack the weights of a single-frame detector',
            ['-m', 'projects.tiny_vid.weights', detector],
        ),
        _train_stpn(CONFIG, work_dir, size, detector),
    ]


def stpn_checkpoint(
    work_dir: str,
    config: str = CONFIG,
    size: Size = Size(),  # noqa: B008
) -> str:
    """File that :func:`stpn_stages` end with."""
    return f'{work_dir}/stpn/iter_{size.iterations(config)}.pth'


def stages(
    work_dir: str = WORK_DIR,
    full: bool = False,
    size: Size = Size(),  # noqa: B008
) -> list[Stage]:
    """Stages of the demo, in order.

    Args:
        work_dir: Folder for checkpoints, logs and pictures.
        full: Whether to train the single-frame detector, too.
        size: How large the demo is.
    """
    train_dir = f'{work_dir}/stpn'
    if full:
        config = FULL_CONFIG
        detector = detector_checkpoint(work_dir, size)
        train = detector_stages(work_dir, size)
        train.append(_train_stpn(config, work_dir, size, detector))
    else:
        config = CONFIG
        detector = f'{work_dir}/detector.pth'
        train = stpn_stages(work_dir, size)
    checkpoint = stpn_checkpoint(work_dir, config, size)
    results = {
        'single frame': f'{work_dir}/single_frame.npz',
        'STPN': f'{work_dir}/stpn.npz',
    }
    data = size if full or size.data else size._replace(data=FEW_STILLS)
    both = [config, *results.values()]
    names = ['--names', *results]
    several = ['--cfg-options', 'test_dataloader.batch_size=16']  # frames at a time
    return [
        *data_stages(data),
        *train,
        *(
            Stage(
                f'test with VID metrics: {name}',
                ['tools/test.py', tested, weights, '--work-dir', f'{work_dir}/test']
                + ['--out', results[name], *several],
            )
            for name, tested, weights in (
                ('single frame', DETECTOR_CONFIG, detector),
                ('STPN', config, checkpoint),
            )
        ),
        Stage(
            'draw a val clip',
            ['-m', 'projects.tiny_vid.pictures', *both, *names]
            + ['--out-dir', f'{work_dir}/clip'],
        ),
        Stage(
            'write a report',
            # The report is about the first one.
            ['tools/analysis/report.py', config, results['STPN']]
            + [results['single frame'], '--names', 'STPN', 'single frame']
            + ['--work-dirs', train_dir]
            + ['--checkpoint', checkpoint, '--out', f'{work_dir}/report.html'],
        ),
        Stage('score', ['-m', 'projects.tiny_vid.scores', *both, *names]),
    ]


def _train_stpn(config: str, work_dir: str, size: Size, detector: str) -> Stage:
    from_detector = f'model.detector.init_cfg.checkpoint={detector}'
    train_dir = f'{work_dir}/stpn'
    return Stage(
        'train STPN from it',
        _train(config, train_dir, size, from_detector, *NO_VALIDATION),
    )


def _train(config: str, work_dir: str, size: Size, *options: str) -> list[str]:
    if size.max_iters is not None:
        options = (*options, f'train_cfg.max_iters={size.max_iters}')
    command = ['tools/train.py', config, '--work-dir', work_dir]
    if config == CONFIG:
        # Two cores do more in two processes than in two threads of one.
        launcher = ['-m', 'torch.distributed.run', '--standalone']
        launcher.append(f'--nproc_per_node={NUM_PROCESSES}')
        command = [*launcher, *command, '--launcher', 'pytorch']
    return [*command, '--cfg-options', *options] if options else command


def run(todo: Sequence[Stage]) -> None:
    """Run stages, one after the other, in the current folder.

    Args:
        todo: The stages.

    Raises:
        SystemExit: A stage fails; its command is named.
    """
    console = Console()
    for number, (title, command) in enumerate(todo, 1):
        console.rule(f'{number}/{len(todo)}: {title}')
        console.print(
            '$', shlex.join(['python', *command]), style='bold', soft_wrap=True
        )
        start = time.monotonic()
        status = run_command(command)
        if status:
            raise SystemExit(
                f'stage {number} ({title}) failed with exit status {status}; '
                'its messages are above. Mend that and run the demo, or this command, '
                'again.'
            )
        console.print(f'{time.monotonic() - start:.0f} s')


def run_command(command: Sequence[str]) -> int:
    """Run a program of the repository in a process of its own.

    The process is a fork of this one and need not import anew what this one has
    imported, which is several seconds of each program.

    Args:
        command: Arguments of Python.

    Returns:
        Exit status.
    """
    process = multiprocessing.get_context('fork').Process(
        target=_run_as_main, args=(list(command),)
    )
    process.start()
    process.join()
    return process.exitcode or 0


def _run_as_main(command: list[str]) -> None:
    if command[0] == '-m':
        if command[1] == 'torch.distributed.run':  # else they tell that they do so
            for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
                os.environ.setdefault(name, '1')
        sys.argv = command[1:]
        runpy.run_module(command[1], run_name='__main__', alter_sys=True)
    else:
        sys.argv = command
        runpy.run_path(command[0], run_name='__main__')


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--work-dir',
        default=WORK_DIR,
        help='folder for checkpoints, logs and pictures, default: %(default)s',
    )
    parser.add_argument(
        '--full', action='store_true', help='train the single-frame detector, too'
    )
    args = parser.parse_args(argv)
    os.chdir(ROOT)
    # Programs of several processes, such as data loaders, import from here, too.
    paths = [ROOT, *filter(None, [os.environ.get('PYTHONPATH')])]
    os.environ['PYTHONPATH'] = os.pathsep.join(paths)
    begin = time.monotonic()
    run(stages(args.work_dir, args.full))
    console = Console()
    console.rule(f'done in {(time.monotonic() - begin) / 60:.1f} minutes')
    console.print(
        'AP50 of "guess" is that of the same boxes with classes drawn at random.\n'
        f'A val clip, single frame beside STPN: {args.work_dir}/clip\n'
        f'Report: {args.work_dir}/report.html',
        soft_wrap=True,
    )


if __name__ == '__main__':
    main()
