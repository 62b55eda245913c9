from __future__ import annotations

import copy

import numpy as np
import pytest
from mmcv.transforms import Compose, TransformBroadcaster
from mmtrack.registry import TRANSFORMS


def frames(count: int = 3, height: int = 60, width: int = 90) -> dict:
    rng = np.random.default_rng(0)
    return dict(
        img=[
            rng.integers(0, 255, (height, width, 3)).astype(np.uint8)
            for _ in range(count)
        ],
        img_shape=[(height, width)] * count,
        gt_bboxes=[
            np.array([[0, 0, 9, 9], [30, 20, 60, 40], [80, 50, 89, 59]], np.float32)
            for _ in range(count)
        ],
        gt_bboxes_labels=[np.array([4, 5, 6]) for _ in range(count)],
        gt_instances_id=[np.array([40, 50, 60], np.int32) for _ in range(count)],
        gt_ignore_flags=[np.zeros(3, bool) for _ in range(count)],
    )


def test_pad_frames_to_largest() -> None:
    results = frames(2)
    results['img'][0] = results['img'][0][:40]
    results['img'][1] = results['img'][1][:, :50]
    before = copy.deepcopy(results['img'])
    padded = TRANSFORMS.build(dict(type='PadFramesToLargest', pad_val=7))(results)
    assert [img.shape for img in padded['img']] == [(60, 90, 3)] * 2
    assert padded['img_shape'] == [(60, 90)] * 2
    assert (padded['img'][0][:40] == before[0]).all()
    assert (padded['img'][0][40:] == 7).all()
    assert (padded['img'][1][:, :50] == before[1]).all()
    assert (padded['img'][1][:, 50:] == 7).all()


def test_pad_refuses_a_single_image() -> None:
    with pytest.raises(TypeError, match='ref_img_sampler'):
        TRANSFORMS.build(dict(type='PadFramesToLargest'))(dict(img=np.zeros((4, 4, 3))))


def crop_pipeline(share: bool) -> Compose:
    flip = dict(type='RandomFlip', prob=0.5)
    crop = dict(
        type='TrackRandomCrop',
        crop_type='absolute_range',
        crop_size=(20, 40),
        allow_negative_crop=True,
    )
    broadcast = dict(type=TransformBroadcaster, share_random_params=True)
    return Compose(
        [
            TRANSFORMS.build(dict(broadcast, transforms=[flip])),
            TRANSFORMS.build(
                dict(broadcast, share_random_params=share, transforms=[crop])
            ),
            TRANSFORMS.build(dict(type='PadFramesToLargest')),
        ]
    )


@pytest.mark.parametrize('share', [False, True])
def test_crops_are_drawn_by_frame_unless_shared(share: bool) -> None:
    np.random.seed(0)
    results = frames(4)
    results['img'] = [results['img'][0].copy() for _ in range(4)]
    out = crop_pipeline(share)(results)
    assert len({img.shape for img in out['img']}) == 1
    assert (len({img.tobytes() for img in out['img']}) == 1) == share


def test_identities_follow_their_boxes_through_a_crop() -> None:
    np.random.seed(0)
    kept = set()
    for _ in range(30):
        out = crop_pipeline(share=False)(frames(2))
        for boxes, labels, ids, flags in zip(
            out['gt_bboxes'],
            out['gt_bboxes_labels'],
            out['gt_instances_id'],
            out['gt_ignore_flags'],
        ):
            assert len(boxes) == len(labels) == len(ids) == len(flags)
            assert (labels * 10 == ids).all()
            assert ids.dtype == np.int32
            kept.add(len(ids))
    assert kept >= {0, 1}
