"""Where the prompts of a video model look, and which patches look at them."""

from __future__ import annotations

from typing import Sequence

import numpy as np
from matplotlib.figure import Figure
from mmengine.dataset import BaseDataset

from ..models.backbones import require_blocks
from ..models.prompting import VideoPrompting
from .attention import record_attention
from .attention_plots import (
    plot_stage_attention,
    plot_support_attention,
    stage_shares,
)
from .video_runs import RunFrame, Video, check_frames, network_image, run_video


def plot_prompt_attention(
    model: VideoPrompting, dataset: BaseDataset, video: Video, frames: Sequence[int]
) -> dict[str, Figure]:
    """Draw the attention of prompts in a video.

    Args:
        model: The prompted video model.
        dataset: Test dataset.
        video: The video; the model runs over it from its start to the last of the
            frames.
        frames: Frames to show, counted from 0.

    Returns:
        ``'support'``: where the prompts look in the support frames of frame 0, if they
        are predicted by attention; ``'stages'``: which patches of the frames look at
        the prompts.

    Raises:
        TypeError: If the model has no prompts, or a backbone without access to its
            blocks.
        ValueError: If the video does not have the frames, or one of them got no
            prompts.
    """
    if not isinstance(model, VideoPrompting):
        raise TypeError(
            f'{type(model).__name__} has no prompts whose attention could be shown; '
            'give the config of a prompted one'
        )
    backbone = model.prompted_backbone
    require_blocks(backbone, {}, user='pictures of attention')
    check_frames(video, frames)
    frames = sorted(set(frames))
    strides = backbone.feat_strides
    images, shares = [], []
    figures = {}
    with record_attention(model) as recorded:
        run = run_video(model, dataset, video, max(frames) + 1)
        for frame_id, frame in enumerate(run):
            if frame_id == 0 and 'prompt_predictor' in recorded.support:
                weights = recorded.support['prompt_predictor'][0].numpy()
                figures['support'] = _plot_support(model, frame, weights, strides[-1])
            if frame_id in frames:
                if not recorded.patches:
                    raise ValueError(f'frame {frame_id} got no prompts to look at')
                images.append(network_image(frame.inputs['img'][0]))
                shares.append(stage_shares(recorded.patches))
                uniform = next(iter(recorded.patches.values())).uniform
    names = [f'frame {i}' for i in frames]
    figures['stages'] = plot_stage_attention(images, shares, strides, names, uniform)
    return figures


def _plot_support(
    model: VideoPrompting, frame: RunFrame, weights: np.ndarray, stride: int
) -> Figure:
    imgs = frame.inputs.get('ref_img', frame.inputs['img'])
    meta = frame.result.metainfo
    ids = meta.get('ref_frame_id', [meta['frame_id']])
    ids = [ids] if isinstance(ids, int) else ids
    picks = model.prompt_frames(len(imgs))
    return plot_support_attention(
        [network_image(img) for img in imgs[picks]],
        weights,
        stride,
        [f'frame {i}' for i in ids[picks]],
    )
