"""Tiny models of every kind, to be run on videos, and what they must give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmtrack.registry import MODELS
from mmtrack.structures import TrackDataSample

from tests.support import tiny_models
from tests.support.tiny_configs import stpn_config

ONLINE = dict(type='PastSupport', num_frames=2, interval=2)


def make_config(data_root: Path, **model: Any) -> Config:
    """Tiny STPN, or the model that is made of it by ``model``."""
    cfg = stpn_config(data_root)
    if model.get('type') == 'STPNSelsa':
        cfg.model.detector = tiny_models.selsa_detector()
        cfg.model.detector.roi_head.bbox_head.num_classes = 30
    if model.get('type') == 'SingleFrameDetector':
        cfg.model.pop('prompt_predictor')
    for key, value in model.items():
        cfg.model[key] = value
    cfg.model.detector.test_cfg.rpn.update(nms_pre=100, max_per_img=30)
    cfg.model.detector.test_cfg.rcnn.update(score_thr=0.01, max_per_img=20)
    cfg.model.data_preprocessor.pad_size_divisor = 16
    # Frames that do not fit the network's size as they are.
    for transform in cfg.test_dataloader.dataset.pipeline[0].transforms:
        if transform.type == 'mmdet.Resize':
            transform.scale = (140, 90)
    cfg.test_dataloader.dataset.ref_img_sampler.update(
        num_ref_imgs=4, frame_range=[-2, 2]
    )
    return cfg


def make_online(cfg: Config) -> Config:
    """Test with past frames, on the pipeline for single frames."""
    dataset = cfg.test_dataloader.dataset
    dataset.ref_img_sampler = None
    resize = dataset.pipeline[0].transforms[1]
    dataset.pipeline = [
        dict(type='LoadImageFromFile'),
        resize,
        dict(type='PackTrackInputs', pack_single_img=True),
    ]
    if cfg.model.type != 'SingleFrameDetector':
        cfg.model.support = ONLINE
    return cfg


def save_weights(cfg: Config, path: Path, **meta: Any) -> str:
    """Random weights as a checkpoint."""
    torch.manual_seed(0)
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict(), meta=meta), path)
    return str(path)


def test_on_dataset(cfg: Config, checkpoint: str) -> list[TrackDataSample]:
    """What a test run of mmengine predicts for the val set."""
    model = MODELS.build(cfg.model).eval()
    model.load_state_dict(torch.load(checkpoint)['state_dict'])
    results: list[TrackDataSample] = []
    with torch.no_grad():
        for batch in Runner.build_dataloader(cfg.test_dataloader):
            results += model.test_step(batch)
    return results


test_on_dataset.__test__ = False


def assert_same(
    results: list[TrackDataSample],
    expected: list[TrackDataSample],
    scores: dict[str, float] | None = None,
    **tolerance: float,
) -> None:
    """Compare detections: by ``tolerance``, and ``scores`` by theirs, if given."""
    tolerance = tolerance or dict(rtol=0, atol=0)
    assert len(results) == len(expected) > 0
    for result, wanted in zip(results, expected):
        assert len(wanted.pred_det_instances) > 0
        assert result.frame_id == wanted.frame_id
        for key in ('bboxes', 'scores', 'labels'):
            torch.testing.assert_close(
                result.pred_det_instances[key],
                wanted.pred_det_instances[key],
                **(scores if scores and key == 'scores' else tolerance),
            )


DIMS = dict(in_channels=tiny_models.CHANNELS[-1], prompt_dims=tiny_models.CHANNELS[0])
MODEL_OF: dict[str, dict[str, Any]] = {
    'single frame': dict(type='SingleFrameDetector'),
    'attention': dict(),
    'average': dict(prompt_predictor=dict(type='AveragePromptPredictor', **DIMS)),
    'mixer': dict(prompt_predictor=dict(type='MixerPromptPredictor', **DIMS)),
    'learned': dict(prompt_predictor=dict(type='LearnedPrompts', prompt_dims=16)),
    'deep': dict(
        prompt_predictor=dict(
            type='DeepPromptPredictor',
            predictor=dict(type='AveragePromptPredictor'),
            channels=tiny_models.CHANNELS,
            blocks=[(1, 1), (2, 0)],
        )
    ),
    'selsa': dict(type='STPNSelsa'),
}
