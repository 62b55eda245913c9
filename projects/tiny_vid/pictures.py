"""Draw what was found in a val clip of tiny_vid: frames, a video and a sheet.

Several runs are drawn side by side, on the same frames. As an object is alone on its
place here, as many of the surest detections are drawn as there are objects.

Example:
    $ python -m projects.tiny_vid.pictures CONFIG results.npz --out-dir pictures
"""

from __future__ import annotations

import argparse
import os.path as osp
import shutil
from typing import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from mmengine.config import Config
from mmtrack.structures import TrackDataSample
from torchvision.ops import box_iou

from projects.tiny_vid.scores import deteriorations
from stpn_plugin.apis import FrameWriter, VideoWriter
from stpn_plugin.evaluation import DetectionMatching, SavedRun, load_saved_run
from stpn_plugin.utils import ProgressBar, name_runs
from stpn_plugin.visualization.frames import (
    add_box_legend,
    draw_detections,
    load_rgb,
)
from stpn_plugin.visualization.style import save_figure, styled

FPS = 4.0
FRAME_WIDTH = 4.8  # inches in the video, at 100 dots each
SHEET_WIDTH = 2.7  # inches of a frame on the sheet
NUM_COLUMNS = 4  # of the sheet


def surest(run: SavedRun, index: int) -> dict[str, np.ndarray]:
    """The detections with the highest scores, as many as there are objects.

    Args:
        run: Predictions and ground truth.
        index: Which frame.

    Returns:
        ``bboxes`` (n, 4), ``labels`` (n, ), ``scores`` (n, ).
    """
    det = run.dets[index]
    best = np.argsort(-np.asarray(det['scores']), kind='stable')
    best = best[: len(run.gts[index]['labels'])]
    keys = ('bboxes', 'labels', 'scores')
    return {key: np.asarray(det[key])[best] for key in keys}


def is_right(run: SavedRun) -> np.ndarray:
    """Frames where all of the surest detections are right: (number of frames,) bool."""
    dets = [surest(run, index) for index in range(len(run.gts))]
    found = (
        DetectionMatching([gt], [det], len(run.classes))
        for gt, det in zip(run.gts, dets)
    )
    return np.array(
        [
            (matching.matches >= 0).sum() == len(gt['labels'])
            for matching, gt in zip(found, run.gts)
        ]
    )


def overlaps(run: SavedRun) -> np.ndarray:
    """IoU of the surest detection with an object: (number of frames,) float."""
    ious = []
    for index, gt in enumerate(run.gts):
        boxes = torch.as_tensor(surest(run, index)['bboxes'], dtype=torch.float32)
        objects = torch.as_tensor(gt['bboxes'], dtype=torch.float32)
        found = box_iou(boxes[:1].reshape(-1, 4), objects.reshape(-1, 4))
        ious.append(found.max().item() if found.numel() else 0.0)
    return np.array(ious)


def typical_clip(
    videos: Sequence[str],
    kinds: Sequence[str | None],
    right: Sequence[np.ndarray],
    fit: np.ndarray,
) -> str:
    """A clip whose frames on the sheet come out much as deteriorated ones of all do.

    Args:
        videos: The clip of each frame.
        kinds: What is wrong with each frame.
        right: For each run (number of frames,) bool, whether what it detects is right.
        fit: (number of frames,) how well boxes fit.

    Returns:
        Of the clips where the shares of right frames differ about as little as anywhere
        from those of all, the clip where boxes fit best.
    """

    def shares(frames: Sequence[int]) -> np.ndarray:
        return np.array([of_run[frames].mean() for of_run in right])

    frames_of: dict[str, list[int]] = {}
    for index, video in enumerate(videos):
        frames_of.setdefault(video, []).append(index)
    for video, frames in frames_of.items():
        shown = choose_frames([kinds[index] for index in frames])
        frames_of[video] = [frames[t] for t in shown]
    overall = shares([index for index, kind in enumerate(kinds) if kind])
    differences = {
        clip: np.abs(shares(frames) - overall).sum()
        for clip, frames in frames_of.items()
    }
    few = min(differences.values()) + 0.1
    typical = [clip for clip, difference in differences.items() if difference <= few]
    return max(typical, key=lambda clip: fit[frames_of[clip]].mean())


