"""One report on a detector: accuracy, errors, training, attention of prompts."""

from __future__ import annotations

from datetime import datetime
from typing import Callable, Sequence

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log

from ..builders import build_dataset
from ..evaluation import (
    ERROR_TYPES,
    MOTION_RANGES,
    SavedRun,
    VIDMotionEvaluator,
    error_breakdown,
    nanmean,
)
from ..utils import name_runs
from .html_page import HtmlPage
from .metric_plots import (
    class_aps,
    mean_precision,
    motion_aps,
    per_class_precision,
    plot_class_aps,
    plot_confusion_matrix,
    plot_error_breakdown,
    plot_motion_ap,
    plot_precision_recall,
)
from .prompt_attention import plot_prompt_attention
from .prompt_comparison import compare_prompts, plot_prompt_comparison
from .training_curves import load_named_trainings, plot_training_curves
from .video_runs import build_detector, find_video, least_sharp
from .worst_frames import plot_worst_frames

_FEW_CLASSES = 14  # as many curves can be told apart
_IOU_THRS = [percent / 100 for percent in range(50, 100, 5)]


def write_report(
    path: str,
    cfg: Config,
    runs: Sequence[SavedRun],
    work_dirs: Sequence[str] = (),
    checkpoint: str | None = None,
    video: str | None = None,
    num_frames: int = 4,
    device: str = 'cpu',
    command: str | None = None,
) -> list[str]:
    """Write a report as one HTML file.

    Args:
        path: Path of the file.
        cfg: Config of the test runs.
        runs: Predictions. All are in the comparisons, and the tables and frames are
            those of the first.
        work_dirs: Work dirs of training runs, for their curves.
        checkpoint: Weights, to look at the attention of prompts.
        video: Video to look at, see :func:`find_video`. Defaults to the first one.
        num_frames: How many frames of it to show. Defaults to 4.
        device: Where to run the detector. Defaults to 'cpu'.
        command: The command that makes it, to be told.

    Returns:
        Titles of the parts that the report lacks; it says why.

    Raises:
        ValueError: If two runs have the same name.
    """
    name_runs([run.name for run in runs], [run.name for run in runs])
    first = runs[0]
    facts = {
        'date': f'{datetime.now():%Y-%m-%d %H:%M}',
        'config': cfg.filename,
        'checkpoint': checkpoint,
        'command': command,
        'data': f'{len(first.dets):,} frames, {_number(first.gts):,} objects, '
        f'{_number(first.dets):,} detections of {first.name}',
    }
    page = HtmlPage(f'Report on {first.name}', {k: v for k, v in facts.items() if v})
    missing = []

    def add(title: str, build: Callable[[], None]) -> None:
        page.section(title)
        print_log(f'Report: {title}', logger='current')
        try:
            build()
        except (OSError, ValueError, TypeError) as error:
            page.missing(str(error))
            missing.append(title)

    def prompts() -> None:
        _add_prompts(page, cfg, first, checkpoint, video, num_frames, device)

    add('Accuracy by motion speed', lambda: _add_accuracy(page, runs))
    add('Precision and recall', lambda: _add_precision(page, runs))
    add('Kinds of errors', lambda: _add_errors(page, runs))
    add('Confusion of classes', lambda: _add_confusion(page, first))
    add('Worst frames', lambda: _add_worst_frames(page, first))
    add('Training', lambda: _add_training(page, work_dirs))
    add('Prompts', prompts)
    page.save(path)
    return missing


def _number(images: Sequence[dict]) -> int:
    return sum(len(image['labels']) for image in images)


def _percent(value: float) -> str:
    return '–' if np.isnan(value) else f'{100 * value:.1f}'


def _add_accuracy(page: HtmlPage, runs: Sequence[SavedRun]) -> None:
    rows = [['AP (%)', 'IoU', *MOTION_RANGES]]
    for run in runs:
        evaluator = VIDMotionEvaluator(run.gts, run.dets, len(run.classes))
        aps = np.array(
            [
                [
                    nanmean(evaluator.average_precision(iou_thr, limits))
                    for limits in MOTION_RANGES.values()
                ]
                for iou_thr in _IOU_THRS
            ]
        )
        for name, values in (
            ('0.5', aps[0]),
            ('0.75', aps[_IOU_THRS.index(0.75)]),
            ('0.5:0.95', aps.mean(axis=0)),
        ):
            rows.append([run.name, name, *map(_percent, values)])
    page.figure(
        plot_motion_ap({run.name: motion_aps(run) for run in runs}),
        'AP at IoU 0.5 over all objects, and over those of each speed alone. An object '
        'is fast if it overlaps little with itself in the 10 frames before and after.',
    )
    page.table(rows)

    run = runs[0]
    evaluator = VIDMotionEvaluator(run.gts, run.dets, len(run.classes))
    numbers = evaluator.num_objects()
    by_range = [evaluator.average_precision(0.5, r) for r in MOTION_RANGES.values()]
    if len(run.classes) > _FEW_CLASSES:
        page.figure(
            plot_class_aps({run.name: class_aps(run) for run in runs}),
            'AP at IoU 0.5 of every class, all speeds together.',
        )
    page.text(f'AP50 (%) of {run.name} by class:')
    page.table(
        [
            ['class', 'objects', *MOTION_RANGES],
            *(
                [name, f'{numbers[i]:,}', *(_percent(aps[i]) for aps in by_range)]
                for i, name in enumerate(run.classes)
                if numbers[i]
            ),
        ]
    )


