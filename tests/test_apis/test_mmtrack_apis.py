"""What mmtrack's own ``init_model`` and ``inference_vid`` can do with our models."""

from __future__ import annotations

from pathlib import Path

import mmcv
import numpy as np
import pytest
from mmengine.config import Config
from mmtrack.apis import inference_vid, init_model

from stpn_plugin.apis import VideoDetector
from tests.support.tiny_data import CLASSES
from tests.support.video_models import (
    MODEL_OF,
    assert_same,
    make_config,
    make_online,
    save_weights,
)


@pytest.fixture(scope='module')
def frames(video_dir: Path) -> list[np.ndarray]:
    return [mmcv.imread(str(path)) for path in sorted(video_dir.iterdir())]


def init(cfg: Config, path: Path):
    checkpoint = save_weights(cfg, path / 'w.pth', dataset_meta=dict(CLASSES=CLASSES))
    return init_model(cfg, checkpoint, device='cpu'), checkpoint


@pytest.mark.parametrize('name', ['single frame', 'attention', 'learned'])
def test_online(
    name: str, data_root: Path, frames: list[np.ndarray], tmp_path: Path
) -> None:
    cfg = make_online(make_config(data_root, **MODEL_OF[name]))
    unscale(cfg)
    model, checkpoint = init(cfg, tmp_path)
    assert model.dataset_meta['CLASSES'] == CLASSES
    results = [inference_vid(model, frame, i) for i, frame in enumerate(frames)]
    expected = list(VideoDetector(cfg, checkpoint, 'cpu').stream().run(frames))
    assert_same(results, expected)


def unscale(cfg: Config) -> None:
    """Resize to the frames' own size, where float and uint8 give the same."""
    for transform in cfg.test_dataloader.dataset.pipeline:
        if transform.type == 'mmdet.Resize':
            transform.scale = (96, 64)


def test_config_for_whole_videos(
    data_root: Path, frames: list[np.ndarray], tmp_path: Path
) -> None:
    """Copies of frame 0 support it, and later frames take their places."""
    model, _ = init(make_config(data_root), tmp_path)
    sampler = dict(frame_stride=2, num_left_ref_imgs=3)
    windows = []
    for i, frame in enumerate(frames):
        result = inference_vid(model, frame, i, sampler)
        assert len(result.pred_det_instances) > 0
        windows.append(model.memory.features[0].clone())
    assert [len(window) for window in windows] == [3] * 6
    assert (windows[0] == windows[0][0]).all() and (windows[1] == windows[0]).all()
    assert (windows[2][:2] == windows[0][:2]).all()
    assert (windows[2][2] != windows[0][2]).any()


def test_selsa(data_root: Path, frames: list[np.ndarray], tmp_path: Path) -> None:
    """It takes support frames with frame 0 alone: give a stride beyond the video."""
    model, _ = init(make_config(data_root, **MODEL_OF['selsa']), tmp_path)
    sampler = dict(frame_stride=1000, num_left_ref_imgs=4)
    for i, frame in enumerate(frames[:3]):
        assert len(inference_vid(model, frame, i, sampler).pred_det_instances) > 0
    sampler = dict(frame_stride=2, num_left_ref_imgs=4)
    inference_vid(model, frames[0], 0, sampler)
    inference_vid(model, frames[1], 1, sampler)
    with pytest.raises(ValueError, match='takes all support frames with frame 0'):
        inference_vid(model, frames[2], 2, sampler)
