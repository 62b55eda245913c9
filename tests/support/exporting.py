"""Models that are exported in seconds: two stages, and two levels of features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from tests.support import tiny_models
from tests.support.video_models import make_config

BASES = dict(
    faster_rcnn='faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py',
    retinanet='retinanet/retinanet_r50_fpn_1x_coco.py',
    fcos='fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py',
)


def require_export(*packages: str) -> None:
    """Skip a test where nothing can be exported."""
    if tuple(map(int, torch.__version__.split('.')[:2])) < (2, 14):
        pytest.skip('exporting needs torch 2.14', allow_module_level=True)
    for package in packages:
        pytest.importorskip(package)


def small_config(data_root: Path, base: str = 'faster_rcnn', **model: Any) -> Config:
    """A config of STPN, or of what ``model`` makes of it, on the tiny set."""
    cfg = make_config(data_root, **model)
    detector = tiny_models.detector(BASES[base])
    detector.backbone = tiny_models.two_stages()
    detector.neck = dict(type='FPN', in_channels=[8, 16], out_channels=64, num_outs=2)
    if base == 'faster_rcnn':
        detector.rpn_head.anchor_generator.strides = [4, 8]
        detector.roi_head.bbox_roi_extractor.featmap_strides = [4, 8]
        detector.roi_head.bbox_head.num_classes = 30
        detector.test_cfg.rpn.update(nms_pre=60, max_per_img=30)
        detector.test_cfg.rcnn.update(score_thr=0.01, max_per_img=20)
    else:
        detector.bbox_head.update(num_classes=30)
        detector.test_cfg.update(nms_pre=60, max_per_img=20, score_thr=0.01)
    if base == 'retinanet':
        detector.bbox_head.anchor_generator.strides = [4, 8]
    if base == 'fcos':
        detector.bbox_head.update(strides=[4, 8], regress_ranges=((-1, 64), (64, 1e8)))
    cfg.model.detector = detector
    if cfg.model.get('prompt_predictor') and 'prompt_predictor' not in model:
        cfg.model.prompt_predictor = dict(type='AttentionPromptPredictor', num_heads=2)
    return cfg
