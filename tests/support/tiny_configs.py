"""STPN and mmtracking's stock VID configs, scaled down to the tiny set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config

from stpn_plugin.builders import load_config
from tests.support import tiny_models
from tests.support.tiny_data import HEIGHT, WIDTH

STOCK_CONFIGS = {
    'dff': 'mmtrack::vid/dff/dff_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py',
    'fgfa': 'mmtrack::vid/fgfa/fgfa_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py',
    'selsa': 'mmtrack::vid/selsa/selsa_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py',
    'troialign': 'mmtrack::vid/temporal_roi_align/'
    'selsa-troialign_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py',
}


def stock_config(method: str, data_root: Path) -> Config:
    """A stock config with random weights, a narrow network and one epoch."""
    cfg = load_config(STOCK_CONFIGS[method])
    detector = cfg.model.detector
    detector.backbone.update(depth=18, base_channels=8, frozen_stages=-1)
    detector.neck.update(in_channels=[64])
    detector.rpn_head.feat_channels = 16
    detector.roi_head.bbox_head.fc_out_channels = 32
    shrink_run(cfg, data_root)
    return cfg


def stpn_config(data_root: Path) -> Config:
    """STPN with a narrow Faster R-CNN on the tiny set, three epochs."""
    cfg = stock_config('selsa', data_root)
    detector = tiny_models.detector('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py')
    detector.roi_head.bbox_head.num_classes = 30
    cfg.model = dict(
        type='STPN',
        data_preprocessor=cfg.model.data_preprocessor,
        detector=detector,
        prompt_predictor=tiny_models.predictor(),
    )
    cfg.train_dataloader.batch_size = 2
    for dataset in cfg.train_dataloader.dataset.datasets:
        # Otherwise the ends of a video have fewer support frames than the rest.
        dataset.ref_img_sampler.filter_key_img = False
    cfg.train_cfg.update(max_epochs=3, val_interval=3)
    cfg.optim_wrapper.optimizer = dict(type='AdamW', lr=2e-3)
    cfg.param_scheduler = None
    cfg.auto_scale_lr = dict(enable=False, base_batch_size=8)
    cfg.randomness = dict(seed=0)
    return cfg


def shrink_run(cfg: Config, data_root: Path) -> None:
    """Make a VID config train from random weights, one epoch of the tiny set."""
    _rewrite(list(cfg.values()), data_root)
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.default_hooks.logger.interval = 1


def _rewrite(node: Any, data_root: Path) -> None:
    """Shrink and redirect all through a config, in place."""
    if isinstance(node, (list, tuple)):
        for item in node:
            _rewrite(item, data_root)
    if not isinstance(node, dict):
        return
    init_cfg = node.get('init_cfg')
    if isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained':
        node['init_cfg'] = None
    for key, value in list(node.items()):
        if value == 512 and key in ('in_channels', 'out_channels', 'channels'):
            node[key] = 16
        elif key == 'in_channels' and value == 1024:
            node[key] = 32
        elif key == 'num_attention_blocks':
            node[key] = 4
        elif key == 'num_ref_imgs':
            node[key] = min(value, 2)
        elif key == 'frame_range' and value in (9, [-15, 15], [-7, 7]):
            node[key] = 2 if value == 9 else [-1, 1]
        elif key == 'scale':
            node[key] = (WIDTH, HEIGHT)
        elif key == 'num_workers':
            node[key] = 0
        elif key == 'persistent_workers':
            node[key] = False
        elif isinstance(value, str) and value.startswith('data/ILSVRC/'):
            node[key] = value.replace('data/ILSVRC', str(data_root))
        else:
            _rewrite(value, data_root)
