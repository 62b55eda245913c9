"""Training curves from the logs that mmengine writes."""

from __future__ import annotations

import json
import os.path as osp
from glob import escape, glob
from typing import Mapping, NamedTuple, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from .style import PALETTE, styled

# Counters, and times that say nothing new.
_NO_CURVES = {'iter', 'epoch', 'step', 'data_time'}
_EXACT = {'lr', 'memory'}  # nothing to smooth
_UNITS = {'time': 'time (s / iteration)', 'memory': 'memory (MB)'}


class Curve(NamedTuple):
    """A logged value over training.

    Attributes:
        steps (np.ndarray): Iterations, or epochs for metrics of validation, (n, ).
        values (np.ndarray): Values, (n, ).
        is_metric (bool): Whether validation measured it.
    """

    steps: np.ndarray
    values: np.ndarray
    is_metric: bool


def load_curves(path: str) -> dict[str, Curve]:
    """Read what a training run logged.

    Args:
        path (str): A ``scalars.json`` of mmengine's ``LocalVisBackend``, or a work
            dir: then all parts of a training that was resumed are joined, and where
            it went over the same iterations again, the last time counts.

    Returns:
        dict[str, Curve]: A curve for every value logged: losses first, then learning
        rates, then the rest of training and then metrics. Values that are not finite
        or that COCO's evaluation marks as undefined (-1) are left out.

    Raises:
        FileNotFoundError: If there is no log.
        ValueError: If a log cannot be read or is empty.
    """
    if osp.isdir(path):
        logs = osp.join(escape(path), '**/scalars.json')
        files = sorted(glob(logs, recursive=True))
    else:
        files = [path] if osp.isfile(path) else []
    if not files:
        raise FileNotFoundError(
            f'no log {osp.join(path, "*/vis_data/scalars.json")}: give the work dir of '
            "a training run whose visualizer has mmengine's LocalVisBackend"
        )
    entries: dict[tuple[bool, int], dict] = {}
    for file in files:
        part = _read_entries(file)
        for is_metric in (False, True):
            steps = [step for metric, step in part if metric == is_metric]
            redone = min(steps, default=float('inf'))
            entries = {
                key: entry
                for key, entry in entries.items()
                if key[0] != is_metric or key[1] < redone
            }
        entries.update(part)

    points: dict[tuple[str, bool], list[tuple[int, float]]] = {}
    for (is_metric, step), entry in sorted(entries.items()):
        for key, value in entry.items():
            undefined = is_metric and value == -1
            if key in _NO_CURVES or (is_metric and key == 'time') or undefined:
                continue
            if isinstance(value, (int, float)) and np.isfinite(value):
                points.setdefault((key, is_metric), []).append((step, value))
    if not points:
        raise ValueError(f'{", ".join(files)}: nothing is logged')
    curves = {}
    for key, is_metric in sorted(points, key=_rank):
        steps, values = np.array(points[key, is_metric], float).T
        curves[key] = Curve(steps.astype(int), values, is_metric)
    return curves


def _read_entries(file: str) -> dict[tuple[bool, int], dict]:
    """Entries of a log by whether they come from validation, and step."""
    entries: dict[tuple[bool, int], dict] = {}
    with open(file) as lines:
        content = lines.read().splitlines()
    for number, line in enumerate(content, 1):
        try:
            entry = json.loads(line)
            step = int(entry['step'])
        except (ValueError, KeyError, TypeError) as error:
            if number == len(content):
                break  # the run is being written, or was cut off
            raise ValueError(
                f'{file}, line {number} is no entry of a log of mmengine'
            ) from error
        # Training logs its learning rate with everything else.
        is_metric = not any(key == 'lr' or key.endswith('/lr') for key in entry)
        entries.setdefault((is_metric, step), {}).update(entry)
    return entries


def _rank(point: tuple[str, bool]) -> tuple:
    key, is_metric = point
    kinds = ['loss' == key, 'loss' in key, 'lr' in key, not is_metric, True]
    return kinds.index(True), key


def smooth(values: np.ndarray, weight: float) -> np.ndarray:
    """Moving average with weights that fall off exponentially into the past.

    Args:
        values (np.ndarray): (n, ).
        weight (float): In [0, 1): how much the past weighs against each new value; 0
            changes nothing.

    Returns:
        np.ndarray: (n, ); the start is not drawn towards 0.

    Raises:
        ValueError: If the weight is not in [0, 1).
    """
    if not 0 <= weight < 1:
        raise ValueError(f'the weight of smoothing has to be in [0, 1), not {weight}')
    result = np.empty(len(values))
    total = norm = 0.0
    for i, value in enumerate(values):
        total = weight * total + value
        norm = weight * norm + 1
        result[i] = total / norm
    return result


@styled
def plot_training_curves(
    runs: Mapping[str, Mapping[str, Curve]],
    keys: Sequence[str] | None = None,
    smoothing: float = 0.0,
) -> Figure:
    """Plot logged values over training, a panel for every value.

    Args:
        runs (Mapping): Curves of every run, see :func:`load_curves`.
        keys (Sequence[str], optional): Values to plot. Defaults to all.
        smoothing (float): See :func:`smooth`; curves of training are also shown
            faintly as they are. Learning rate and memory stay exact. Defaults to 0.

    Returns:
        Figure: The panels.

    Raises:
        ValueError: If no run has logged one of the keys.
    """
    available = list(dict.fromkeys(key for curves in runs.values() for key in curves))
    unknown = [key for key in keys or [] if key not in available]
    if unknown:
        raise ValueError(f'nothing is logged as {unknown}; there are {available}')
    keys = keys or available
    num_columns = min(3, len(keys))
    num_rows = -(-len(keys) // num_columns)
    figure = Figure(figsize=(4.2 * num_columns, 2.7 * num_rows + 0.4))
    axes = figure.subplots(num_rows, num_columns, squeeze=False).flat
    for ax in axes[len(keys) :]:
        ax.set_axis_off()
    colors = {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(runs)}
    for ax, key in zip(axes, keys):
        for name, curves in runs.items():
            if key not in curves:
                continue
            steps, values, is_metric = curves[key]
            color = colors[name]
            if smoothing and not is_metric and key not in _EXACT:
                ax.plot(steps, values, color=color, alpha=0.25, linewidth=1)
                values = smooth(values, smoothing)
            marker = 'o' if is_metric else ''
            ax.plot(steps, values, color=color, marker=marker, markersize=4)
            ax.set_xlabel('epoch' if is_metric else 'iteration')
        ax.set_title(_UNITS.get(key, key), fontsize=10)
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        ax.ticklabel_format(axis='y', scilimits=(-3, 5))
    handles = [Line2D([], [], color=colors[name], label=name) for name in runs]
    figure.legend(handles=handles, loc='outside lower center', ncols=min(4, len(runs)))
    return figure
