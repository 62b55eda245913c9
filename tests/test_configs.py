"""Every config builds; its model, scaled down, trains and detects."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmtrack.registry import DATASETS, METRICS, MODELS

from stpn_plugin.apis.video_detector import has_operators_for
from tests import tiny_models
from tests.tiny_data import write_tiny_vid

FOLDER = Path('configs/vid/stpn')
# Those of tiny_vid are run as they are by its demo.
CONFIGS = sorted(
    path.name for path in FOLDER.glob('*.py') if not path.name.startswith('tiny_')
)
RECIPE = 'stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py'
WIDTH = tiny_models.CHANNELS[0]


def shrink(model: Any) -> None:
    """Make the backbone narrow and at most 6 blocks deep a stage, in place."""
    backbone = model.detector.backbone
    scale = backbone.embed_dims // WIDTH
    backbone.update(embed_dims=WIDTH, init_cfg=None)
    if 'Pyramid' in backbone.type:  # its numbers of heads also set its channels
        backbone.update(num_layers=[1, 1, 1, 1])
    else:
        backbone.update(num_heads=(1, 2, 4, 8))
        backbone.depths = [min(depth, 6) for depth in backbone.depths]
    neck = model.detector.neck
    neck.in_channels = [channels // scale for channels in neck.in_channels]
    source = model.get('prompt_predictor', {})
    for key in ('in_channels', 'prompt_dims'):
        if key in source:
            source[key] //= scale
    if 'channels' in source:
        source.channels = [channels // scale for channels in source.channels]
    if 'deep_depths' in source:
        source.deep_depths = backbone.depths
    detr = 'DETR' in model.detector.type
    tiny_models.narrow(model.detector, width=256 if detr else 64)


@pytest.mark.parametrize('name', CONFIGS)
def test_trains_and_detects(name: str) -> None:
    cfg = Config.fromfile(FOLDER / name)
    amp = cfg.optim_wrapper.type == 'AmpOptimWrapper'
    if not has_operators_for(torch.bfloat16, torch.device('cpu')):
        amp = False  # compiled operators: the model runs in full precision
    shrink(cfg.model)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    num_refs = cfg.get('num_support_frames', 2)
    samples = tiny_models.samples(num_refs=num_refs)
    with torch.autocast('cpu', torch.bfloat16) if amp else nullcontext():
        losses = model(tiny_models.inputs(num_refs=num_refs), samples, mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    unused = [name for name, p in model.named_parameters() if p.grad is None]
    assert not unused  # DistributedDataParallel would stop

    with torch.no_grad():
        (result,) = model.eval()(
            tiny_models.inputs(num_refs=num_refs), samples, mode='predict'
        )
    assert result.pred_det_instances.bboxes.shape[1] == 4


@pytest.mark.parametrize('name', CONFIGS)
def test_metrics_and_learning_rate(name: str, tmp_path: Path) -> None:
    cfg = Config.fromfile(FOLDER / name)
    types = [evaluator.type for evaluator in cfg.test_evaluator]
    assert {'CocoVideoMetric', 'VIDMotionMetric'} <= set(types)
    for evaluator in cfg.test_evaluator:
        path = tmp_path / 'ann.json'
        path.write_text('{"images": [], "annotations": [], "categories": []}')
        evaluator.ann_file = str(path)
        METRICS.build(evaluator)
    assert cfg.auto_scale_lr.base_batch_size == 8
    assert cfg.custom_imports.imports == ['stpn_plugin']


@pytest.mark.parametrize(
    'name, frames', [(RECIPE, 2), (RECIPE.replace('stpn_', 'stpn-selsa_'), 4)]
)
def test_released_train_pipeline(tmp_path: Path, name: str, frames: int) -> None:
    write_tiny_vid(tmp_path)
    cfg = Config.fromfile(FOLDER / name)
    for dataset in cfg.train_dataloader.dataset.datasets:
        dataset.data_root = str(tmp_path)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    sizes = set()
    for index in [0, 3, len(dataset) - 1] * 4:  # ends of a video, and a still image
        sample = dataset[index]
        img, ref_img = sample['inputs']['img'], sample['inputs']['ref_img']
        assert img.shape[0] == 1 and ref_img.shape[0] == frames
        assert img.shape[1:] == ref_img.shape[1:]
        height, width = img.shape[-2:]
        assert max(height, width) <= 1333
        sizes.add((height, width))
        instances = sample['data_samples'].gt_instances
        assert len(instances.bboxes) == len(instances.labels)
        assert (instances.bboxes[:, 2:] <= torch.tensor([width, height])).all()
    assert len(sizes) > 3
    batch = preprocessor(pseudo_collate([dataset[0], dataset[3]]), training=True)
    padded = batch['inputs']['img'].shape[-2:]
    assert all(size % 16 == 0 for size in padded)
    assert batch['inputs']['ref_img'].shape[:2] == (2, frames)


def test_custom_data_config(tmp_path: Path) -> None:
    write_tiny_vid(tmp_path)
    cfg = Config.fromfile(FOLDER / 'stpn_faster-rcnn_swin-t_fpn_8xb1-9e_custom.py')
    for loader, split in (('train_dataloader', 'train'), ('val_dataloader', 'val')):
        dataset = cfg[loader].dataset
        dataset.update(
            data_root=str(tmp_path),
            ann_file=f'annotations/imagenet_vid_{split}.json',
            data_prefix=dict(img_path='Data/VID'),
            metainfo=dict(CLASSES=('airplane', 'antelope')),
        )
    train = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(train) == 2  # every 15th frame of two short videos
    assert train[0]['inputs']['ref_img'].shape[0] == 2
    val = DATASETS.build(cfg.val_dataloader.dataset)
    assert val[0]['inputs']['ref_img'].shape[0] == 14
    assert 'ref_img' not in val[1]['inputs']
