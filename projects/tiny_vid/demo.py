"""The main job, from nothing to pictures: what ``make demo`` runs.

Generate tiny_vid, convert it, train STPN on it, test it with VID metrics, draw
pictures. Each stage is a command of its own, printed before it runs, so that it can be
repeated by hand with a data set or config of one's own.

Example:
    $ python projects/tiny_vid/demo.py
"""

from __future__ import annotations

import argparse
import os
import os.path as osp
import shlex
import subprocess
import sys
import time
from typing import List, NamedTuple, Optional

from rich.console import Console

ROOT = osp.dirname(osp.dirname(osp.dirname(osp.abspath(__file__))))
CONVERTERS = 'tools/convert_datasets/ilsvrc'
BACKBONE_CONFIG = 'projects/tiny_vid/configs/tiny_swin_1xb32-1k_tinyvid-stills.py'
DETECTOR_CONFIG = (
    'projects/tiny_vid/configs/tiny_faster-rcnn_swin_fpn_1xb16-400_tinyvid.py'
)
CONFIG = 'projects/tiny_vid/configs/tiny_stpn_faster-rcnn_swin_fpn_1xb16-400_tinyvid.py'
DATA_ROOT = 'data/tiny_vid'  # as in the configs


class Stage(NamedTuple):
    """A stage of the demo: what it is for, and arguments of Python."""

    title: str
    command: List[str]


def stages(work_dir: str) -> List[Stage]:
    """Stages of the demo, in order.

    Args:
        work_dir (str): Folder for checkpoints, logs and pictures.
    """
    annotations = f'{DATA_ROOT}/annotations'
    backbone_dir, detector_dir = f'{work_dir}/backbone', f'{work_dir}/detector'
    train_dir = f'{work_dir}/stpn'
    backbone = f'{backbone_dir}/iter_{max_iters(BACKBONE_CONFIG)}.pth'
    detector = f'{detector_dir}/iter_{max_iters(DETECTOR_CONFIG)}.pth'
    checkpoint = f'{train_dir}/iter_{max_iters(CONFIG)}.pth'
    results = f'{work_dir}/results.pkl'
    from_backbone = f'model.detector.backbone.init_cfg.checkpoint={backbone}'
    from_detector = f'model.detector.init_cfg.checkpoint={detector}'
    train = ['tools/train.py', CONFIG, '--work-dir', train_dir]
    test = ['tools/test.py', CONFIG, checkpoint, '--work-dir', f'{work_dir}/test']
    curve = ['tools/analysis/plot_logs.py', train_dir, '--keys', 'loss']
    pictures = ['-m', 'projects.tiny_vid.pictures', CONFIG, results]
    return [
        Stage(
            'generate videos and still images in the layout of ILSVRC',
            ['projects/tiny_vid/generate.py', DATA_ROOT, '--overwrite'],
        ),
        *(
            Stage(
                f'convert {name} to CocoVID',
                [f'{CONVERTERS}/imagenet2coco_{name}.py', '-i', DATA_ROOT]
                + ['-o', annotations],
            )
            for name in ('vid', 'det')
        ),
        Stage(
            'train the backbone on still images, as others do on ImageNet',
            ['tools/train.py', BACKBONE_CONFIG, '--work-dir', backbone_dir],
        ),
        Stage(
            'train a single-frame detector, as others do on COCO',
            ['tools/train.py', DETECTOR_CONFIG, '--work-dir', detector_dir]
            + ['--cfg-options', from_backbone],
        ),
        Stage('train STPN', [*train, '--cfg-options', from_detector]),
        Stage('test STPN with VID metrics', [*test, '--out', results]),
        Stage('draw the training curve', [*curve, '--out', f'{work_dir}/curve.png']),
        Stage('draw a val clip', [*pictures, '--out-dir', f'{work_dir}/clip']),
        Stage('score', ['-m', 'projects.tiny_vid.scores', CONFIG, results]),
    ]


def max_iters(config: str) -> int:
    """Number of training iterations of a config."""
    from mmengine.config import Config

    return Config.fromfile(osp.join(ROOT, config)).train_cfg.max_iters


def run(work_dir: str) -> None:
    """Run all stages.

    Args:
        work_dir (str): Folder for checkpoints, logs and pictures.

    Raises:
        SystemExit: A stage fails; its command is named.
    """
    console = Console()
    paths = [ROOT, *filter(None, [os.environ.get('PYTHONPATH')])]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(paths)}
    begin = time.monotonic()
    todo = stages(work_dir)
    for number, (title, command) in enumerate(todo, 1):
        console.rule(f'{number}/{len(todo)}: {title}')
        console.print(
            '$', shlex.join(['python', *command]), style='bold', soft_wrap=True
        )
        start = time.monotonic()
        done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment)
        if done.returncode:
            raise SystemExit(
                f'stage {number} ({title}) failed with exit status {done.returncode}; '
                'its messages are above. Mend that and run the demo, or this command, '
                'again.'
            )
        console.print(f'{time.monotonic() - start:.0f} s')
    minutes = (time.monotonic() - begin) / 60
    console.rule(f'done in {minutes:.1f} minutes')
    console.print(
        'AP50 of "guess" is that of the same boxes with classes drawn at random.\n'
        f'Frames, video and sheet of a val clip: {work_dir}/clip\n'
        f'Training curve: {work_dir}/curve.png',
        soft_wrap=True,
    )


def main(argv: Optional[List[str]] = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--work-dir',
        default='work_dirs/tiny_vid_demo',
        help='folder for checkpoints, logs and pictures, default: %(default)s',
    )
    run(parser.parse_args(argv).work_dir)


if __name__ == '__main__':
    main()