def _add_precision(page: HtmlPage, runs: Sequence[SavedRun]) -> None:
    page.figure(
        plot_precision_recall(
            {run.name: mean_precision(run) for run in runs},
            'Mean over the classes',
        ),
        'Highest precision at or beyond each recall, mean over the classes, at IoU '
        '0.5. The area below a curve is the AP.',
    )
    curves = per_class_precision(runs[0])
    which = 'for every class'
    if len(curves) > _FEW_CLASSES:
        ordered = sorted(curves.items(), key=lambda curve: curve[1].mean())
        half = _FEW_CLASSES // 2
        curves = dict(ordered[: -half - 1 : -1] + ordered[half - 1 :: -1])
        which = f'for the {half} classes of highest AP, and the {half} of lowest,'
    page.figure(
        plot_precision_recall(curves, f'{runs[0].name} by class'),
        f'Precision over recall {which} of {runs[0].name}.',
    )


def _add_errors(page: HtmlPage, runs: Sequence[SavedRun]) -> None:
    breakdowns = {
        run.name: error_breakdown(run.gts, run.dets, len(run.classes)) for run in runs
    }
    page.figure(
        plot_error_breakdown(breakdowns),
        'How much AP50 would gain if one kind of error were mended, in the way of TIDE '
        '(Bolya et al., ECCV 2020). In brackets, how many there are.',
    )
    name, errors = next(iter(breakdowns.items()))
    page.text(f'Errors of {name}, whose AP50 is {_percent(errors.ap)} %:')
    page.table(
        [
            ['error', 'meaning', 'number', 'AP gained if mended (points)'],
            *(
                [
                    kind,
                    meaning,
                    f'{errors.counts[kind]:,}',
                    _percent(errors.delta_ap[kind]),
                ]
                for kind, meaning in ERROR_TYPES.items()
            ),
        ]
    )


def _add_confusion(page: HtmlPage, run: SavedRun) -> None:
    page.figure(
        plot_confusion_matrix(run),
        f'What objects of each class are detected as by {run.name}: the detection of '
        'the highest score that overlaps an object by an IoU of 0.5 or more, of those '
        'with a score of 30 % or more. Below the line, detections where no object is.',
    )


def _add_worst_frames(page: HtmlPage, run: SavedRun) -> None:
    page.frames(
        plot_worst_frames(run),
        f'Frames with the worst detections of {run.name}, the worst of every video '
        'first. The frame score is the confidence in right detections, divided by the '
        'number of objects plus the confidence in wrong ones.',
    )


def _add_training(page: HtmlPage, work_dirs: Sequence[str]) -> None:
    if not work_dirs:
        raise ValueError('no work dir of a training run is given')
    page.figure(
        plot_training_curves(
            load_named_trainings(dict(zip(name_runs(work_dirs), work_dirs))),
            smoothing=0.9,
        ),
        'Logged values, smoothed (0.9); the faint lines are as logged. Dots are '
        'metrics of validation.',
    )


def _add_prompts(
    page: HtmlPage,
    cfg: Config,
    run: SavedRun,
    checkpoint: str | None,
    video_name: str | None,
    num_frames: int,
    device: str,
) -> None:
    if checkpoint is None:
        raise ValueError('no checkpoint is given')
    model = build_detector(cfg, checkpoint, device)
    dataset = build_dataset(cfg)
    video = find_video(dataset, video_name)
    frames = least_sharp(video.img_paths, num_frames)
    captions = dict(
        support='Where the prompts look in the support frames, relative to equal '
        'attention everywhere; the percentages are what part of all attention a frame '
        'gets.',
        stages='What part of their attention the patches pay to the prompts, by stage '
        'of the backbone. White is equal attention to all tokens.',
    )
    page.text(
        f'Video {video.name}: its {len(frames)} least sharp of {len(video.img_paths)} '
        'frames.'
    )
    comparison = compare_prompts(model, dataset, video, frames, len(run.classes))
    try:
        figures = plot_prompt_attention(model, dataset, video, frames)
    except (TypeError, ValueError) as error:  # detections are there all the same
        page.missing(str(error))
        figures = {}
    for name, figure in figures.items():
        page.frames(figure, captions[name])
    page.frames(
        plot_prompt_comparison(comparison, video, run.classes),
        'The same detector with its prompts and with the prompts withheld. It was '
        'trained with prompts: this shows how much it relies on them.',
    )
    page.table(
        [
            ['frame', 'score with prompts', 'score without'],
            *(
                [frame, f'{with_prompts:.2f}', f'{without:.2f}']
                for frame, with_prompts, without in zip(
                    comparison.frames,
                    comparison.prompted_scores,
                    comparison.withheld_scores,
                )
            ),
        ]
    )
