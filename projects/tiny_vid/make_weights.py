"""Train the models that are in the repository.

First the single-frame detector that the demo starts from, by the first two stages of
``make demo-full`` and :func:`projects.tiny_vid.weights.pack`. From it STPN as ``make
demo`` does, which is tested and published as the model that comes with the package,
with a clip of the val set.

Example:
    $ python -m projects.tiny_vid.make_weights
"""

from __future__ import annotations

import argparse
import shutil
from typing import Sequence

import mmcv
from mmtrack.structures import TrackDataSample

from projects.tiny_vid import demo
from projects.tiny_vid.weights import FOLDER, MAX_BYTES, pack
from stpn_plugin.apis import TINY_MODEL, VideoWriter, open_video
from stpn_plugin.builders import load_config
from stpn_plugin.utils import read_json
from stpn_plugin.weights import publish_folder

CLIP = 'ILSVRC2015_val_00000000'
CLIP_SCALE = 5.0
DESCRIPTION = (
    'A small model to try the package with. It was trained on drawn videos '
    '(`projects/tiny_vid`): the classes have names of ImageNet VID, and the objects '
    'look like none of them, so that it finds nothing of use in other videos. '
    '`clip.mp4` is of its kind.'
)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m projects.tiny_vid.make_weights',
        description=__doc__.split('\n')[0],
    )
    parser.add_argument(
        '--work-dir',
        default='work_dirs/tiny_vid_weights',
        help='folder for checkpoints and logs, default: %(default)s',
    )
    parser.add_argument(
        '--out-dir',
        default=FOLDER,
        help='where to write the detector, default: %(default)s',
    )
    parser.add_argument(
        '--model-dir',
        default=TINY_MODEL,
        help='folder of STPN, which is replaced, default: %(default)s',
    )
    parser.add_argument(
        '--stpn-alone', action='store_true', help='keep the detector that is there'
    )
    args = parser.parse_args(argv)
    demo.run(demo.data_stages())
    if not args.stpn_alone:
        demo.run(demo.detector_stages(args.work_dir))
        for path in pack(demo.detector_checkpoint(args.work_dir), args.out_dir):
            print(path)
    demo.run([*demo.stpn_stages(args.work_dir), *test_stages(args.work_dir)])
    publish(args.work_dir, args.model_dir)
    print(args.model_dir)


def test_stages(work_dir: str) -> list[demo.Stage]:
    """Stages that score STPN.

    Args:
        work_dir: Folder of its checkpoint.
    """
    results = f'{work_dir}/results.npz'
    checkpoint = demo.stpn_checkpoint(work_dir)
    test = ['tools/test.py', demo.CONFIG, checkpoint, '--work-dir', f'{work_dir}/test']
    test += ['--out', results, '--cfg-options', 'test_dataloader.batch_size=16']
    score = ['tools/analysis/eval_results.py', demo.CONFIG, results, '--eval', 'motion']
    return [
        demo.Stage('test STPN', test),
        demo.Stage('score it', [*score, '--out', f'{work_dir}/metrics.json']),
    ]


def publish(work_dir: str, folder: str) -> None:
    """Write STPN as a folder, with a clip.

    Args:
        work_dir: Folder of its checkpoint and scores.
        folder: Folder to write, in place of what was there.
    """
    metrics = read_json(f'{work_dir}/metrics.json')
    shutil.rmtree(folder, ignore_errors=True)
    publish_folder(
        demo.stpn_checkpoint(work_dir),
        folder,
        load_config(demo.CONFIG),
        half=True,
        license='apache-2.0',
        metrics={key: value for key, value in metrics.items() if 'num_' not in key},
        description=DESCRIPTION,
        max_bytes=MAX_BYTES,
    )
    write_clip(folder, f'{demo.DATA_ROOT}/Data/VID/val/{CLIP}')


def write_clip(folder: str, frames: str) -> None:
    """Write a video beside the model.

    Args:
        folder: Folder of the model.
        frames: Folder of the video's frames.
    """
    with VideoWriter(f'{folder}/clip.mp4', fps=5) as writer:
        for path in open_video(frames):
            # Large enough for labels; the model's pipeline makes it small again.
            writer.write(
                mmcv.imrescale(mmcv.imread(path), CLIP_SCALE), TrackDataSample()
            )


if __name__ == '__main__':
    main()
