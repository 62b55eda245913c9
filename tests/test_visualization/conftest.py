from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmtrack.registry import METRICS, MODELS

from stpn_plugin.builders import load_config
from tests.support.tiny_configs import stpn_config
from tests.support.tiny_data import write_tiny_vid

NUM_FRAMES = [4, 5]  # of the val videos


@pytest.fixture(scope='session')
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_vid(tmp_path_factory.mktemp('tiny_vid'))


@pytest.fixture(scope='session')
def config(data_root: Path) -> Path:
    cfg = stpn_config(data_root)
    ann_file = str(data_root / 'annotations/imagenet_vid_val.json')
    cfg.test_evaluator = [dict(type='VIDMotionMetric', ann_file=ann_file)]
    path = data_root / 'stpn.py'
    cfg.dump(str(path))
    return path


@pytest.fixture
def cfg(config: Path) -> Config:
    return load_config(str(config))


@pytest.fixture(scope='session')
def checkpoint(config: Path, mmtrack_scope: None) -> Path:
    """Weights of an untrained STPN, whose heads are sure of something, though."""
    torch.manual_seed(0)
    model = MODELS.build(load_config(str(config)).model)
    torch.nn.init.normal_(model.detector.roi_head.bbox_head.fc_cls.weight, std=2)
    # Tiny relative position tables hide what depends on the place.
    for name, parameter in model.named_parameters():
        if name.endswith('relative_position_bias_table'):
            torch.nn.init.normal_(parameter)
    path = config.parent / 'untrained.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


def predictions(data_root: Path) -> list[dict]:
    """All objects found, but in the second video as the wrong class."""
    made = []
    for video, length in enumerate(NUM_FRAMES):
        for frame in range(length):
            x = 8 + 4 * frame
            made.append(
                dict(
                    img_id=len(made) + 1,
                    img_path=str(
                        data_root
                        / f'Data/VID/val/ILSVRC2015_val_{video:08d}/{frame:06d}.JPEG'
                    ),
                    pred_det_instances=dict(
                        bboxes=torch.tensor([[x, 16, x + 32, 48]]).float(),
                        labels=torch.tensor([0]),
                        scores=torch.tensor([0.9 - 0.1 * video - 0.01 * frame]),
                    ),
                )
            )
    return made


@pytest.fixture(scope='session')
def results(data_root: Path, mmtrack_scope: None) -> Path:
    path = data_root / 'stpn.npz'
    dump = METRICS.build(dict(type='DumpVideoResults', out_file_path=str(path)))
    made = predictions(data_root)
    dump.process({}, made)
    dump.evaluate(len(made))
    return path


@pytest.fixture
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (64, 96, 3), np.uint8) for _ in range(3)]
