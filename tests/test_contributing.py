"""The recipes of CONTRIBUTING.md work as they are printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmtrack.registry import MODELS

from stpn_plugin.engine import build_runner
from stpn_plugin.models import STPN
from tests.support import tiny_models
from tests.support.tiny_configs import shrink_run
from tests.support.tiny_data import write_tiny_vid

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / 'CONTRIBUTING.md').read_text()
BLOCKS = re.findall('```python\n(.*?)```', TEXT, re.S)


@pytest.fixture(scope='module')
def recipes() -> dict[str, Any]:
    """What the recipes define; classes are registered once."""
    names: dict[str, Any] = {'__name__': 'recipes'}
    for block in BLOCKS:
        if '_base_' not in block:
            exec(compile(block, 'CONTRIBUTING.md', 'exec'), names)
    return names


def test_recipes_pass_their_tests(recipes: dict[str, Any]) -> None:
    tests = [name for name in recipes if name.startswith('test_')]
    assert len(tests) == 3
    for name in tests:
        recipes[name]()


def test_recipes_work_in_a_detector(recipes: dict[str, Any]) -> None:
    detector = tiny_models.detector('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py')
    detector.backbone = dict(type='mmtrack.PlainPromptedBackbone')
    detector.neck.update(in_channels=[32])
    predictor = dict(type='MaximumPromptPredictor', in_channels=32, prompt_dims=32)
    model = STPN(
        detector,
        prompt_predictor=predictor,
        data_preprocessor=dict(type='TrackDataPreprocessor'),
    )
    losses = model(tiny_models.inputs(), tiny_models.samples(), mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    assert model.prompt_predictor.reduction.weight.grad.abs().sum() > 0


@pytest.mark.slow
def test_task_trains_and_is_scored(recipes: dict[str, Any], tmp_path: Path) -> None:
    """By its config, on the tiny set."""
    block, _ = (block for block in BLOCKS if '_base_' in block)
    path = tmp_path / 'task.py'
    path.write_text(block.replace("'../../", f"'{ROOT}/configs/"))
    cfg = Config.fromfile(path)
    cfg.model.detector = tiny_models.detector(
        'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
    )
    cfg.model.detector.roi_head.bbox_head.num_classes = 30
    cfg.model.detector.test_cfg.rcnn.score_thr = 0.0
    cfg.model.prompt_predictor.num_heads = 4
    cfg.model.frozen_modules = ['motion']  # it is large
    datasets = cfg.train_dataloader.dataset.datasets
    numbers = [dataset.ref_img_sampler.num_ref_imgs for dataset in datasets]
    root = write_tiny_vid(tmp_path / 'data', 1, num_frames=2, num_stills=1)
    shrink_run(cfg, root)
    for dataset, number in zip(datasets, numbers):
        dataset.ref_img_sampler.num_ref_imgs = number
    cfg.train_cfg.val_interval = 2
    cfg.default_hooks.checkpoint.interval = 2
    cfg.work_dir = str(tmp_path / 'work')
    runner = build_runner(cfg)
    start = runner.model.prompt_predictor.query.detach().clone()
    runner.train()
    assert not torch.equal(runner.model.prompt_predictor.query, start)
    assert 'coco/bbox_mAP' in runner.test()


def test_config(tmp_path: Path) -> None:
    _, block = (block for block in BLOCKS if '_base_' in block)
    name = re.search("_base_ = '(.*)'", block).group(1)
    (base,) = (ROOT / 'configs').rglob(name)
    path = tmp_path / 'recipe.py'
    path.write_text(block.replace(name, str(base)))
    cfg = Config.fromfile(path)
    cfg.model.detector.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    assert model.prompt_predictor.num_prompts == 2
    assert cfg.train_dataloader == Config.fromfile(base).train_dataloader


def test_named_files_exist() -> None:
    paths = re.findall('`((?:stpn_plugin|tests|projects)/[\\w/.]*)`', TEXT)
    assert len(paths) > 5
    for path in (*paths, 'CHANGELOG.md', '.ci/run'):
        assert (ROOT / path).exists(), path
