"""Training curves from the logs that mmengine writes."""

from __future__ import annotations

import json
import os.path as osp
import re
import sys
from glob import escape, glob
from pathlib import Path
from typing import Dict, Mapping, NamedTuple, Sequence, Tuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..utils import check_regular_file
from .style import PALETTE, add_legend, styled

# Counters, and times that say nothing new.
_NO_CURVES = {'iter', 'epoch', 'step', 'data_time'}
_RATES = {'lr', 'base_lr', 'momentum', 'weight_decay'}
_EXACT = {*_RATES, 'memory'}  # nothing to smooth
# Entries of a log by whether they come from validation, and step.
_Entries = Dict[Tuple[bool, int], dict]
_LAST_STEP = 2**53  # further ones are no longer told apart by floats
_UNITS = {
    'time': 'time (s / iteration)',
    'memory': 'memory (MB)',
    'acc': 'accuracy of classes (%)',
    'lr': 'learning rate',
    'base_lr': 'learning rate of the optimizer',
    'grad_norm': 'norm of the gradient',
}


class Curve(NamedTuple):
    """A logged value over training.

    Attributes:
        steps: Iterations, or epochs for metrics of validation, (n, ).
        values: Values, (n, ).
        is_metric: Whether validation measured it.
    """

    steps: np.ndarray
    values: np.ndarray
    is_metric: bool


def load_curves(path: str) -> dict[str, Curve]:
    """Read what a training run logged.

    Args:
        path: A ``scalars.json`` of mmengine's ``LocalVisBackend``, or a work dir with
            one training, see :func:`load_trainings`.

    Returns:
        A curve for every value logged: losses first, then learning rates, then the rest
        of training and then metrics. Values that are not finite or that COCO's
        evaluation marks as undefined (-1) are left out.

    Raises:
        FileNotFoundError: If there is no log.
        ValueError: If a log cannot be read or is empty, or if the work dir has several
            trainings.
    """
    trainings = load_trainings(path)
    if len(trainings) > 1:
        raise ValueError(
            f'{path} has {len(trainings)} trainings, none resumed from another: give '
            f'the log of one of them: {", ".join(trainings)}'
        )
    (curves,) = trainings.values()
    return curves


