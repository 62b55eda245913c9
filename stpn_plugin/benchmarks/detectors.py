"""Detectors and frames for benchmarks: weights are random, frames generated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample
from torch import nn

from ..builders import build_model, load_config
from ..models.backbones.stpn_swin import ARCHS
from .measuring import Settings

CONFIGS = Path(__file__).parents[1] / '.mim' / 'configs' / 'vid'
SINGLE = str(CONFIGS / 'single_frame' / 'faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py')
STPN = str(CONFIGS / 'stpn' / 'stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py')
SELSA = 'mmtrack::vid/selsa/selsa_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py'


@dataclass(frozen=True)
class Scene:
    """Frames, and detectors of a size that suits them.

    Attributes:
        name: What it is, in a few words.
        size: (H, W) of a frame.
        small: Whether the Swin detector is narrowed to that of ``projects/tiny_vid``.
    """

    name: str
    size: tuple[int, int]
    small: bool = False


LARGE = Scene('Swin-T, 600x1000', (600, 1000))
SMALL = Scene('the small Swin of projects/tiny_vid, 64x96', (64, 96), small=True)

_NARROW = dict(
    backbone=dict(
        arch=None,
        embed_dims=32,
        depths=(2, 2, 2, 2),
        num_heads=(2, 4, 8, 16),
        window_size=4,
    ),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=64),
    rpn_head=dict(in_channels=64, feat_channels=64),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64),
        bbox_head=dict(in_channels=64, fc_out_channels=128),
    ),
)


def read_config(config: str, scene: Scene) -> Config:
    """A config without pretrained weights, for a scene.

    Boxes of random scores are dropped (``score_thr`` .05): suppressing thousands of
    them would hide what is measured.
    """
    narrow = scene.small and config != SELSA
    cfg = load_config(config, dict(model=dict(detector=_NARROW)) if narrow else None)
    detector = cfg.model.detector
    detector.backbone.init_cfg = None
    detector.test_cfg.rcnn.score_thr = 0.05
    return cfg


def build(cfg: Config, settings: Settings) -> nn.Module:
    """The model of a config, with weights from a fixed seed, in eval mode."""
    torch.manual_seed(0)
    return build_model(cfg).to(settings.device).eval()


def with_stock_backbone(cfg: Config) -> Config:
    """The config with mmdet's Swin in place of ours, of the same size."""
    backbone = cfg.model.detector.backbone
    arch = backbone.pop('arch', None)
    if arch is not None:
        backbone.update(ARCHS[arch])
    backbone.type = 'mmdet.SwinTransformer'
    return cfg


def frames(
    scene: Scene, first: int, count: int, num_refs: int = 0, video_length: int = 10**6
) -> dict[str, Any]:
    """Consecutive frames of a video as a data loader gives them.

    Args:
        scene: Size of the frames.
        first: Number of the first frame.
        count: Number of frames.
        num_refs: Number of support frames that each brings.
        video_length: Number of frames of the video.
    """
    rng = np.random.default_rng(first)
    shape = (3, *scene.size)

    def pixels(number: int) -> torch.Tensor:
        return torch.from_numpy(rng.integers(0, 256, (number, *shape), np.uint8))

    inputs: dict[str, Any] = dict(img=[pixels(1) for _ in range(count)])
    if num_refs:
        inputs['ref_img'] = [pixels(num_refs) for _ in range(count)]
    samples = [_sample(scene, first + i, num_refs, video_length) for i in range(count)]
    return dict(inputs=inputs, data_samples=samples)


def _sample(
    scene: Scene, frame_id: int, num_refs: int, video_length: int
) -> TrackDataSample:
    height, width = scene.size
    corners = np.array([[0.1, 0.1, 0.4, 0.5], [0.5, 0.3, 0.8, 0.9]])
    boxes = (corners * [width, height, width, height]).astype(np.float32)
    sample = TrackDataSample()
    sample.gt_instances = InstanceData(
        bboxes=torch.from_numpy(boxes), labels=torch.tensor([0, 1])
    )
    sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
    meta = dict(
        ori_shape=scene.size, img_shape=scene.size, scale_factor=(1.0, 1.0), flip=False
    )
    # One value for one frame, as PackTrackInputs has it.
    for key, value in list(meta.items()) if num_refs else []:
        meta[f'ref_{key}'] = [value] * num_refs if num_refs > 1 else value
    meta.update(
        img_id=frame_id,
        frame_id=frame_id,
        video_id=1,
        video_length=video_length,
        is_video_data=True,
        frame_stride=-1,
    )
    sample.set_metainfo(meta)
    return sample
