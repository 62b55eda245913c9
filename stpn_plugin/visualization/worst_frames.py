"""The frames on which a detector does worst."""

from __future__ import annotations

from typing import Hashable, Sequence

import numpy as np
from matplotlib.figure import Figure

from ..evaluation import SavedRun, frame_scores
from .frames import (
    add_box_legend,
    draw_detections,
    frame_name,
    frame_sheet,
    load_rgb,
    score_title,
)
from .style import styled


def pick_worst(
    scores: np.ndarray, videos: Sequence[Hashable], number: int
) -> np.ndarray:
    """Pick frames of low scores from as many videos as possible.

    The worst frame of every video comes before the second worst of any, or else the
    neighbours of one frame would fill the sheet.

    Args:
        scores: Score of every frame, (n, ).
        videos: Video of every frame.
        number: How many frames to pick.

    Returns:
        Indices of at most ``number`` frames, by rising score.
    """
    _, ids = np.unique(np.asarray(videos, str), return_inverse=True)
    order = np.lexsort((scores, ids))
    starts = np.searchsorted(ids[order], ids[order])
    rank_in_video = np.empty(len(scores), int)
    rank_in_video[order] = np.arange(len(scores)) - starts
    picked = np.lexsort((scores, rank_in_video))[:number]
    return picked[np.argsort(scores[picked], kind='stable')]


@styled
def plot_worst_frames(
    run: SavedRun, number: int = 12, score_thr: float = 0.3
) -> Figure:
    """Contact sheet of the frames with the worst detections.

    How bad a frame is tells :func:`~stpn_plugin.evaluation.frame_scores`: the
    confidence in right detections over the number of objects plus the confidence in
    wrong ones.

    Args:
        run: Predictions, with the files of the frames.
        number: How many frames to show. Defaults to 12.
        score_thr: Detections of lower scores are not drawn, but count. Defaults to 0.3.

    Returns:
        Frames by rising score, with ground truth and detections.

    Raises:
        FileNotFoundError: If a frame's file does not exist.
        ValueError: If the predictions do not name the files, or there are none.
    """
    if number < 1 or not run.dets:
        raise ValueError(f'cannot show {number} of {len(run.dets)} frames')
    if None in run.img_paths:
        raise ValueError(
            f'the predictions of {run.name} do not name the files of their frames: '
            'img_path has to be among the meta_keys of PackTrackInputs'
        )
    scores = frame_scores(run.gts, run.dets, len(run.classes))
    videos = [path.rpartition('/')[0] for path in run.img_paths if path]
    picked = pick_worst(scores, videos, number)
    images = [load_rgb(str(run.img_paths[i])) for i in picked]
    num_columns = min(3, len(picked))
    figure, axes = frame_sheet(
        -(-len(picked) // num_columns), num_columns, images[0].shape
    )
    for ax, i, image in zip(axes.flat, picked, images):
        draw_detections(ax, image, run.gts[i], run.dets[i], run.classes, score_thr)
        ax.set_title(
            f'{frame_name(run.img_paths[i])}\nframe score {scores[i]:.2f}', fontsize=8
        )
    title = f'Frames with the worst detections of {run.name}'
    add_box_legend(figure, f'{title}\n{score_title(score_thr)}')
    return figure
