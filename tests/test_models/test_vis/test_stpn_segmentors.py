"""Video instance segmentation around a prompted backbone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from mmengine.hub import get_config
from mmtrack.registry import MODELS
from mmtrack.structures import TrackDataSample

from stpn_plugin.builders import take_weights
from stpn_plugin.models.prompting import PastSupport
from stpn_plugin.models.vis.min_vis import match_queries
from tests.support import tiny_models

NUM_QUERIES = 12


def mask2former(min_vis: bool = False) -> dict[str, Any]:
    if min_vis:
        name = 'mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco.py'
        model = get_config(name).model
        head = model.panoptic_head
        head.update(
            type='MinVISHead',
            _scope_='mmdet',
            num_things_classes=tiny_models.NUM_CLASSES,
            num_stuff_classes=0,
            train_cfg=model.train_cfg,
            test_cfg=model.test_cfg,
        )
        head.type = 'mmtrack.MinVISHead'
    else:
        name = 'mmtrack::vis/mask2former/mask2former_r50_8xb2-8e_youtubevis2019.py'
        head = get_config(name).model.track_head
        head.num_classes = tiny_models.NUM_CLASSES
    tiny_models.narrow_mask2former(head, NUM_QUERIES)
    head.loss_cls.class_weight = [1.0] * tiny_models.NUM_CLASSES + [0.1]
    return dict(
        type='STPNMinVIS' if min_vis else 'STPNMask2Former',
        data_preprocessor=dict(type='TrackDataPreprocessor', pad_size_divisor=32),
        backbone=tiny_models.backbone(),
        track_head=head,
        prompt_predictor=tiny_models.predictor(),
    )


def masktrack() -> dict[str, Any]:
    name = 'mmtrack::vis/masktrack_rcnn/'
    name += 'masktrack-rcnn_mask-rcnn_r50_fpn_8xb1-12e_youtubevis2019.py'
    cfg = get_config(name).model
    detector = tiny_models.detector('mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py')
    detector.test_cfg.rcnn.update(score_thr=0.0, max_per_img=5)
    cfg.track_head.roi_extractor.out_channels = 64
    cfg.track_head.embed_head.update(in_channels=64, fc_out_channels=32)
    return dict(
        type='STPNMaskTrackRCNN',
        data_preprocessor=dict(type='TrackDataPreprocessor', pad_size_divisor=32),
        detector=detector,
        track_head=cfg.track_head,
        tracker=cfg.tracker,
        prompt_predictor=tiny_models.predictor(),
    )


def build(cfg: dict[str, Any]) -> torch.nn.Module:
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(cfg))
    model.init_weights()
    return model


def clip_samples(num_frames: int) -> list[TrackDataSample]:
    """One training sample whose frames show two objects each."""
    (sample,) = tiny_models.samples(with_mask=True)
    instances = sample.gt_instances
    instances.instances_id = torch.tensor([1, 2])
    masks = np.concatenate([instances.masks.masks] * num_frames)
    merged = type(instances)(
        labels=instances.labels.repeat(num_frames),
        bboxes=instances.bboxes.repeat(num_frames, 1),
        instances_id=torch.tensor([1, 2] * num_frames),
        map_instances_to_img_idx=torch.arange(num_frames).repeat_interleave(2),
    )
    merged.masks = BitmapMasks(masks, *masks.shape[1:])
    sample.gt_instances = merged
    return [sample]


def support(batch_size: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch_size, 3, 3, 64, 96, generator=generator)


def video(num_frames: int, seed: int = 0) -> dict[str, Any]:
    """A whole video as one batch; its first frame brings support frames."""
    generator = torch.Generator().manual_seed(seed)
    img = torch.randn(num_frames, 1, 3, 64, 96, generator=generator)
    refs = [support(1)[0], *[None] * (num_frames - 1)]
    samples: list[TrackDataSample] = []
    for frame_id in range(num_frames):
        samples += tiny_models.samples(frame_id=frame_id, video_length=num_frames)
    return dict(inputs=dict(img=list(img), ref_img=refs), data_samples=samples)


def predict(model: torch.nn.Module, data: dict[str, Any]) -> list[TrackDataSample]:
    """All frames in one batch, as the data loader gives them."""
    with torch.no_grad():
        return model.eval().test_step(data)


def one_by_one(model: torch.nn.Module, data: dict[str, Any]) -> list[TrackDataSample]:
    model.eval()
    results = []
    for i in range(len(data['data_samples'])):
        inputs = {key: value[i : i + 1] for key, value in data['inputs'].items()}
        samples = data['data_samples'][i : i + 1]
        with torch.no_grad():
            results += model.test_step(dict(inputs=inputs, data_samples=samples))
    return results


@pytest.mark.parametrize('min_vis', [False, True])
def test_mask2formers_train(min_vis: bool) -> None:
    model = build(mask2former(min_vis))
    num_frames = 1 if min_vis else 2
    inputs = dict(img=torch.randn(1, num_frames, 3, 64, 96), support_img=support())
    total, _ = model.parse_losses(model.loss(inputs, clip_samples(num_frames)))
    total.backward()
    assert torch.isfinite(total)
    assert model.prompt_predictor.query.grad.abs().sum() > 0
    if min_vis:
        with pytest.raises(ValueError, match='MinVIS trains on single frames, got 2'):
            inputs['img'] = torch.randn(1, 2, 3, 64, 96)
            model.loss(inputs, clip_samples(2))


def test_masktrack_trains() -> None:
    model = build(masktrack())
    inputs = dict(tiny_models.inputs(num_refs=1), support_img=support())
    samples = tiny_models.samples(with_mask=True, num_refs=1)
    samples[0].gt_instances.instances_id = torch.tensor([1, 2])
    samples[0].ref_gt_instances = samples[0].gt_instances.clone()
    total, _ = model.parse_losses(model.loss(inputs, samples))
    total.backward()
    assert model.prompt_predictor.query.grad.abs().sum() > 0


@pytest.mark.parametrize('name', ['mask2former', 'minvis', 'masktrack'])
def test_videos_are_segmented(name: str) -> None:
    cfg = masktrack() if name == 'masktrack' else mask2former(name == 'minvis')
    model = build(cfg)
    run = one_by_one if name == 'masktrack' else predict
    results = run(model, video(3))
    assert len(results) == 3
    for result in results:
        tracks = result.pred_track_instances
        assert tracks.masks.shape == (len(tracks.scores), 64, 96)
        assert tracks.masks.dtype == torch.bool
        assert len(set(tracks.instances_id.tolist())) == len(tracks.scores) > 0
    again = run(model, video(3))
    for result, other in zip(results, again):
        first, second = result.pred_track_instances, other.pred_track_instances
        assert torch.equal(first.scores, second.scores)
        assert torch.equal(first.instances_id, second.instances_id)


def test_stock_weights_load_but_for_the_predictor() -> None:
    cfg = mask2former()
    model = build(cfg)
    stock = dict(cfg, type='Mask2Former')
    stock.pop('prompt_predictor')
    missing, unexpected = model.load_state_dict(
        MODELS.build(ConfigDict(stock)).state_dict(), strict=False
    )
    assert not unexpected
    assert {name.split('.')[0] for name in missing} == {'prompt_predictor'}


@pytest.mark.parametrize('min_vis', [False, True])
def test_weights_of_mmdet_with_other_classes(min_vis: bool) -> None:
    """mmdet's Mask2Former calls the head by another name, and knows COCO's classes."""
    model = build(mask2former(min_vis))
    stock = {
        name.replace('track_head', 'panoptic_head'): torch.full_like(weight, 0.5)
        for name, weight in model.state_dict().items()
        if not name.startswith('prompt_predictor')
    }
    for name in ('weight', 'bias'):
        key = f'panoptic_head.cls_embed.{name}'
        stock[key] = stock[key].new_zeros(81, *stock[key].shape[1:])
    before = model.track_head.cls_embed.weight.clone()
    fit = take_weights(model, stock, 'coco.pth', partly=True)
    assert list(fit.other_shape) == [
        'track_head.cls_embed.weight',
        'track_head.cls_embed.bias',
    ]
    assert not fit.unexpected
    assert {name.split('.')[0] for name in fit.missing} == {'prompt_predictor'}
    assert torch.equal(model.track_head.cls_embed.weight, before)
    assert bool((model.track_head.query_feat.weight == 0.5).all())
    assert bool((model.backbone.patch_embed.projection.weight == 0.5).all())


def test_queries_are_matched_by_similarity() -> None:
    embeddings = torch.randn(6, 16, generator=torch.Generator().manual_seed(0))
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    noisy = 2 * embeddings[order] + 0.01
    found = match_queries(noisy, embeddings)
    assert torch.equal(order[found], torch.arange(6))


def test_online_min_vis_ends_with_the_tracks_of_the_whole_video() -> None:
    model = build(mask2former(min_vis=True))
    offline = predict(model, video(4))
    online = one_by_one(model, video(4))
    last, whole = online[-1].pred_track_instances, offline[-1].pred_track_instances
    torch.testing.assert_close(last.scores, whole.scores)
    assert torch.equal(last.instances_id, whole.instances_id)
    for name in ('masks', 'labels'):
        assert torch.equal(last[name], whole[name])
    for result in offline:  # the whole video chose the tracks of each of its frames
        assert torch.equal(result.pred_track_instances.scores, whole.scores)
    assert not torch.equal(online[0].pred_track_instances.scores, whole.scores)
    data = video(4)
    in_pairs = []
    for i in (0, 2):
        inputs = {key: value[i : i + 2] for key, value in data['inputs'].items()}
        pair = dict(inputs=inputs, data_samples=data['data_samples'][i : i + 2])
        in_pairs += predict(model, pair)
    for result, expected in zip(in_pairs, online):
        one, other = result.pred_track_instances, expected.pred_track_instances
        torch.testing.assert_close(one.scores, other.scores)
        assert torch.equal(one.masks, other.masks)
    with pytest.raises(RuntimeError, match='frame 1 of video 9 arrived before frame 0'):
        model.predict(
            tiny_models.inputs(num_refs=None),
            tiny_models.samples(frame_id=1, video_id=9),
        )


def test_online_min_vis_is_the_same_in_any_batches() -> None:
    """A batch that happens to be a whole video among them."""
    model = build(mask2former(min_vis=True))
    online = one_by_one(model, video(4))
    model.whole_videos = False
    no_whole_videos = predict(model, video(4))
    model.whole_videos = True
    model.support_policy = PastSupport(num_frames=3, interval=1)
    past_frames, expected = predict(model, video(4)), one_by_one(model, video(4))
    pairs = [*zip(no_whole_videos, online), *zip(past_frames, expected)]
    for result, single in pairs:
        one, other = result.pred_track_instances, single.pred_track_instances
        torch.testing.assert_close(one.scores, other.scores)
        assert torch.equal(one.masks, other.masks)


def test_mask2former_wants_whole_videos() -> None:
    model = build(mask2former())
    data = video(3)
    part = dict(
        inputs={key: value[:2] for key, value in data['inputs'].items()},
        data_samples=data['data_samples'][:2],
    )
    with pytest.raises(ValueError, match=r'got the frames \[0, 1\] of a video of 3'):
        predict(model, part)
    two = [video(1), video(1, seed=1)]
    together = dict(
        inputs={k: two[0]['inputs'][k] + two[1]['inputs'][k] for k in two[0]['inputs']},
        data_samples=two[0]['data_samples'] + two[1]['data_samples'],
    )
    with pytest.raises(ValueError, match='EntireVideoBatchSampler'):
        predict(model, together)
