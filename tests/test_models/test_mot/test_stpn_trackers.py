"""mmtrack's trackers around a prompted detector."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.config import ConfigDict
from mmtrack.registry import MODELS

from tests.support import tiny_models

FASTER_RCNN = 'faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'


def detector() -> ConfigDict:
    """An untrained detector that finds a few boxes with high scores."""
    cfg = tiny_models.detector(FASTER_RCNN)
    cfg.test_cfg.rcnn.update(score_thr=0.0, max_per_img=5)
    return cfg


def build(type: str, **parts: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    cfg = dict(type=type, detector=detector(), prompt_predictor=tiny_models.predictor())
    return MODELS.build({**cfg, **parts})


def run(model: torch.nn.Module, num_frames: int = 4) -> list[torch.Tensor]:
    """Test a still video of one moving view; returns the track ids by frame."""
    model.eval()
    ids = []
    for frame_id in range(num_frames):
        inputs = tiny_models.inputs(num_refs=3 if frame_id == 0 else None)
        samples = tiny_models.samples(frame_id=frame_id, video_length=num_frames)
        with torch.no_grad():
            (result,) = model.predict(inputs, samples)
        ids.append(result.pred_track_instances.instances_id)
        assert len(result.pred_track_instances.bboxes) == len(ids[-1])
    return ids


def test_qdtrack_tracks() -> None:
    ids = run(build('STPNQDTrack', **tiny_models.qdtrack_parts()))
    assert len(ids[-1]) > 0
    assert len(set(ids[-1].tolist())) == len(ids[-1])


@pytest.mark.slow
@pytest.mark.parametrize(
    'type, parts',
    [('STPNByteTrack', tiny_models.BYTE), ('STPNDeepSORT', tiny_models.SORT)],
)
def test_one_object_has_one_id(type: str, parts: dict[str, Any]) -> None:
    """The frames are equal, so whatever is found is found again."""
    model = build(type, **parts)
    ids = run(model)
    assert len(ids[-1]) > 0
    assert len(set(ids[-1].tolist())) == len(ids[-1])
    assert set(ids[-1].tolist()) == set(ids[-2].tolist())
    assert [i.tolist() for i in run(model)] == [i.tolist() for i in ids]  # a new video


def test_a_vid_checkpoint_is_one_of_a_tracker() -> None:
    detector_of_videos = build('STPN')
    tracker = build('STPNByteTrack', **tiny_models.BYTE)
    tracker.load_state_dict(detector_of_videos.state_dict(), strict=True)


def test_trackers_detect_what_the_detector_detects() -> None:
    vid, tracker = (
        build('STPN').eval(),
        build('STPNByteTrack', **tiny_models.BYTE).eval(),
    )
    tracker.load_state_dict(vid.state_dict())
    found = []
    for model in (vid, tracker):
        with torch.no_grad():
            (result,) = model.predict(
                tiny_models.inputs(num_refs=3), tiny_models.samples()
            )
        found.append(result.pred_det_instances)
    assert torch.equal(found[0].scores, found[1].scores)
    assert torch.equal(found[0].bboxes, found[1].bboxes)


def test_qdtrack_trains_with_support_frames_apart() -> None:
    model = build('STPNQDTrack', **tiny_models.qdtrack_parts())
    inputs = tiny_models.inputs(2, num_refs=1)
    generator = torch.Generator().manual_seed(1)
    inputs['support_img'] = torch.randn(2, 3, 3, 64, 96, generator=generator)
    samples = tiny_models.samples(2, num_refs=1)
    for sample in samples:
        sample.set_metainfo(dict(ref_scale_factor=(1.0, 1.0)))
        sample.gt_instances.instances_id = torch.tensor([1, 2])
        sample.ref_gt_instances = sample.gt_instances.clone()
    total, _ = model.parse_losses(model.loss(inputs, samples))
    total.backward()
    assert model.prompt_predictor.query.grad.abs().sum() > 0
    other = dict(inputs, support_img=inputs['support_img'] + 1)
    torch.manual_seed(0)
    first = model.loss(inputs, samples)['loss_cls']
    torch.manual_seed(0)
    assert not torch.equal(first, model.loss(other, samples)['loss_cls'])


@pytest.mark.slow
def test_online() -> None:
    model = build(
        'STPNByteTrack',
        **tiny_models.BYTE,
        support=dict(type='PastSupport', interval=2),
    ).eval()
    for frame_id in range(3):
        with torch.no_grad():
            model.predict(
                tiny_models.inputs(num_refs=None, seed=frame_id),
                tiny_models.samples(frame_id=frame_id, video_length=9),
            )
    assert len(model.memory) == 2
