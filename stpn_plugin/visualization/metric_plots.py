"""Figures of accuracy: by motion speed, precision and recall, kinds of errors."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ..evaluation import (
    ERROR_TYPES,
    MOTION_RANGES,
    ErrorBreakdown,
    SavedRun,
    VIDMotionEvaluator,
    vid_motion_ap,
)
from .style import PALETTE, add_legend, styled

RECALLS = np.linspace(0, 1, 1001)
"""Recalls at which mean precision is taken."""


def motion_aps(run: SavedRun, iou_thr: float = 0.5) -> dict[str, float]:
    """Mean AP of a run in every motion range, in [0, 1], nan without objects."""
    aps = vid_motion_ap(run.gts, run.dets, len(run.classes), iou_thr)
    return {str(name): ap['map'] for name, ap in aps.items()}


@styled
def plot_motion_ap(
    aps: Mapping[str, Mapping[str, float]], iou_thr: float = 0.5
) -> Figure:
    """Bars of AP by motion speed, side by side for several runs.

    Args:
        aps: For every run the AP in every range, see :func:`motion_aps`.
        iou_thr: IoU threshold of the APs. Defaults to 0.5.

    Returns:
        Bars in percent; ranges without objects say so.
    """
    figure = Figure(figsize=(7 + 0.8 * (len(aps) - 1), 4))
    ax = figure.subplots()
    ranges = list(next(iter(aps.values())))
    width = 0.8 / len(aps)
    handles = []
    for i, by_range in enumerate(aps.values()):
        heights = 100 * np.array([by_range[r] for r in ranges])
        places = np.arange(len(ranges)) + (i - (len(aps) - 1) / 2) * width
        bars = ax.bar(
            places,
            np.nan_to_num(heights),
            width * 0.92,
            color=PALETTE[i % len(PALETTE)],
            hatch='/' * (i // len(PALETTE)),
        )
        handles.append(bars)
        texts = ['none' if np.isnan(height) else f'{height:.1f}' for height in heights]
        ax.bar_label(bars, texts, padding=2, fontsize=9)
    limits = [MOTION_RANGES[r] for r in ranges]
    ax.set_xticks(
        range(len(ranges)),
        [
            f'{r}\nmotion IoU {low:g} to {high:g}'
            for r, (low, high) in zip(ranges, limits)
        ],
    )
    ax.set_ylim(0, 108)
    ax.set_yticks(range(0, 101, 20))
    ax.set_ylabel(f'AP{100 * iou_thr:g} (%)')
    ax.set_title('AP by motion speed of the objects')
    if len(aps) > 1:
        add_legend(figure, handles, list(aps), loc='outside lower center', ncols=4)
    return figure


def class_precision(
    evaluator: VIDMotionEvaluator,
    label: int,
    iou_thr: float = 0.5,
    motion_range: tuple[float, float] = (0.0, 1.0),
) -> np.ndarray:
    """Highest precision of a class at or beyond every recall of :data:`RECALLS`.

    Args:
        evaluator: Ground truth and detections.
        label: The class.
        iou_thr: Least IoU of a true positive. Defaults to 0.5.
        motion_range: Range of motion IoU. Defaults to all.

    Returns:
        Precisions, (1001, ), 0 beyond the highest recall; nan if the class has no
        objects in the range.
    """
    precision, recall, _ = evaluator.precision_recall(label, iou_thr, motion_range)
    if not evaluator.num_objects(motion_range)[label]:
        return np.full(len(RECALLS), np.nan)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    # Of equal recalls the first has the highest precision.
    first = np.searchsorted(recall, RECALLS - 1e-9)
    return np.append(envelope, 0)[first]


def mean_precision(
    run: SavedRun,
    iou_thr: float = 0.5,
    motion_range: tuple[float, float] = (0.0, 1.0),
) -> np.ndarray:
    """Mean over the classes of :func:`class_precision`, (1001, ).

    Classes without objects are left out; nan if all are. The area below is the AP of
    :func:`~stpn_plugin.evaluation.vid_motion_ap`, up to the spacing of the recalls.
    """
    evaluator = VIDMotionEvaluator(run.gts, run.dets, len(run.classes))
    labels = np.flatnonzero(evaluator.num_objects(motion_range))
    if not len(labels):
        return np.full(len(RECALLS), np.nan)
    curves = [class_precision(evaluator, i, iou_thr, motion_range) for i in labels]
    return np.mean(curves, axis=0)


@styled
def plot_precision_recall(
    curves: Mapping[str, np.ndarray], title: str, iou_thr: float = 0.5
) -> Figure:
    """Precision over recall.

    Args:
        curves: For every name the precision at the recalls :data:`RECALLS`, (1001, ).
            Those that are nan are left out.
        title: Title of the figure.
        iou_thr: IoU threshold of the curves. Defaults to 0.5.

    Returns:
        A line for every curve; the legend has the areas below in percent.

    Raises:
        ValueError: If there is no curve.
    """
    curves = {k: v for k, v in curves.items() if not np.isnan(v).any()}
    if not curves:
        raise ValueError('no curve to plot: there are no objects')
    figure = Figure(figsize=(7.5, max(4.8, 0.8 + 0.19 * len(curves))))
    ax = figure.subplots()
    styles = ['-', '--', ':', '-.']
    handles = []
    for i, precision in enumerate(curves.values()):
        handles += ax.plot(
            100 * RECALLS,
            100 * precision,
            color=PALETTE[i % len(PALETTE)],
            linestyle=styles[i // len(PALETTE) % len(styles)],
            linewidth=2,
        )
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter())
    ax.set(xlim=(0, 101), ylim=(0, 103), xlabel='recall', ylabel='precision')
    ax.grid(axis='both')
    ax.set_title(title)
    add_legend(
        figure,
        handles,
        [f'{name}: {100 * curve.mean():.1f}' for name, curve in curves.items()],
        loc='outside right upper',
        title=f'AP{100 * iou_thr:g} (%)',
        fontsize=9,
    )
    return figure


@styled
def plot_error_breakdown(breakdowns: Mapping[str, ErrorBreakdown]) -> Figure:
    """Bars of the AP that every kind of error costs, side by side for several runs.

    Args:
        breakdowns: Errors of every run.

    Returns:
        Bars in percentage points of AP, with the numbers of errors.
    """
    figure = Figure(figsize=(9, 3.2 + 0.5 * len(breakdowns)))
    ax, total = figure.subplots(1, 2, width_ratios=[3, 1], sharey=True)
    kinds = list(ERROR_TYPES)
    width = 0.8 / len(breakdowns)
    handles = []
    for i, errors in enumerate(breakdowns.values()):
        shift = (i - (len(breakdowns) - 1) / 2) * width
        look = dict(color=PALETTE[i % len(PALETTE)])
        heights = [100 * errors.delta_ap[kind] for kind in kinds]
        bars = ax.bar(
            np.arange(len(kinds)) + shift,
            heights,
            width * 0.92,
            **look,
        )
        handles.append(bars)
        ax.bar_label(
            bars,
            [f'{h:.1f}\n({errors.counts[k]:,})' for h, k in zip(heights, kinds)],
            padding=2,
            fontsize=8,
        )
        heights = [
            100 * errors.false_positive_delta_ap,
            100 * errors.false_negative_delta_ap,
        ]
        bars = total.bar(np.arange(2) + shift, heights, width * 0.92, **look)
        total.bar_label(bars, [f'{h:.1f}' for h in heights], padding=2, fontsize=8)
    ax.set_xticks(range(len(kinds)), kinds, fontsize=9)
    total.set_xticks(range(2), ['false\npositives', 'false\nnegatives'], fontsize=9)
    ax.set_ylabel('AP gained if mended (points)')
    ax.set_title('Kinds of errors (number)')
    total.set_title('All errors')
    for part in (ax, total):
        part.margins(y=0.2)
    names = [f'{name} (AP {100 * e.ap:.1f})' for name, e in breakdowns.items()]
    add_legend(figure, handles, names, loc='outside lower center', ncols=3)
    return figure


def per_class_precision(
    run: SavedRun, classes: Sequence[str] | None = None, iou_thr: float = 0.5
) -> dict[str, np.ndarray]:
    """Curves of single classes, see :func:`class_precision`.

    Args:
        run: The run.
        classes: Names of classes. Defaults to those that have objects.
        iou_thr: Least IoU of a true positive. Defaults to 0.5.

    Returns:
        Precision of every class, (1001, ).

    Raises:
        ValueError: If there is no class of that name, or it has no objects.
    """
    evaluator = VIDMotionEvaluator(run.gts, run.dets, len(run.classes))
    has_objects = evaluator.num_objects() > 0
    present = [name for name, has in zip(run.classes, has_objects) if has]
    wrong = [name for name in classes or [] if name not in present]
    if wrong:
        raise ValueError(
            f'there are no objects of the classes {wrong}; there are of {present}'
        )
    return {
        name: class_precision(evaluator, run.classes.index(name), iou_thr)
        for name in classes or present
    }
