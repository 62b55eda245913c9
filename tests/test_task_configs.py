"""Configs of tracking and segmentation: scaled down, they train and test."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmtrack.registry import MODELS

from stpn_plugin.apis import VideoDetector
from stpn_plugin.builders import load_config
from stpn_plugin.engine import build_runner
from tests.support import tiny_models
from tests.support.tiny_tasks import write_tiny_mot, write_tiny_vis

QDTRACK = 'mot/stpn-qdtrack_faster-rcnn_swin-t_fpn_8xb2-4e_mot17halftrain_test-'
QDTRACK += 'mot17halfval.py'
MASKTRACK = 'vis/stpn-masktrack-rcnn_mask-rcnn_swin-t_fpn_8xb1-12e_youtubevis2019.py'
MASK2FORMER = 'vis/stpn-mask2former_swin-t_8xb2-8e_youtubevis2019.py'
MIN_VIS = 'vis/stpn-minvis_swin-t_8xb4-6k_youtubevis2019.py'
BYTETRACK = 'mot/stpn-bytetrack_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py'
FOR_TESTING = {
    tracker: f'mot/stpn-{tracker}_faster-rcnn_swin-t_fpn_mot17halfval.py'
    for tracker in ('bytetrack', 'sort', 'deepsort', 'strongsort')
}
TRACKERS = {'qdtrack': QDTRACK, **FOR_TESTING}


def shrink(model: Any) -> None:
    """Narrow a model, in place."""
    prompted = model.get('detector', model)
    prompted.backbone.pop('arch')
    prompted.backbone.update(tiny_models.backbone(), init_cfg=None)
    if 'detector' in model:
        tiny_models.narrow(model.detector, width=64)
        model.detector.neck.in_channels = tiny_models.CHANNELS
        model.detector.init_cfg = None
    if 'mask_head' in model.get('detector', {}).get('roi_head', {}):
        model.detector.roi_head.mask_head.num_classes = 40
    if 'bbox_head' in model.get('detector', {}).get('roi_head', {}):
        number = 1 if 'MaskTrack' not in model.type else 40
        model.detector.roi_head.bbox_head.num_classes = number
        model.detector.test_cfg.rcnn.max_per_img = 10
    head = model.get('track_head', {})
    if 'roi_extractor' in head:
        head.roi_extractor.out_channels = 64
        head.embed_head.update(in_channels=64, fc_out_channels=32)
        if 'conv_out_channels' in head.embed_head or 'norm_cfg' in head.embed_head:
            head.embed_head.update(conv_out_channels=32, norm_cfg=None)
    if 'pixel_decoder' in head:
        tiny_models.narrow_mask2former(head)
        model.init_cfg = None
    if 'reid' in model:
        model.reid.init_cfg = None
        model.reid.backbone.update(depth=18, base_channels=8)
        model.reid.head.update(in_channels=64)
    model.prompt_predictor.update(num_heads=4)
    for key in ('in_channels', 'prompt_dims'):
        model.prompt_predictor.pop(key, None)


def tiny_config(name: str, root: Path, work_dir: Path) -> Config:
    cfg = Config.fromfile(f'configs/{name}')
    shrink(cfg.model)
    cfg.work_dir = str(work_dir)
    cfg.default_scope = 'mmtrack'
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(key)
        if loader is None:
            continue
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(root)
        _resize(loader.dataset.pipeline)
        if loader.dataset.ref_img_sampler and 'adaptive' in str(loader.dataset):
            loader.dataset.ref_img_sampler.num_ref_imgs = 2
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1, val_interval=1)
    cfg.param_scheduler = None
    cfg.default_hooks.checkpoint.update(by_epoch=True, interval=1)
    cfg.log_processor = dict(type='LogProcessor', window_size=1, by_epoch=True)
    cfg.randomness = dict(seed=0)
    return cfg


def _resize(pipeline: Any) -> None:
    for transform in pipeline:
        _resize(transform.get('transforms', []))
        if 'scale' in transform:
            transform.scale = (96, 64)
        if 'scales' in transform:
            transform.scales = [(96, 48), (96, 64)]
        if 'crop_size' in transform:
            transform.crop_size = (64, 96)


def track_from(tracker: Any, score: float) -> None:
    """Let a tracker follow boxes of an untrained detector, in place."""
    for key in ('obj_score_thr', 'init_score_thr', 'init_track_thr'):
        if key in tracker:
            tracker[key] = score
    if 'obj_score_thrs' in tracker:
        tracker.obj_score_thrs.update(high=score, low=score / 2)


@pytest.fixture(scope='module')
def mot_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_mot(tmp_path_factory.mktemp('mot'), num_frames=4)


@pytest.fixture(scope='module')
def vis_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_vis(tmp_path_factory.mktemp('vis'), num_frames=4)


@pytest.mark.slow
def test_qdtrack_trains_and_is_scored(mot_root: Path, tmp_path: Path) -> None:
    cfg = tiny_config(QDTRACK, mot_root, tmp_path)
    cfg.train_dataloader.dataset.ann_file = 'annotations/half-train_cocoformat.json'
    cfg.val_evaluator = [dict(type='MOTChallengeMetrics')]
    cfg.test_evaluator = cfg.val_evaluator
    runner = build_runner(cfg)
    runner.train()
    assert (tmp_path / 'epoch_1.pth').exists()
    metrics = runner.test()
    assert {'motchallenge-metric/HOTA', 'motchallenge-metric/IDF1'} <= set(metrics)


@pytest.mark.slow
@pytest.mark.parametrize('tracker', FOR_TESTING)
def test_trackers_for_testing_are_scored(
    tracker: str, mot_root: Path, tmp_path: Path
) -> None:
    cfg = tiny_config(FOR_TESTING[tracker], mot_root, tmp_path)
    cfg.train_cfg = None
    cfg.optim_wrapper = None
    track_from(cfg.model.tracker, 0.3)
    metrics = build_runner(cfg).test()
    assert {'motchallenge-metric/HOTA', 'motchallenge-metric/IDF1'} <= set(metrics)
    assert metrics['motchallenge-metric/FP'] > 0


@pytest.mark.slow
@pytest.mark.parametrize('name', [MASKTRACK, MASK2FORMER, MIN_VIS])
def test_segmentors_train_and_are_scored(
    name: str, vis_root: Path, tmp_path: Path
) -> None:
    cfg = tiny_config(name, vis_root, tmp_path)
    cfg.val_evaluator = dict(type='YouTubeVISMetric', metric='youtube_vis_ap')
    cfg.test_evaluator = cfg.val_evaluator
    runner = build_runner(cfg)
    runner.train()
    assert (tmp_path / 'epoch_1.pth').exists()
    assert 'youtube_vis/segm_mAP' in runner.test()


@pytest.mark.slow
@pytest.mark.parametrize('tracker', TRACKERS)
def test_tracks_have_the_same_scores_in_batches(tracker: str, tmp_path: Path) -> None:
    """Of two videos with three frames; the first batch of four has frames of both."""
    root = write_tiny_mot(tmp_path / 'data', num_frames=3)
    metrics = []
    for batch_size in (1, 4):
        cfg = tiny_config(TRACKERS[tracker], root, tmp_path)
        cfg.train_cfg = None
        cfg.train_dataloader = None
        cfg.optim_wrapper = None
        track_from(cfg.model.tracker, 0.0)
        cfg.model.detector.test_cfg.rcnn.score_thr = 0.0
        cfg.test_evaluator = dict(type='MOTChallengeMetrics')
        cfg.test_dataloader.batch_size = batch_size
        metrics.append(build_runner(cfg).test())
    assert metrics[0]['motchallenge-metric/FP'] > 0
    assert metrics[1] == pytest.approx(metrics[0], abs=1e-5)


@pytest.mark.slow
def test_a_tracker_of_past_frames_offline(mot_root: Path, tmp_path: Path) -> None:
    """By the option that the model page names."""
    page = Path('configs/mot/README.md').read_text()
    (option,) = re.findall(r'--cfg-options (\S+)', page)
    cfg = tiny_config(FOR_TESTING['sort'], mot_root, tmp_path)
    track_from(cfg.model.tracker, 0.0)
    cfg.model.detector.test_cfg.rcnn.score_thr = 0.0
    cfg.dump(tmp_path / 'sort.py')
    first, *rest = sorted(map(str, (mot_root / 'train').glob('*/img1/*.jpg')))[:4]
    for options, ahead in (({}, False), (dict([option.split('=')]), True)):
        cfg = load_config(str(tmp_path / 'sort.py'), options)
        torch.manual_seed(0)
        detector = VideoDetector(cfg, device='cpu')
        assert detector.reads_ahead == ahead
        still, moving = (
            next(detector.detect_video(video)).pred_track_instances
            for video in ([first] * 4, [first, *rest])
        )
        assert len(moving) > 0
        # Frames to come have a say in the first one's boxes, or have not.
        assert torch.equal(still.bboxes, moving.bboxes) != ahead


@pytest.mark.slow
@pytest.mark.parametrize('name', [MASKTRACK, MIN_VIS])
def test_masks_are_the_same_in_batches(name: str, tmp_path: Path) -> None:
    root = write_tiny_vis(tmp_path / 'data', num_frames=3)
    found = []
    for batch_size in (1, 4):
        cfg = tiny_config(name, root, tmp_path / str(batch_size))
        cfg.test_evaluator.outfile_prefix = str(tmp_path / f'found_{batch_size}')
        cfg.test_dataloader.update(batch_size=batch_size, batch_sampler=None)
        build_runner(cfg).test()
        found.append(json.loads((tmp_path / f'found_{batch_size}.json').read_text()))
    assert {track['video_id'] for track in found[0]} == {1, 2}
    for one, other in zip(*found):
        assert one.pop('score') == pytest.approx(other.pop('score'), abs=1e-5)
        assert one == other


@pytest.mark.slow
def test_masks_are_scored_in_every_validation(tmp_path: Path) -> None:
    root = write_tiny_vis(tmp_path / 'data', num_frames=3)
    cfg = tiny_config(MASKTRACK, root, tmp_path)
    cfg.val_evaluator = dict(type='YouTubeVISMetric', metric='youtube_vis_ap')
    runner = build_runner(cfg)
    runner.model.init_weights()
    assert runner.val_loop.run() == runner.val_loop.run()


@pytest.mark.slow
@pytest.mark.parametrize('name', [MASK2FORMER, MIN_VIS])
def test_whole_videos_as_in_a_test_run(
    name: str, vis_root: Path, tmp_path: Path
) -> None:
    cfg = tiny_config(name, vis_root, tmp_path)
    runner = build_runner(cfg)
    batch = next(iter(runner.test_dataloader))
    with torch.no_grad():
        expected = runner.model.eval().test_step(batch)
    torch.save(dict(state_dict=runner.model.state_dict()), tmp_path / 'weights.pth')

    detector = VideoDetector(cfg, str(tmp_path / 'weights.pth'), 'cpu')
    folder = Path(expected[0].img_path).parent
    results = list(detector.detect_video(folder, batch_size=2))
    assert len(results) == len(expected) == 4
    for result, wanted in zip(results, expected):
        found, sought = result.pred_track_instances, wanted.pred_track_instances
        torch.testing.assert_close(found.scores, sought.scores)
        assert torch.equal(found.masks, sought.masks)
        assert torch.equal(found.instances_id, sought.instances_id)
    if name == MASK2FORMER:
        with pytest.raises(TypeError, match='cannot segment online; use detect_video'):
            detector.stream()
    else:
        (first,) = folder.glob('000000.*')
        assert len(detector.stream().push(str(first)).pred_track_instances) == 10


def test_settings_of_min_vis() -> None:
    """What the authors published for YouTube-VIS 2019."""
    cfg = Config.fromfile(f'configs/{MIN_VIS}')
    assert 8 * cfg.train_dataloader.batch_size == 32
    assert cfg.train_cfg.max_iters == 6000
    schedule = cfg.param_scheduler
    assert (schedule.type, schedule.milestones, schedule.gamma) == (
        'MultiStepLR',
        [4000],
        0.1,
    )
    assert cfg.optim_wrapper.optimizer.type == 'AdamW'
    assert cfg.optim_wrapper.optimizer.lr == 1e-4
    assert cfg.optim_wrapper.optimizer.weight_decay == 0.05
    assert cfg.optim_wrapper.clip_grad == dict(max_norm=0.01, norm_type=2)
    train, test = (
        cfg[f'{split}_dataloader'].dataset.pipeline[0].transforms
        for split in ('train', 'test')
    )
    assert [short for _, short in train[2].scales] == [360, 480]
    assert test[2].scale[1] == 360
    assert cfg.model.track_head.num_queries == 100
    assert cfg.model.track_head.max_tracks == 10


def test_norms_of_mask2former_do_not_decay() -> None:
    cfg = Config.fromfile(f'configs/{MASK2FORMER}')
    cfg.model.init_cfg = None
    model = MODELS.build(cfg.model)
    groups = build_optim_wrapper(model, cfg.optim_wrapper).param_groups
    group_of = {id(p): group for group in groups for p in group['params']}
    for name, parameter in model.named_parameters():
        group = group_of[id(parameter)]
        in_backbone = name.startswith('backbone.')
        assert group['lr'] == pytest.approx(1e-5 if in_backbone else 1e-4)
        if in_backbone:
            kept = 'norm' in name or name.endswith('position_bias_table')
            assert group['weight_decay'] == (0 if kept else 0.05), name


def test_bytetrack_takes_the_weights_of_its_vid_config() -> None:
    models = []
    for name in (
        BYTETRACK,
        BYTETRACK.replace('.py', '-online.py'),
        'vid/stpn/stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py',
    ):
        cfg = Config.fromfile(f'configs/{name}')
        shrink(cfg.model)
        models.append(MODELS.build(cfg.model))
    for tracker in models[:2]:
        tracker.load_state_dict(models[2].state_dict(), strict=True)