def panels(
    num_rows: int,
    num_columns: int,
    frame_shape: tuple[int, ...],
    width: float,
    left: float = 0.0,
    top: float = 0.35,
    right: float = 0.0,
    gap: float = 0.08,
) -> tuple[Figure, np.ndarray]:
    """A figure of frames, with room around them for what is written.

    Args:
        num_rows: Number of rows.
        num_columns: Number of columns.
        frame_shape: (H, W, ...) of the frames in pixels.
        width: Width of a frame, in inches as all that follow.
        left: Room at the left.
        top: Room above the first row.
        right: Room at the right.
        gap: Room between frames.

    Returns:
        The figure and its axes, (rows, columns).
    """
    height = width * frame_shape[0] / frame_shape[1]
    whole_width = left + num_columns * width + (num_columns - 1) * gap + right
    whole_height = top + num_rows * height + (num_rows - 1) * gap
    figure = Figure(figsize=(whole_width, whole_height), dpi=100, layout='none')
    axes = np.empty((num_rows, num_columns), dtype=object)
    for row, column in np.ndindex(axes.shape):
        x = left + column * (width + gap)
        y = whole_height - top - (row + 1) * height - row * gap
        box = [
            x / whole_width,
            y / whole_height,
            width / whole_width,
            height / whole_height,
        ]
        axes[row, column] = ax = figure.add_axes(box)
        ax.set_axis_off()
    return figure, axes


def show(ax: Axes, run: SavedRun, index: int) -> None:
    """Show a frame with its ground truth and the surest detections."""
    image = load_rgb(str(run.img_paths[index]))
    draw_detections(
        ax, image, run.gts[index], surest(run, index), run.classes, score_thr=0.0
    )


@styled
def draw_frame(runs: Sequence[SavedRun], index: int, title: str) -> np.ndarray:
    """Draw a frame with what each run detects in it, side by side.

    Args:
        runs: Predictions and ground truth.
        index: Which frame.
        title: What to write above it, after the name of the run.

    Returns:
        Picture (H, W, 3), BGR, larger than the frame.
    """
    shape = load_rgb(str(runs[0].img_paths[index])).shape
    figure, axes = panels(1, len(runs), shape, FRAME_WIDTH)
    for ax, run in zip(axes[0], runs):
        show(ax, run, index)
        name = f'{run.name}, ' if len(runs) > 1 else ''
        ax.set_title(f'{name}{title}', fontsize=12)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., 2::-1].copy()


def choose_frames(kinds: Sequence[str | None]) -> list[int]:
    """Frames for a sheet: one of each deterioration, or what there is.

    Args:
        kinds: What is wrong with each frame of the clip.

    Returns:
        At most :data:`NUM_COLUMNS` frames in their order.
    """
    first = {kind: t for t, kind in reversed(list(enumerate(kinds))) if kind}
    frames = list(first.values())
    bad_first = sorted(range(len(kinds)), key=lambda t: kinds[t] is None)
    frames += [t for t in bad_first if t not in frames]
    return sorted(frames[:NUM_COLUMNS])


