"""Figures of accuracy: by motion speed, precision and recall, kinds of errors."""

from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ..evaluation import (
    ERROR_TYPES,
    MOTION_RANGES,
    ErrorBreakdown,
    SavedRun,
    VIDMotionEvaluator,
    confusion_matrix,
    vid_motion_ap,
)
from .style import PALETTE, add_legend, styled

MAX_NUMBERS = 15
"""Most classes whose confusion matrix has room for numbers."""

_WHITE_TO_BLUE = LinearSegmentedColormap.from_list('', ['white', PALETTE[0]])
RECALLS = np.linspace(0, 1, 1001)
"""Recalls at which mean precision is taken."""


def motion_aps(run: SavedRun, iou_thr: float = 0.5) -> dict[str, float]:
    """Mean AP of a run in every motion range, in [0, 1], nan without objects."""
    aps = vid_motion_ap(run.gts, run.dets, len(run.classes), iou_thr)
    return {str(name): ap['map'] for name, ap in aps.items()}


def class_aps(run: SavedRun, iou_thr: float = 0.5) -> dict[str, float]:
    """AP of a run in every class that has objects, in [0, 1]."""
    evaluator = VIDMotionEvaluator(run.gts, run.dets, len(run.classes))
    aps = evaluator.average_precision(iou_thr)
    numbers = evaluator.num_objects()
    return {n: float(ap) for n, ap, has in zip(run.classes, aps, numbers) if has}


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


@styled
def plot_class_aps(
    aps: Mapping[str, Mapping[str, float]], iou_thr: float = 0.5
) -> Figure:
    """AP of every class, a row for each, with a dot for each of several runs.

    Args:
        aps: For every run the AP of every class, in [0, 1].
        iou_thr: IoU threshold of the APs. Defaults to 0.5.

    Returns:
        Dots in percent, the classes by falling AP of the first run.
    """
    first = next(iter(aps.values()))
    classes = sorted(first, key=lambda name: first[name])
    figure = Figure(figsize=(7.5, 1.3 + 0.17 * len(classes)))
    ax = figure.subplots()
    rows = range(len(classes))
    handles = [
        ax.scatter(
            [100 * by_class[name] for name in classes],
            rows,
            color=PALETTE[i % len(PALETTE)],
            marker='osD^v'[i // len(PALETTE) % 5],
            s=30,
            zorder=3,
        )
        for i, by_class in enumerate(aps.values())
    ]
    ax.set_yticks(rows, classes, fontsize=8)
    ax.set(xlim=(-1, 101), ylim=(-0.7, len(classes) - 0.3))
    ax.set_xlabel(f'AP{100 * iou_thr:g} (%)')
    ax.grid(axis='both')
    ax.set_title('AP by class')
    add_legend(figure, handles, list(aps), loc='outside lower center', ncols=4)
    return figure


@styled
def plot_confusion_matrix(
    run: SavedRun, iou_thr: float = 0.5, score_thr: float = 0.3
) -> Figure:
    """What objects of each class are detected as.

    Args:
        run: Predictions.
        iou_thr: Least IoU at which a detection is of an object. Defaults to 0.5.
        score_thr: Detections of lower scores are left out. Defaults to 0.3.

    Returns:
        See :func:`~stpn_plugin.evaluation.confusion_matrix`, in percent of each row,
        with the classes that have objects or are detected. Up to
        :data:`MAX_NUMBERS` of them have numbers in the cells.

    Raises:
        ValueError: If there are neither objects nor detections.
    """
    counts = confusion_matrix(run.gts, run.dets, len(run.classes), iou_thr, score_thr)
    used = np.flatnonzero(counts.sum(axis=0)[:-1] + counts.sum(axis=1)[:-1])
    if not len(used):
        raise ValueError('no matrix to plot: there are neither objects nor detections')
    with_none = np.append(used, len(run.classes))
    counts = counts[np.ix_(with_none, with_none)]
    totals = counts.sum(axis=1, keepdims=True)
    percent = 100 * counts / np.maximum(totals, 1)
    classes = [run.classes[label] for label in used]

    has_numbers = len(used) <= MAX_NUMBERS
    side = (0.55 if has_numbers else 0.15) * len(with_none)
    figure = Figure(figsize=(max(6, side + 2.8), max(4, side + 1.8)))
    ax = figure.subplots()
    shown = ax.imshow(
        np.where(totals, percent, np.nan), cmap=_WHITE_TO_BLUE, vmin=0, vmax=100
    )
    size = 9 if has_numbers else 6
    ticks = range(len(with_none))
    ax.set_xticks(ticks, [*classes, 'not found'], rotation=90, fontsize=size)
    names = [f'{n} ({t:,})' for n, t in zip([*classes, 'no object'], totals[:, 0])]
    ax.set_yticks(ticks, names, fontsize=size)
    ax.set(xlabel='detected as', ylabel='class (number)')
    for line in (ax.axhline, ax.axvline):  # apart from what is no class
        line(len(used) - 0.5, color='black', linewidth=1)
    ax.grid(False)
    if has_numbers:
        for (row, column), value in np.ndenumerate(percent):
            if counts[row, column]:
                ax.text(
                    column,
                    row,
                    f'{value:.0f}',
                    color='white' if value > 55 else 'black',
                    fontsize=9,
                    horizontalalignment='center',
                    verticalalignment='center',
                )
    ax.set_title(f'{run.name}: what objects are detected as', fontsize=11)
    bar = figure.colorbar(shown, ax=ax, ticks=range(0, 101, 20), pad=0.02)
    bar.set_label('part of the row (%)')
    return figure
