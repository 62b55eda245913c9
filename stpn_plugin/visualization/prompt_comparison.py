"""What a video model finds with its prompts and without."""

from __future__ import annotations

import os.path as osp
from contextlib import contextmanager
from typing import Any, Iterator, NamedTuple, Sequence

import numpy as np
from matplotlib.figure import Figure
from mmengine.dataset import BaseDataset
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample
from torch import nn

from ..evaluation import frame_scores
from ..models.prompting import VideoPrompting
from ..models.prompts.base import Features
from .frames import (
    add_box_legend,
    draw_detections,
    frame_sheet,
    load_rgb,
    score_title,
)
from .style import styled
from .video_runs import Video, check_frames, run_video


@contextmanager
def prompts_withheld(model: VideoPrompting) -> Iterator[None]:
    """Let a video model run as if it had no prompts.

    Whatever makes its prompts returns none of them inside the context, so its backbone
    computes plain features. Prompts that a video remembers stay: start the video
    inside the context.

    Args:
        model: The prompted video model. Nothing is left behind in it.

    Raises:
        TypeError: If the model has no prompts.
    """
    if not isinstance(model, VideoPrompting):
        raise TypeError(
            f'{type(model).__name__} has no prompts that could be withheld; give the '
            'config of a prompted one'
        )

    def withhold(module: nn.Module, args: Any, prompts: Features) -> Features:
        if isinstance(prompts, dict):
            return {place: p[..., :0, :] for place, p in prompts.items()}
        return prompts[..., :0, :]

    handle = model.prompt_predictor.register_forward_hook(withhold)
    try:
        yield
    finally:
        handle.remove()


class PromptComparison(NamedTuple):
    """Detections in a video with and without prompts.

    Attributes:
        frames: The frames compared, counted from 0.
        gts: Their ground truth.
        prompted: Detections with prompts: ``bboxes`` (n, 4), ``labels`` (n, ) and
            ``scores`` (n, ).
        withheld: Detections without.
        prompted_scores: Score of every frame with prompts, see
            :func:`~stpn_plugin.evaluation.frame_scores`.
        withheld_scores: Without.
    """

    frames: list[int]
    gts: list[dict]
    prompted: list[dict]
    withheld: list[dict]
    prompted_scores: np.ndarray
    withheld_scores: np.ndarray


def compare_prompts(
    model: VideoPrompting,
    dataset: BaseDataset,
    video: Video,
    frames: Sequence[int],
    num_classes: int,
) -> PromptComparison:
    """Detect with prompts and without.

    The detector was trained with prompts, so without them it may do worse than one
    that was trained without: this shows how much it relies on them, not what they
    gain.

    Args:
        model: The prompted video model.
        dataset: Test dataset.
        video: The video; the model runs over it twice, from its start to the last of
            the frames.
        frames: Frames to compare, counted from 0.
        num_classes: Number of classes.

    Returns:
        Detections in those frames.

    Raises:
        TypeError: If the model has no prompts.
        ValueError: If the video does not have the frames.
    """
    check_frames(video, frames)
    frames = sorted(set(frames))
    with prompts_withheld(model):
        withheld = _detect(model, dataset, video, frames, 'without prompts')
    prompted = _detect(model, dataset, video, frames, 'with prompts')
    gts = [video.gts[i] for i in frames]
    return PromptComparison(
        frames,
        gts,
        prompted,
        withheld,
        frame_scores(gts, prompted, num_classes),
        frame_scores(gts, withheld, num_classes),
    )


def _detect(
    model: VideoPrompting,
    dataset: BaseDataset,
    video: Video,
    frames: Sequence[int],
    description: str,
) -> list[dict]:
    run = run_video(model, dataset, video, max(frames) + 1, description)
    found = [_objects(frame.result) for i, frame in enumerate(run) if i in frames]
    return [
        {key: instances[key].cpu().numpy() for key in ('bboxes', 'labels', 'scores')}
        for instances in found
    ]


def _objects(result: TrackDataSample) -> InstanceData:
    """Detections, or the tracks of a model that gives no detections."""
    if 'pred_det_instances' in result:
        return result.pred_det_instances
    return result.pred_track_instances


@styled
def plot_prompt_comparison(
    comparison: PromptComparison,
    video: Video,
    classes: Sequence[str],
    score_thr: float = 0.3,
) -> Figure:
    """Show frames with what is found with prompts and without, side by side.

    Args:
        comparison: Detections.
        video: The video.
        classes: Names of the classes.
        score_thr: Detections of lower scores are not drawn. Defaults to 0.3.

    Returns:
        A row for every frame.
    """
    images = [load_rgb(video.img_paths[i]) for i in comparison.frames]
    figure, axes = frame_sheet(len(images), 2, images[0].shape, width=4)
    sides = (
        ('with prompts', comparison.prompted, comparison.prompted_scores),
        ('prompts withheld', comparison.withheld, comparison.withheld_scores),
    )
    for column, (title, dets, scores) in enumerate(sides):
        for ax, image, frame, gt, det, score in zip(
            axes[:, column], images, comparison.frames, comparison.gts, dets, scores
        ):
            draw_detections(ax, image, gt, det, classes, score_thr)
            ax.set_title(f'frame {frame}, {title}: frame score {score:.2f}', fontsize=9)
    title = f'{osp.basename(video.name)}, with prompts and without'
    add_box_legend(figure, f'{title}\n{score_title(score_thr)}')
    return figure