@styled
def draw_sheet(
    runs: Sequence[SavedRun], indices: Sequence[int], titles: Sequence[str]
) -> Figure:
    """Draw frames of a clip in columns, what each run detects there in a row.

    Args:
        runs: Predictions and ground truth.
        indices: Which frames.
        titles: What to write above each.

    Returns:
        The sheet, with a legend beside the frames.
    """
    shape = load_rgb(str(runs[0].img_paths[indices[0]])).shape
    figure, axes = panels(
        len(runs), len(indices), shape, SHEET_WIDTH, left=0.35, right=1.75
    )
    for row, run in zip(axes, runs):
        for ax, index in zip(row, indices):
            show(ax, run, index)
        row[0].text(
            *(-0.03, 0.5, run.name),
            transform=row[0].transAxes,
            rotation='vertical',
            horizontalalignment='right',
            verticalalignment='center',
            fontsize=12,
        )
    for ax, title in zip(axes[0], titles):
        ax.set_title(title)
    add_box_legend(
        figure,
        'surest detection\nand its score (%)',
        loc='center right',
        alignment='left',
        borderaxespad=0.2,
    )
    return figure


def draw_clip(
    runs: Sequence[SavedRun], data_root: str, video: str, out_dir: str
) -> None:
    """Write ``frames/*.jpg``, ``video.mp4`` and ``sheet.png`` of a val clip.

    Args:
        runs: Predictions on the same frames, and ground truth.
        data_root: Folder that the generator wrote.
        video: Name of the clip, as ``ILSVRC2015_val_00000000``.
        out_dir: Where to write.

    Raises:
        ValueError: There is no such clip.
    """
    img_paths = runs[0].img_paths
    clip = [
        i
        for i, path in enumerate(img_paths)
        if osp.basename(osp.dirname(str(path))) == video
    ]
    if not clip:
        raise ValueError(f'the predictions have no frame of a video {video}')
    kinds = deteriorations(data_root, [img_paths[i] for i in clip])
    titles = [
        f'frame {t}: {(kind or "sharp").replace("_", " ")}'
        for t, kind in enumerate(kinds)
    ]
    shutil.rmtree(osp.join(out_dir, 'frames'), ignore_errors=True)  # of another run
    with FrameWriter(osp.join(out_dir, 'frames')) as frames, VideoWriter(
        osp.join(out_dir, 'video.mp4'), FPS
    ) as movie:
        for t, index in enumerate(ProgressBar(clip, 'draw', unit='frame')):
            picture = draw_frame(runs, index, titles[t])
            sample = TrackDataSample(metainfo=dict(frame_id=t))
            frames.write(picture, sample)
            movie.write(picture, sample)
    shown = choose_frames(kinds)
    sheet = draw_sheet(runs, [clip[t] for t in shown], [titles[t] for t in shown])
    save_figure(sheet, osp.join(out_dir, 'sheet.png'))


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m projects.tiny_vid.pictures',
        description='Draw what was found in a val clip of tiny_vid.',
    )
    parser.add_argument('config', help='config of the test run')
    parser.add_argument('results', nargs='+', help='what tools/test.py --out wrote')
    parser.add_argument('--names', nargs='+', help='of the runs, default: of the files')
    parser.add_argument('--video', help='name of the clip, default: a typical one')
    parser.add_argument('--out-dir', required=True, help='where to write')
    args = parser.parse_args(argv)
    cfg = Config.fromfile(args.config)
    names = name_runs(args.results, args.names)
    runs = [load_saved_run(cfg, *pair) for pair in zip(args.results, names)]
    data_root = cfg.test_dataloader.dataset.data_root
    paths = runs[0].img_paths
    kinds = deteriorations(data_root, paths)
    bad = np.array([kind is not None for kind in kinds])
    right = [is_right(run) for run in runs]
    for name, of_run in zip(names, right):
        share = 100 * of_run[bad].mean()
        print(f'{name}: surest detection right in {share:.0f} % of deteriorated frames')
    videos = [osp.basename(osp.dirname(str(path))) for path in paths]
    fit = np.mean([overlaps(run) for run in runs], axis=0)
    video = args.video or typical_clip(videos, kinds, right, fit)
    print(f'clip: {video}')
    draw_clip(runs, data_root, video, args.out_dir)


if __name__ == '__main__':
    main()
