from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmtrack.datasets import BaseVideoDataset
from mmtrack.registry import DATASETS

from stpn_plugin.datasets import SupportSampling
from tests.support.tiny_data import write_tiny_vid

NUM_FRAMES = 5


@pytest.fixture(scope='module')
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_vid(tmp_path_factory.mktemp('vid'), num_frames=NUM_FRAMES)


def build(data_root: Path, split: str = 'train', **kwargs: Any) -> SupportSampling:
    """The VID data set; its samples are the lists of frames as they were drawn."""
    settings = dict(
        type='STPNImagenetVIDDataset',
        data_root=str(data_root),
        ann_file=f'annotations/imagenet_vid_{split}.json',
        data_prefix=dict(img_path='Data/VID'),
        pipeline=[],
        test_mode=split == 'val',
    )
    return DATASETS.build({**settings, **kwargs})


def drawn(dataset: SupportSampling, index: int) -> list[int]:
    """Numbers of the frames of a sample: the key frame, then its support frames."""
    return dataset[index]['frame_id']


@pytest.mark.slow
@pytest.mark.parametrize('index', [0, 2, NUM_FRAMES - 1])
@pytest.mark.parametrize('method', ['uniform', 'bilateral_uniform'])
@pytest.mark.parametrize('count', [2, 4, 8])
def test_as_many_as_asked_for(
    data_root: Path, method: str, count: int, index: int
) -> None:
    sampler = dict(num_ref_imgs=count, frame_range=1, method=method)
    key_frame, *support = drawn(build(data_root, ref_img_sampler=sampler), index)
    assert len(support) == count
    neighbours = {index - 1, index + 1} & set(range(NUM_FRAMES))
    assert key_frame == index
    assert set(support) <= neighbours and support == sorted(support)
    if count >= 2 * len(neighbours):
        numbers = [support.count(frame) for frame in neighbours]
        assert sum(numbers) == count and max(numbers) - min(numbers) <= 1


def test_a_frame_without_neighbours_supports_itself(data_root: Path) -> None:
    sampler = dict(num_ref_imgs=2, frame_range=[0, 0], method='bilateral_uniform')
    assert drawn(build(data_root, ref_img_sampler=sampler), 1) == [1, 1, 1]
    short = dict(num_ref_imgs=2, frame_range=[-2, 0], method='uniform')
    assert drawn(build(data_root, ref_img_sampler=short), 0) == [0, 0, 0]


@pytest.mark.parametrize('count', [2, 3, 14])
def test_spread_over_every_video_under_test(data_root: Path, count: int) -> None:
    """The first video, and those after it: mmtrack would take 2 for all but it."""
    sampler = dict(
        num_ref_imgs=count, frame_range=[-1, 1], method='test_with_adaptive_stride'
    )
    dataset = build(data_root, 'val', ref_img_sampler=sampler)
    for first, length in ((0, NUM_FRAMES), (NUM_FRAMES, NUM_FRAMES + 1)):
        key_frame, *support = drawn(dataset, first)
        assert len(support) == count
        assert (support[0], support[-1]) == (0, length - 1)
    assert drawn(dataset, 1) == [1]


@pytest.mark.parametrize(
    'count, method', [(0, 'uniform'), (1, 'test_with_adaptive_stride')]
)
def test_too_few(data_root: Path, count: int, method: str) -> None:
    sampler = dict(num_ref_imgs=count, method=method)
    with pytest.raises(ValueError, match='num_ref_imgs must be >= '):
        build(data_root, ref_img_sampler=sampler)[0]


def test_without_a_sampler(data_root: Path) -> None:
    with pytest.raises(ValueError, match='ref_img_sampler is None.*single-frame.py'):
        build(data_root, ref_img_sampler=None)
    # Online detection is tested frame by frame.
    assert build(data_root, 'val', ref_img_sampler=None)[0]['frame_id'] == 0


def test_in_front_of_any_video_data_set(data_root: Path) -> None:
    class Mine(SupportSampling, BaseVideoDataset):
        pass

    dataset = Mine(
        data_root=str(data_root),
        ann_file='annotations/imagenet_vid_train.json',
        data_prefix=dict(img_path='Data/VID'),
        metainfo=dict(CLASSES=('airplane', 'antelope')),
        ref_img_sampler=dict(num_ref_imgs=6, frame_range=1),
    )
    assert len(drawn(dataset, 0)) == 7