def load_trainings(path: str) -> dict[str, dict[str, Curve]]:
    """Read the logs of all trainings of a work dir.

    mmengine makes a folder in the work dir for each time that it is started. Those that
    say in their ``.log`` that they resumed a training are joined with the one before;
    where a training went over the same iterations again, the last time counts. All
    others are trainings of their own.

    Args:
        path: A ``scalars.json`` of mmengine's ``LocalVisBackend``, or a work dir.

    Returns:
        For the ``scalars.json`` with which each training starts its curves, see
        :func:`load_curves`, in the order of their starts. Those that have logged
        nothing are left out.

    Raises:
        FileNotFoundError: If there is no log.
        ValueError: If a log cannot be read, or all are empty.
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
    trainings: dict[str, _Entries] = {}
    latest: dict[Path, str] = {}  # the training to resume, by work dir
    for file in files:
        part = _read_entries(file)
        work_dir = Path(file).resolve().parent.parent.parent
        resumed_at = _resumed_at(Path(file))
        if resumed_at is not None and work_dir in latest:
            entries = trainings[latest[work_dir]]
            trainings[latest[work_dir]] = _join(entries, part, resumed_at)
        elif part:
            latest[work_dir] = file
            trainings[file] = part
    curves = {file: _curves(entries) for file, entries in trainings.items()}
    curves = {file: by_key for file, by_key in curves.items() if by_key}
    if not curves:
        raise ValueError(f'{", ".join(files)}: nothing is logged')
    return curves


def load_named_trainings(paths: Mapping[str, str]) -> dict[str, dict[str, Curve]]:
    """Read the trainings of several work dirs or logs, each under a name of its own.

    Args:
        paths: Work dir or ``scalars.json`` of every name.

    Returns:
        Curves by name. If a work dir has several trainings, the folders in which these
        start are added to its name.

    Raises:
        FileNotFoundError: If there is no log.
        ValueError: If a log cannot be read or a work dir's are all empty.
    """
    named = {}
    for name, path in paths.items():
        trainings = load_trainings(path)
        for file, curves in trainings.items():
            # <work dir>/<time of the start>/vis_data/scalars.json
            start = osp.relpath(osp.dirname(osp.dirname(file)), path)
            named[f'{name} {start}' if len(trainings) > 1 else name] = curves
    return named


def _resumed_at(file: Path) -> int | None:
    """Iteration after which a part of a training goes on; None if it starts anew.

    The runner logs it when it has resumed. ``resume`` in the config does not tell:
    where there is no checkpoint yet, the training starts anew.
    """
    folder = file.resolve().parent.parent
    log = folder / f'{folder.name}.log'
    if not log.is_file():
        return None
    text = log.read_text(encoding='utf-8', errors='replace')
    found = re.search(r'resumed epoch: \d+, iter: (\d+)', text)
    return int(found.group(1)) if found else None


def _join(entries: _Entries, part: _Entries, resumed_at: int) -> _Entries:
    """Entries of a training and of the part that resumed it, which counts."""
    first_metric = min((step for metric, step in part if metric), default=None)

    def is_kept(is_metric: bool, step: int) -> bool:
        if is_metric:
            return first_metric is None or step < first_metric
        return step <= resumed_at

    return {**{key: entries[key] for key in entries if is_kept(*key)}, **part}


def _curves(entries: _Entries) -> dict[str, Curve]:
    points: dict[tuple[str, bool], list[tuple[int, float]]] = {}
    for (is_metric, step), entry in sorted(entries.items()):
        for key, value in entry.items():
            undefined = is_metric and value == -1
            if key in _NO_CURVES or (is_metric and key == 'time') or undefined:
                continue
            # Not `np.isfinite`: JSON has whole numbers that are larger than any float.
            if isinstance(value, (int, float)) and abs(value) <= sys.float_info.max:
                points.setdefault((key, is_metric), []).append((step, value))
    curves = {}
    for key, is_metric in sorted(points, key=_rank):
        steps, values = np.array(points[key, is_metric], float).T
        curves[key] = Curve(steps.astype(int), values, is_metric)
    return curves


def _read_entries(file: str) -> _Entries:
    entries: _Entries = {}
    check_regular_file(file)
    with open(file, encoding='utf-8', errors='replace') as lines:
        content = lines.read().splitlines()
    for number, line in enumerate(content, 1):
        try:
            entry = json.loads(line)
            step = int(entry['step'])
            if abs(step) > _LAST_STEP:
                raise ValueError(f'step {step} is none')
        except (
            ValueError,
            KeyError,
            TypeError,
            RecursionError,
            OverflowError,
        ) as error:
            if number == len(content):
                break  # the run is being written, or was cut off
            raise ValueError(
                f'{file}, line {number} is no entry of a log of mmengine'
            ) from error
        # Training logs its learning rate with everything else.
        is_metric = not any(_last_part(key) == 'lr' for key in entry)
        entries.setdefault((is_metric, step), {}).update(entry)
    return entries


def _last_part(key: str) -> str:
    """``'lr'`` of ``'lr'``, and of ``'generator.lr'`` where optimizers have names."""
    return re.split(r'[./]', key)[-1]


def _rank(point: tuple[str, bool]) -> tuple:
    key, is_metric = point
    is_rate = _last_part(key) in _RATES
    kinds = ['loss' == key, 'loss' in key, is_rate, not is_metric, True]
    return kinds.index(True), key


def smooth(values: np.ndarray, weight: float) -> np.ndarray:
    """Moving average with weights that fall off exponentially into the past.

    Args:
        values: (n, ).
        weight: In [0, 1): how much the past weighs against each new value; 0 changes
            nothing.

    Returns:
        (n, ); the start is not drawn towards 0.

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


def _says_nothing_new(key: str, runs: Mapping[str, Mapping[str, Curve]]) -> bool:
    if key != 'base_lr':
        return False
    rates = [(curves.get('lr'), curves.get('base_lr')) for curves in runs.values()]
    return all(
        lr is not None and base is not None and np.array_equal(lr.values, base.values)
        for lr, base in rates
    )


@styled
def plot_training_curves(
    runs: Mapping[str, Mapping[str, Curve]],
    keys: Sequence[str] | None = None,
    smoothing: float = 0.0,
) -> Figure:
    """Plot logged values over training, a panel for every value.

    Args:
        runs: Curves of every run, see :func:`load_curves`.
        keys: Values to plot. Defaults to all, without the optimizer's learning rate
            where that is the first parameters', too.
        smoothing: See :func:`smooth`; curves of training are also shown faintly as they
            are. Learning rates, momentum, weight decay and memory stay exact. Defaults
            to 0.

    Returns:
        The panels.

    Raises:
        ValueError: If no run has logged one of the keys.
    """
    available = list(dict.fromkeys(key for curves in runs.values() for key in curves))
    unknown = [key for key in keys or [] if key not in available]
    if unknown:
        raise ValueError(f'nothing is logged as {unknown}; there are {available}')
    keys = keys or [key for key in available if not _says_nothing_new(key, runs)]
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
            if smoothing and not is_metric and _last_part(key) not in _EXACT:
                ax.plot(steps, values, color=color, alpha=0.25, linewidth=1)
                values = smooth(values, smoothing)
            marker = 'o' if is_metric else ''
            ax.plot(steps, values, color=color, marker=marker, markersize=4)
            ax.set_xlabel('epoch' if is_metric else 'iteration')
        ax.set_title(_UNITS.get(key, key), fontsize=10)
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        ax.ticklabel_format(axis='y', scilimits=(-3, 5))
    figure.suptitle('Training')
    add_legend(
        figure,
        [Line2D([], [], color=colors[name]) for name in runs],
        list(runs),
        loc='outside lower center',
        ncols=min(4, len(runs)),
    )
    return figure
