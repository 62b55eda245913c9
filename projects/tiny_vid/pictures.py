"""Draw what was found in a val clip of tiny_vid: frames, a video and a sheet.

Example:
    $ python -m projects.tiny_vid.pictures CONFIG results.pkl --out-dir pictures
"""

from __future__ import annotations

import argparse
import os.path as osp
import shutil
from typing import List, Optional

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmengine.config import Config
from mmtrack.structures import TrackDataSample

from projects.tiny_vid.scores import deteriorations
from stpn_plugin.apis import FrameWriter, VideoWriter
from stpn_plugin.evaluation import SavedRun, load_saved_run
from stpn_plugin.utils import ProgressBar
from stpn_plugin.visualization.frames import (
    add_box_legend,
    draw_detections,
    frame_sheet,
    load_frame,
)
from stpn_plugin.visualization.style import save_figure

SCORE_THR = 0.3
FPS = 4.0
FRAME_WIDTH = 6.4  # inches, at 100 dots each


def draw_frame(run: SavedRun, index: int, title: str) -> np.ndarray:
    """Draw a frame with its detections.

    Args:
        run (SavedRun): Predictions and ground truth.
        index (int): Which frame.
        title (str): What to write above it.

    Returns:
        np.ndarray: Picture (H, W, 3), BGR, larger than the frame.
    """
    image = load_frame(str(run.img_paths[index]))
    height = FRAME_WIDTH * image.shape[0] / image.shape[1]
    figure = Figure(figsize=(FRAME_WIDTH, height + 0.4), dpi=100)
    ax = figure.add_axes([0, 0, 1, height / (height + 0.4)])
    ax.set_axis_off()
    draw_detections(ax, image, run.gts[index], run.dets[index], run.classes, SCORE_THR)
    figure.text(0.02, 0.99, title, verticalalignment='top', fontsize=12)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., 2::-1].copy()


def draw_clip(run: SavedRun, data_root: str, video: str, out_dir: str) -> None:
    """Write ``frames/*.jpg``, ``video.mp4`` and ``sheet.png`` of a val clip.

    Args:
        run (SavedRun): Predictions and ground truth.
        data_root (str): Folder that the generator wrote.
        video (str): Name of the clip, as ``ILSVRC2015_val_00000000``.
        out_dir (str): Where to write.

    Raises:
        ValueError: There is no such clip.
    """
    clip = [
        i
        for i, path in enumerate(run.img_paths)
        if osp.basename(osp.dirname(str(path))) == video
    ]
    if not clip:
        raise ValueError(f'the predictions have no frame of a video {video}')
    kinds = deteriorations(data_root, [run.img_paths[i] for i in clip])
    titles = [
        f'frame {t}: {(kind or "sharp").replace("_", " ")}'
        for t, kind in enumerate(kinds)
    ]
    shutil.rmtree(osp.join(out_dir, 'frames'), ignore_errors=True)  # of another run
    with FrameWriter(osp.join(out_dir, 'frames')) as frames, VideoWriter(
        osp.join(out_dir, 'video.mp4'), FPS
    ) as movie:
        for t, index in enumerate(ProgressBar(clip, 'draw', unit='frame')):
            picture = draw_frame(run, index, titles[t])
            sample = TrackDataSample(metainfo=dict(frame_id=t))
            frames.write(picture, sample)
            movie.write(picture, sample)

    columns = 4
    shown = (
        np.linspace(0, len(clip) - 1, min(len(clip), 2 * columns)).round().astype(int)
    )
    image = load_frame(str(run.img_paths[clip[0]]))
    figure, axes = frame_sheet(-(-len(shown) // columns), columns, image.shape)
    for ax, t in zip(axes.flat, shown):
        index = clip[t]
        image = load_frame(str(run.img_paths[index]))
        draw_detections(
            ax, image, run.gts[index], run.dets[index], run.classes, SCORE_THR
        )
        ax.set_title(titles[t], fontsize=9, pad=14)
    add_box_legend(figure, SCORE_THR)
    figure.set_layout_engine('constrained')
    save_figure(figure, osp.join(out_dir, 'sheet.png'))


def main(argv: Optional[List[str]] = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config', help='config of the test run')
    parser.add_argument('results', help='what tools/test.py --out wrote')
    parser.add_argument('--video', default='ILSVRC2015_val_00000004')
    parser.add_argument('--out-dir', required=True, help='where to write')
    args = parser.parse_args(argv)
    cfg = Config.fromfile(args.config)
    run = load_saved_run(cfg, args.results)
    draw_clip(run, cfg.test_dataloader.dataset.data_root, args.video, args.out_dir)


if __name__ == '__main__':
    main()
