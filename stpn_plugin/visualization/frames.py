"""Frames with boxes, and sheets of them."""

from __future__ import annotations

import os.path as osp
from typing import Any, Sequence

import mmcv
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from ..datasets import VideoFrameReader, as_video_frame
from ..evaluation import DetectionMatching
from .style import add_legend

_VIDEOS = VideoFrameReader(max_open=2)

FOUND, MISSED = '#56B4E9', '#F0E442'  # objects
RIGHT, WRONG = '#009E73', '#D55E00'  # detections
_OUTLINE = [patheffects.withStroke(linewidth=3, foreground='black', alpha=0.5)]
_LABEL_HEIGHT = 0.08  # about that of a label, as part of a frame's


def load_rgb(path: str) -> np.ndarray:
    """Read a frame.

    Args:
        path: Path of the image file, or name of a frame of a video file.

    Returns:
        RGB image (H, W, 3), uint8.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no image.
    """
    frame = as_video_frame(path)
    if frame is not None and osp.isfile(frame.video):
        return mmcv.bgr2rgb(_VIDEOS.read(frame))
    if not osp.isfile(path):
        raise FileNotFoundError(f'frame {path} does not exist')
    image = mmcv.imread(path)
    if image is None:
        raise ValueError(f'{path} cannot be read as an image')
    return mmcv.bgr2rgb(image)


def frame_sheet(
    num_rows: int,
    num_columns: int,
    frame_shape: Sequence[int],
    width: float = 3.0,
    margin: float = 0.3,
) -> tuple[Figure, np.ndarray]:
    """An empty sheet for frames.

    Args:
        num_rows: Number of rows.
        num_columns: Number of columns.
        frame_shape: (H, W, ...) of the frames in pixels.
        width: Width of a frame on the sheet in inches. Defaults to 3.
        margin: Room beside the frames in inches. Defaults to 0.3.

    Returns:
        The figure and its axes, (rows, columns), without ticks.
    """
    height = width * frame_shape[0] / frame_shape[1]
    figure = Figure(
        figsize=(num_columns * width + margin, num_rows * (height + 0.35) + 0.5)
    )
    axes = figure.subplots(num_rows, num_columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    return figure, axes


def draw_boxes(
    ax: Axes,
    bboxes: np.ndarray,
    texts: Sequence[str],
    colors: Sequence[str],
    dashed: bool = False,
) -> None:
    """Draw boxes over a frame.

    Args:
        ax: Where the frame is shown.
        bboxes: (n, 4) as ``x1, y1, x2, y2`` in pixels.
        texts: Text of every box, at its top, or at its bottom if ``dashed``.
        colors: Colour of every box.
        dashed: Whether to draw dashed lines. Defaults to False.
    """
    # Limits of the axes are those of the frame, y downwards.
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    label_height = _LABEL_HEIGHT * (bottom - top)
    for (x1, y1, x2, y2), text, color in zip(bboxes, texts, colors):
        ax.add_patch(
            Rectangle(
                (x1, y1),
                x2 - x1,
                y2 - y1,
                fill=False,
                edgecolor=color,
                linewidth=1.8,
                linestyle='--' if dashed else '-',
                path_effects=_OUTLINE,
            )
        )
        # Beside the box, which may be smaller than its label, where the frame has room.
        if dashed:
            y, upwards = y2, y2 + label_height > bottom
        else:
            y, upwards = y1, y1 - label_height > top
        leftwards = x1 > left + 0.7 * (right - left)
        ax.annotate(
            text,
            (x2 if leftwards else x1, y),
            xytext=(-1 if leftwards else 1, 2 if upwards else -2),
            textcoords='offset points',
            color=_readable_on(color),
            fontsize=8,
            horizontalalignment='right' if leftwards else 'left',
            verticalalignment='bottom' if upwards else 'top',
            bbox=dict(facecolor=color, edgecolor='none', pad=1, alpha=0.85),
        )


def _readable_on(color: str) -> str:
    """Black or white, whichever stands out from a colour."""
    red, green, blue = to_rgb(color)
    return 'black' if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else 'white'


def draw_detections(
    ax: Axes,
    image: np.ndarray,
    gt: dict,
    det: dict,
    classes: Sequence[str],
    score_thr: float,
) -> None:
    """Show a frame with its ground truth, and detections by whether they are right.

    Args:
        ax: Where to show it.
        image: RGB image (H, W, 3).
        gt: Ground truth: ``bboxes`` (n, 4) in pixels and ``labels`` (n, ).
        det: Detections: ``bboxes`` (m, 4), ``labels`` (m, ), ``scores`` (m, ).
        classes: Names of the classes.
        score_thr: Detections of lower scores are left out, and find nothing.
    """
    ax.imshow(image)
    found = DetectionMatching([gt], [det], len(classes))
    # Falling scores: draw the best last, on top.
    shown = np.flatnonzero(found.scores >= score_thr)[::-1]
    matches = found.matches[shown]
    draw_boxes(
        ax,
        gt['bboxes'],
        [classes[label] for label in gt['labels']],
        [FOUND if i in matches else MISSED for i in range(len(gt['labels']))],
        dashed=True,
    )
    draw_boxes(
        ax,
        np.asarray(det['bboxes'])[found.order[shown]],
        # As mmdet's visualizer writes it, so that all pictures agree.
        [f'{classes[found.labels[i]]}: {100 * found.scores[i]:.1f}' for i in shown],
        [RIGHT if match >= 0 else WRONG for match in matches],
    )


def add_box_legend(figure: Figure, title: str, **look: Any) -> None:
    """Explain the boxes of :func:`draw_detections`.

    Args:
        figure: The figure.
        title: What the legend is headed with.
        look: What else ``figure.legend`` takes, by default for a place above a sheet.
    """
    meanings = {
        'object, found': (FOUND, '--'),
        'object, missed': (MISSED, '--'),
        'right (IoU ≥ 0.5)': (RIGHT, '-'),
        'wrong': (WRONG, '-'),
    }
    handles = [
        Line2D([], [], color=color, linestyle=line, path_effects=_OUTLINE)
        for color, line in meanings.values()
    ]
    look = look or dict(loc='outside upper center', ncols=len(meanings))
    add_legend(figure, handles, list(meanings), title=title, **look)


def score_title(score_thr: float) -> str:
    """What to head a legend with where detections are left out by score."""
    return f'detections with a score of {100 * score_thr:g} % or more'


def frame_name(path: str | None) -> str:
    """Video and frame of an image file, as ``<video>/<frame>``."""
    return '/'.join(osp.splitext(path or '?')[0].split('/')[-2:])
