"""What came out: a table and a figure over the seeds."""

from __future__ import annotations

import json
import os.path as osp
from typing import Any, Dict

import numpy as np
from matplotlib.figure import Figure

from projects.tiny_vid.experiment.plan import METHODS, Run
from projects.tiny_vid.experiment.run import TRACK_METRICS, write_text
from stpn_plugin.utils import markdown_table, text_table
from stpn_plugin.visualization.style import PALETTE, save_figure, styled

COLUMNS = {
    'vid': ('all', 'fast', 'medium', 'slow', 'sharp', 'deteriorated', 'guess'),
    **{task: tuple(columns) for task, columns in TRACK_METRICS.items()},
}
WHAT = {
    'vid': 'Detection: AP50 (%)',
    'mot': 'Tracking: HOTA and IDF1 (%)',
    'vis': 'Instance segmentation: AP of masks through time (%)',
}
Scores = Dict[str, float]


def summarize(runs: dict[str, list[Run]]) -> dict[str, dict[str, Any]]:
    """Mean and deviation over the seeds.

    Args:
        runs: Runs of every method. Those without scores are left out.

    Returns:
        For every method with scores ``title``, ``config``, ``seeds`` (scores by seed),
        ``mean`` and ``std`` (the sample's, None of a single run); columns are those of
        its task.
    """
    summary = {}
    for method, of_seeds in runs.items():
        scores: dict[int, Scores] = {}
        for run in of_seeds:
            if osp.isfile(run.scores):
                with open(run.scores) as file:
                    scores[run.seed] = json.load(file)
        if scores:
            columns = COLUMNS[METHODS[method].task]
            table = np.array([[s[key] for key in columns] for s in scores.values()])
            std = table.std(0, ddof=1) if len(table) > 1 else [None] * len(columns)
            summary[method] = dict(
                METHODS[method]._asdict(),
                seeds=scores,
                mean=dict(zip(columns, table.mean(0).tolist())),
                std=dict(zip(columns, np.asarray(std).tolist())),
            )
    return summary


def of_task(summary: dict[str, dict[str, Any]], task: str) -> dict[str, dict[str, Any]]:
    """The part of a summary that is about a task."""
    return {name: entry for name, entry in summary.items() if entry['task'] == task}


def rows(summary: dict[str, dict[str, Any]], task: str) -> list[list[str]]:
    """Rows of a task's table: method, number of runs, and mean ± deviation."""
    found = [['method', 'runs', *COLUMNS[task]]]
    for entry in of_task(summary, task).values():
        cells = [entry['title'], str(len(entry['seeds']))]
        for key in COLUMNS[task]:
            mean, std = entry['mean'][key], entry['std'][key]
            cells.append(f'{mean:.1f}' + ('' if std is None else f' ± {std:.1f}'))
        found.append(cells)
    return found


def markdown(summary: dict[str, dict[str, Any]]) -> str:
    """The tables as Markdown."""
    return '\n'.join(
        f'{title}\n\n{markdown_table(rows(summary, task))}\n'
        for task, title in WHAT.items()
        if of_task(summary, task)
    )


@styled
def plot(summary: dict[str, dict[str, Any]]) -> Figure:
    """Bars of AP50 by motion speed and by what is wrong with frames.

    Args:
        summary: See :func:`summarize`, of detectors.

    Returns:
        Bars of means, with deviations.
    """
    panels = [COLUMNS['vid'][:4], COLUMNS['vid'][4:6]]
    figure = Figure(figsize=(11, 4.4))
    axes = figure.subplots(
        1, 2, sharey=True, gridspec_kw=dict(width_ratios=[len(p) for p in panels])
    )
    width = 0.84 / len(summary)
    for i, entry in enumerate(summary.values()):
        shift = (i - (len(summary) - 1) / 2) * width
        for ax, keys in zip(axes, panels):
            means = [entry['mean'][key] for key in keys]
            bars = ax.bar(
                np.arange(len(keys)) + shift,
                means,
                width * 0.92,
                yerr=[entry['std'][key] or 0 for key in keys],
                error_kw=dict(elinewidth=1, capsize=2, ecolor='#444444'),
                color=PALETTE[i % len(PALETTE)],
                hatch='//' * (i // len(PALETTE)),
                label=entry['title'],
            )
            ax.bar_label(bars, [f'{m:.0f}' for m in means], padding=2, fontsize=7)
    for ax, keys, title in zip(axes, panels, ('by motion speed', 'by frame')):
        ax.set_xticks(range(len(keys)), keys)
        ax.set_title(title)
    axes[0].set_ylim(0, 112)
    axes[0].set_yticks(range(0, 101, 20))
    axes[0].set_ylabel('AP50 (%), mean and deviation')
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=4)
    return figure


def report(runs: dict[str, list[Run]], work_dir: str) -> None:
    """Print the tables; write them, all scores and the figure.

    Args:
        runs: Runs of every method.
        work_dir: Folder for ``table.md``, ``scores.json`` and ``figure.png``.
    """
    summary = summarize(runs)
    if not summary:
        return
    for task, title in WHAT.items():
        if of_task(summary, task):
            print(f'{title} on the val videos of tiny_vid, mean ± deviation')
            print(text_table(rows(summary, task)))
    write_text(osp.join(work_dir, 'table.md'), markdown(summary))
    write_text(osp.join(work_dir, 'scores.json'), json.dumps(summary, indent=1))
    written = 'table.md, scores.json'
    detectors = of_task(summary, 'vid')
    if detectors:
        save_figure(plot(detectors), osp.join(work_dir, 'figure.png'))
        written += ', figure.png'
    print(f'written to {work_dir}: {written}')
