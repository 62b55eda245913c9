"""Every config builds; its model, scaled down, trains and detects."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmtrack.registry import DATASETS, METRICS, MODELS

from stpn_plugin.apis.video_detector import has_operators_for
from stpn_plugin.engine import build_runner
from stpn_plugin.models.backbones.stpn_swin import ARCHS
from tests.support import tiny_models
from tests.support.tiny_data import write_tiny_vid

FOLDER = Path('configs/vid')
CONFIGS = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.glob('*/*.py'))
WIDTH = tiny_models.CHANNELS[0]
STPN = 'stpn/stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py'
SELSA = 'stpn_selsa/stpn-selsa_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py'


def shrink(model: Any) -> None:
    """Make the backbone narrow and at most 6 blocks deep a stage, in place."""
    backbone = model.detector.backbone
    if 'Pyramid' in backbone.type:  # its numbers of heads also set its channels
        scale = backbone.embed_dims // WIDTH
        backbone.update(num_layers=[1, 1, 1, 1])
    else:
        arch = ARCHS[backbone.pop('arch')]
        scale = arch['embed_dims'] // WIDTH
        depths = [min(depth, 6) for depth in arch['depths']]
        backbone.update(num_heads=(1, 2, 4, 8), depths=depths)
    backbone.update(embed_dims=WIDTH, init_cfg=None)
    neck = model.detector.neck
    neck.in_channels = [channels // scale for channels in neck.in_channels]
    detr = 'DETR' in model.detector.type
    tiny_models.narrow(model.detector, width=256 if detr else 64)


def support_frames(cfg: Config) -> int:
    """Number of support frames that the first training data set asks for."""
    dataset = cfg.train_dataloader.dataset
    sampler = dataset.get('datasets', [dataset])[0].ref_img_sampler
    return sampler.num_ref_imgs if sampler else 0


@pytest.mark.slow
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
    num_refs = support_frames(cfg)
    samples = tiny_models.samples(num_refs=num_refs)
    with torch.autocast('cpu', torch.bfloat16) if amp else nullcontext():
        losses = model(tiny_models.inputs(num_refs=num_refs), samples, mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    unused = [
        name
        for name, p in model.named_parameters()
        if p.requires_grad and p.grad is None
    ]
    assert not unused  # DistributedDataParallel would stop

    with torch.no_grad():
        (result,) = model.eval()(
            tiny_models.inputs(num_refs=num_refs), samples, mode='predict'
        )
    assert result.pred_det_instances.bboxes.shape[1] == 4


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize('name, frames', [(STPN, 2), (SELSA, 4)])
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
    cfg = Config.fromfile(FOLDER / 'stpn/stpn_faster-rcnn_swin-t_fpn_8xb1-9e_custom.py')
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


SWIN = 'https://github.com/SwinTransformer/storage/releases/download'
COCO_T = f'{SWIN}/v1.0.2/mask_rcnn_swin_tiny_patch4_window7.pth'
COCO_B = f'{SWIN}/v1.0.2/cascade_mask_rcnn_swin_base_patch4_window7.pth'
IMAGENET = {
    'Swin-T': f'{SWIN}/v1.0.0/swin_tiny_patch4_window7_224.pth',
    'Swin-S': f'{SWIN}/v1.0.0/swin_small_patch4_window7_224.pth',
    'Swin-B': f'{SWIN}/v1.0.0/swin_base_patch4_window7_224.pth',
    'Swin-L': f'{SWIN}/v1.0.0/swin_large_patch4_window7_224_22k.pth',
}
# (name released under, epochs, epoch of the step, start weights)
RELEASED_STPN = {
    'stpn/stpn_{}_swin-t_fpn_8xb1-9e': ('dvp_fasterrcnn_swint_att_9x', 9, 6, COCO_T),
    'stpn/stpn_{}_swin-t_fpn_avg_8xb1-9e': (
        'dvp_fasterrcnn_swint_avg_9x',
        *(9, 6, COCO_T),
    ),
    'stpn/stpn_{}_swin-b_fpn_8xb1-9e': ('dvp_fasterrcnn_swinb_att_9x', 9, 6, COCO_B),
    'stpn/stpn_{}_swin-b_fpn_8xb1-14e': ('dvp_fasterrcnn_swinb_att_14x', 14, 8, COCO_B),
    'stpn/stpn_{}_swin-b_fpn_avg_8xb1-9e': (
        'dvp_fasterrcnn_swinb_avg_9x',
        *(9, 6, COCO_B),
    ),
    'stpn/stpn_{}_swin-s_fpn_8xb1-6e': (
        'faster_rcnn_swins_predictvpt_fpn_6x_vid_adam',
        *(6, 4, IMAGENET['Swin-S']),
    ),
    'stpn/stpn-deep_{}_swin-t_fpn_8xb1-3e': (
        'faster_rcnn_swint_deeppredictvpt_fpn_3x_vid_adam',
        *(3, 2, IMAGENET['Swin-T']),
    ),
    'stpn_selsa/stpn-selsa_{}_swin-t_fpn_8xb1-9e': (
        'dvp_selsa_swint_att_9x',
        *(9, 6, COCO_T),
    ),
    'stpn_selsa/stpn-selsa_{}_swin-t_fpn_avg_8xb1-9e': (
        'dvp_selsa_swint_avg_9x',
        *(9, 6, COCO_T),
    ),
    'stpn_selsa/stpn-selsa_{}_swin-b_fpn_8xb1-9e': (
        'dvp_selsa_swinb_att_9x',
        *(9, 6, COCO_B),
    ),
    'stpn_selsa/stpn-selsa_{}_swin-b_fpn_avg_8xb1-9e': (
        'dvp_selsa_swinb_avg_9x',
        *(9, 6, COCO_B),
    ),
}


@pytest.mark.parametrize('name', RELEASED_STPN)
def test_released_settings_of_stpn(name: str) -> None:
    theirs, epochs, step, weights = RELEASED_STPN[name]
    path = FOLDER / f'{name.format("faster-rcnn")}_imagenetvid.py'
    assert path.read_text().startswith(f'# Released as {theirs}')
    cfg = Config.fromfile(path)
    backbone = cfg.model.detector.backbone
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler[1].milestones) == (
        epochs,
        [step],
    )
    assert (backbone.init_cfg.checkpoint, backbone.convert_weights) == (weights, True)
    assert backbone.drop_path_rate == 0.2
    assert backbone.get('frozen_stages', -1) == -1
    assert 'clip_grad' not in cfg.optim_wrapper
    selsa = 'selsa' in name
    vid, det = (d.ref_img_sampler for d in cfg.train_dataloader.dataset.datasets)
    assert vid.num_ref_imgs == det.num_ref_imgs == (4 if selsa else 2)
    assert vid.frame_range == (1000 if selsa else 9)
    test = cfg.test_dataloader.dataset.ref_img_sampler
    assert test.num_ref_imgs == (28 if selsa else 14)


# (name released under, frozen stages, start weights)
RELEASED_BASELINES = {
    'single_frame/{}_swin-t_fpn': ('swint_fpn_3x_vid_adam', -1, IMAGENET['Swin-T']),
    'single_frame/{}_swin-s_fpn': ('swins_fpn_3x_vid', -1, IMAGENET['Swin-S']),
    'single_frame/{}_swin-b_fpn': ('swinb_fpn_3x_vid', -1, IMAGENET['Swin-B']),
    'single_frame/{}_swin-l_fpn': ('swinl_fpn_3x_vid', -1, IMAGENET['Swin-L']),
    'vpt/vpt-shallow_{}_swin-t_fpn': ('swint_vpt_fpn_3x_vid', -1, IMAGENET['Swin-T']),
    'vpt/vpt-shallow_{}_swin-b_fpn': ('swinb_vpt_fpn_3x_vid', -1, IMAGENET['Swin-B']),
    'vpt/vpt-shallow_{}_swin-t_fpn_frozen': (
        'swint_vpt_fpn_3x_vid_freeze_bb',
        *(4, IMAGENET['Swin-T']),
    ),
    'vpt/vpt-shallow_{}_swin-s_fpn_frozen': (
        'swins_vpt_fpn_3x_vid_freeze_bb',
        *(4, IMAGENET['Swin-S']),
    ),
    'vpt/vpt-shallow_{}_swin-b_fpn_frozen': (
        'swinb_vpt_fpn_3x_vid_freeze_bb',
        *(4, IMAGENET['Swin-B']),
    ),
    'vpt/vpt-shallow_{}_swin-b_fpn_frozen-22k': (
        'swinb_vpt_fpn_3x_vid_freeze_bb_22k',
        *(4, f'{SWIN}/v1.0.0/swin_base_patch4_window7_224_22k.pth'),
    ),
    'vpt/vpt-deep_{}_swin-t_fpn_frozen': (
        'swint_vpt_deep_fpn_3x_vid_freeze_bb',
        *(4, IMAGENET['Swin-T']),
    ),
    'vpt/vpt-deep_{}_swin-t_fpn': (
        'swint_vpt_deep_fpn_3x_vid_load_from',
        *(-1, IMAGENET['Swin-T']),
    ),
}


@pytest.mark.parametrize('name', RELEASED_BASELINES)
def test_released_settings_of_baselines(name: str) -> None:
    theirs, frozen, weights = RELEASED_BASELINES[name]
    path = FOLDER / f'{name.format("faster-rcnn")}_8xb1-3e_imagenetvid.py'
    assert path.read_text().startswith(f'# Released as faster_rcnn_{theirs}')
    cfg = Config.fromfile(path)
    backbone = cfg.model.detector.backbone
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler[1].milestones) == (3, [2])
    assert cfg.optim_wrapper.optimizer.lr == 2.5e-5
    assert cfg.optim_wrapper.clip_grad == dict(max_norm=35, norm_type=2)
    assert (backbone.init_cfg.checkpoint, backbone.convert_weights) == (weights, True)
    assert backbone.get('frozen_stages', -1) == frozen
    detector = cfg.model.detector
    assert detector.train_cfg.rpn_proposal.max_per_img == 600
    assert detector.train_cfg.rcnn.sampler.num == 512
    assert not detector.train_cfg.rcnn.assigner.match_low_quality
    assert detector.roi_head.bbox_head.bbox_coder.target_stds == [0.1, 0.1, 0.2, 0.2]
    for dataset in cfg.train_dataloader.dataset.datasets:
        resizes = [t for t in dataset.pipeline if 'Resize' in t.type]
        assert [resize.scale for resize in resizes] == [(1000, 600)]


@pytest.mark.parametrize('name', CONFIGS)
def test_says_whether_it_is_the_authors(name: str) -> None:
    """A comment names what was released, or says what differs and why."""
    text = (FOLDER / name).read_text()
    if not name.endswith('_custom.py'):
        assert text.startswith(('# Released as ', '# Ours: '))


@pytest.mark.slow
@pytest.mark.parametrize(
    'name',
    [
        name
        for name in CONFIGS
        if re.match('single_frame/.*_swin-t_|vpt/.*_swin-t_fpn_frozen', name)
    ],
)
def test_single_images_through_the_runner(name: str, tmp_path: Path) -> None:
    """One image a sample, loaded once; trains, and tests with both metrics."""
    write_tiny_vid(tmp_path)
    cfg = Config.fromfile(FOLDER / name)
    shrink(cfg.model)
    cfg.model.detector.test_cfg.rcnn.score_thr = 0.0
    cfg.model.detector.roi_head.bbox_head.num_classes = 30
    loaders = (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader)
    for loader in loaders:
        loader.update(num_workers=0, persistent_workers=False)
        for dataset in loader.dataset.get('datasets', [loader.dataset]):
            dataset.data_root = str(tmp_path)
    for evaluator in (*cfg.val_evaluator, *cfg.test_evaluator):
        evaluator.ann_file = str(tmp_path / 'annotations/imagenet_vid_val.json')
    cfg.train_dataloader.batch_size = 2
    cfg.train_dataloader.dataset.datasets[0].indices = 2
    cfg.train_dataloader.dataset.datasets.pop()
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)
    cfg.load_from = None
    cfg.work_dir = str(tmp_path / 'work')
    cfg.default_hooks.visualization.draw = False
    runner = build_runner(cfg)
    loaded = runner.build_dataloader(cfg.train_dataloader).dataset[0]
    assert set(loaded['inputs']) == {'img'}
    assert loaded['inputs']['img'].shape[0] == 1
    runner.train()
    metrics = runner.val_loop.run()
    assert {'coco/bbox_mAP_50', 'vid/AP50'} <= set(metrics)
