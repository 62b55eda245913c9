"""The example of single-object tracking trains and tests on generated videos."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import mmcv
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmtrack.registry import MODELS

from stpn_plugin.engine import build_runner

PROJECT = Path('projects/stark_swin')
CONFIG = PROJECT / 'configs/stpn-stark-st1_swin-t_8xb16-500e_got10k.py'
NUM_FRAMES = 21  # STARK draws from videos of 20 frames or more


def write_videos(root: Path) -> None:
    """Two videos of a square that moves, as GOT-10k has them."""
    lines = ['# a comment']
    for video in ('one', 'two'):
        for frame in range(NUM_FRAMES):
            img = np.full((64, 96, 3), 40, np.uint8)
            img[16:40, frame : frame + 24] = 200
            mmcv.imwrite(img, str(root / f'GOT10k/{video}/{frame + 1:08d}.jpg'))
        boxes = [f'{frame},16,24,24' for frame in range(NUM_FRAMES)]
        for name, content in dict(
            groundtruth_txt=boxes,
            absence_label=['0'] * NUM_FRAMES,
            cover_label=['8'] * NUM_FRAMES,
        ).items():
            path = root / f'GOT10k/{video}/{name.replace("_", ".")}'
            path.write_text('\n'.join(content))
        lines.append(f'{video},{video}/groundtruth.txt,1,{NUM_FRAMES}')
    (root / 'GOT10k/annotations').mkdir()
    for split in ('train', 'test'):
        path = root / f'GOT10k/annotations/got10k_{split}_infos.txt'
        path.write_text('\n'.join(lines))


def small_config(root: Path, work_dir: Path) -> Config:
    cfg = Config.fromfile(CONFIG)
    cfg.model.backbone.pop('arch')
    cfg.model.backbone.update(
        embed_dims=16, depths=(1, 1, 1), num_heads=(1, 2, 4), init_cfg=None
    )
    cfg.model.neck.in_channels = [64]
    for part in ('encoder', 'decoder'):
        cfg.model.head.transformer[part].num_layers = 1
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(root)
    cfg.train_dataloader.update(batch_size=2)
    cfg.train_dataloader.sampler.samples_per_epoch = 2
    cfg.train_cfg.update(max_epochs=1, val_begin=2)
    cfg.default_hooks.checkpoint.interval = 1
    cfg.test_evaluator.outfile_prefix = str(work_dir / 'found')
    cfg.work_dir = str(work_dir)
    return cfg


@pytest.mark.slow
def test_it_trains_and_tests(tmp_path: Path) -> None:
    write_videos(tmp_path)
    runner = build_runner(small_config(tmp_path, tmp_path / 'work'))
    start = runner.model.prompt_predictor.query.detach().clone()
    runner.train()
    assert not torch.equal(runner.model.prompt_predictor.query, start)
    assert (tmp_path / 'work/epoch_1.pth').exists()
    runner.test()
    with ZipFile(tmp_path / 'work/found.zip') as submission:
        for video in ('one', 'two'):
            boxes = submission.read(f'{video}/{video}_001.txt').decode().splitlines()
            assert len(boxes) == NUM_FRAMES
            assert [float(x) for x in boxes[0].split(',')] == [0, 16, 24, 24]


def test_all_parameters_of_the_backbone_are_used(tmp_path: Path) -> None:
    """Else ``DistributedDataParallel`` would stop."""
    model = MODELS.build(small_config(tmp_path, tmp_path).model)
    backbone = model.prompted_backbone
    (feature,) = backbone(torch.rand(2, 3, 320, 320), torch.rand(5, 16))
    assert feature.shape == (2, 64, 20, 20)  # as the head wants it
    feature.sum().backward()
    assert all(p.grad is not None for p in backbone.parameters())


def test_it_is_short() -> None:
    """A reader sees at a glance that prompting asks for little."""
    lines = [
        line
        for path in (PROJECT / 'stpn_stark.py', CONFIG)
        for line in path.read_text().splitlines()
        if line
    ]
    assert f'{len(lines)} lines in all' in (PROJECT / 'README.md').read_text()
    assert len(lines) < 40
