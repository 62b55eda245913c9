"""Faulty annotation files are told before they do harm."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from mmengine.logging import MMLogger
from mmtrack.registry import DATASETS
from pycocotools import mask as coco_mask

from stpn_plugin.datasets import AnnotationError, find_faults
from stpn_plugin.datasets.checks import FaultKind, clean, find_oddities

FILE = 'annotations/val.json'


def content() -> dict:
    """Two videos of 3 and 2 frames."""
    frames = [(1, 0), (1, 1), (1, 2), ('b', 0), ('b', 1)]
    return dict(
        categories=[dict(id=1, name='dog'), dict(id=2, name='cat')],
        videos=[dict(id=1, name='first'), dict(id='b', name='second')],
        images=[
            dict(
                id=i,
                video_id=video_id,
                frame_id=frame_id,
                file_name=f'{video_id}/{frame_id}.jpg',
                height=64,
                width=96,
                is_vid_train_frame=True,
            )
            for i, (video_id, frame_id) in enumerate(frames)
        ],
        annotations=[
            dict(
                id=i,
                image_id=i,
                video_id=frames[i][0],
                category_id=1 + i % 2,
                instance_id=0,
                bbox=[8, 8, 32, 32],
                area=1024,
            )
            for i in range(5)
        ],
    )


def without(key: str) -> Callable[[dict], Any]:
    return lambda entry: entry.pop(key)


def given(**values: Any) -> Callable[[dict], Any]:
    return lambda entry: entry.update(values)


# section, index, change, kind of the fault, its text
CASES = [
    ('images', 2, given(frame_id=3), FaultKind.FRAME_ID, 'video first: it has 3 frames'
     ' up to frame_id 3, and lacks frame_id 2'),
    ('images', 4, given(frame_id=10**15), FaultKind.FRAME_ID, 'video second: it has 2'
     ' frames up to frame_id 1000000000000000, and lacks frame_id 1, 2, 3 and'
     ' 999,999,999,999,996 more'),
    ('images', 1, given(frame_id=2), FaultKind.FRAME_ID, 'video first: frame_id 2 is'
     ' there more than once'),
    ('images', 0, given(frame_id=-1), FaultKind.FRAME_ID, 'video first, image 1/0.jpg:'
     ' frame_id -1 is no whole number'),
    ('images', 0, given(frame_id='0'), FaultKind.FRAME_ID, "frame_id '0' is no whole"),
    ('images', 0, given(frame_id=0.0), FaultKind.FRAME_ID, 'frame_id 0.0 is no whole'),
    ('images', 0, given(frame_id=False), FaultKind.FRAME_ID, 'frame_id False is no'),
    ('images', 0, without('frame_id'), FaultKind.MISSING_KEY, 'entry 0 of "images"'
     ' (id 0) lacks frame_id'),
    ('images', 0, without('video_id'), FaultKind.MISSING_KEY, 'lacks video_id'),
    ('images', 0, without('height'), FaultKind.MISSING_KEY, 'lacks height'),
    ('images', 0, without('file_name'), FaultKind.MISSING_KEY, 'lacks file_name'),
    ('images', 0, without('id'), FaultKind.MISSING_KEY, 'lacks id'),
    ('images', 0, given(width=0), FaultKind.VALUE, 'width 0 is no number of pixels'),
    ('images', 0, given(height='64'), FaultKind.VALUE, "height '64' is no number"),
    ('images', 0, given(video_id=7), FaultKind.UNKNOWN_ID, 'video 7, image 1/0.jpg:'
     ' there is no video with its video_id 7'),
    ('images', 0, given(video_id=[1]), FaultKind.UNKNOWN_ID, 'no video with its'),
    ('images', 0, given(id=1), FaultKind.DUPLICATE_ID, '2 entries of "images" have the'
     ' id 1'),
    ('images', 0, given(id=[1]), FaultKind.VALUE, 'entry 0 of "images" has the id [1]'),
    ('videos', 0, given(id='b'), FaultKind.DUPLICATE_ID, 'entries of "videos" have'),
    ('categories', 0, given(id=2), FaultKind.DUPLICATE_ID, 'of "categories" have'),
    ('categories', 0, without('name'), FaultKind.MISSING_KEY, 'lacks name'),
    ('annotations', 0, given(id=3), FaultKind.DUPLICATE_ID, 'of "annotations" have'),
    ('annotations', 2, given(image_id=9), FaultKind.UNKNOWN_ID, 'annotation 2: there is'
     ' no entry with its image_id 9'),
    ('annotations', 2, given(image_id=[9]), FaultKind.UNKNOWN_ID, 'its image_id [9]'),
    ('annotations', 2, given(category_id=0), FaultKind.UNKNOWN_CLASS, 'category_id 0'),
    ('annotations', 2, without('category_id'), FaultKind.MISSING_KEY, 'category_id'),
    ('annotations', 2, without('area'), FaultKind.MISSING_KEY, 'lacks area'),
    ('annotations', 2, given(bbox=[1, 2, 3]), FaultKind.VALUE, 'bbox [1, 2, 3] is not'),
    ('annotations', 2, given(bbox=None), FaultKind.VALUE, 'bbox None is not'),
    ('annotations', 2, given(bbox=[10**400, 0, 9.5, 5]), FaultKind.VALUE, 'is not [x'),
    ('annotations', 2, given(area=float('inf')), FaultKind.VALUE, 'area inf is no'),
    ('annotations', 2, given(area=float('nan')), FaultKind.VALUE, 'area nan is no'),
    ('categories', 1, given(name='dog'), FaultKind.SAME_NAME, "categories 1 and 2 have"
     " the name 'dog'"),
]  # fmt: skip


def test_no_faults() -> None:
    assert find_faults(content(), FILE) == []
    assert find_faults(content(), FILE, as_video=False) == []
    shuffled = content()
    shuffled['images'].reverse()
    del shuffled['annotations']  # as in a file of images to test
    assert find_faults(shuffled, FILE) == []


@pytest.mark.parametrize('section, index, change, kind, text', CASES)
def test_faults(
    section: str, index: int, change: Callable, kind: FaultKind, text: str
) -> None:
    faulty = content()
    change(faulty[section][index])
    before = copy.deepcopy(faulty)
    faults = find_faults(faulty, FILE)
    found = [fault for fault in faults if text in str(fault)]
    assert [fault.kind for fault in found] == [kind]
    assert {fault.file for fault in faults} == {FILE}
    assert faulty == before


@pytest.mark.parametrize(
    'change',
    [
        given(id=1),
        given(category_id=0),
        given(bbox=[float('nan'), 8, 32, 32]),
        given(instance_id='one'),
        given(video_id={}),
        given(area='1024'),
        given(segmentation=[[1, 2, 3]]),
        without('area'),
        without('id'),
    ],
)
def test_faults_of_annotations_have_video_and_frame(change: Callable) -> None:
    faulty = content()
    change(faulty['annotations'][3])
    (fault,) = find_faults(faulty, FILE)
    # Of two annotations with one id, the place is that of the later one.
    assert (fault.video, fault.image) == ('second', 'b/0.jpg')


def test_images_of_one_id_have_video_and_frame() -> None:
    faulty = content()
    faulty['images'][4]['id'] = 3
    faults = find_faults(faulty, FILE)
    (fault,) = [fault for fault in faults if fault.kind is FaultKind.DUPLICATE_ID]
    assert (fault.video, fault.image) == ('second', 'b/1.jpg')


SQUARE = [8, 8, 40.0, 8, 40, 40]


def rle(counts: Any, *size: int) -> dict:
    return dict(counts=counts, size=list(size or (64, 96)))


PACKED = coco_mask.encode(np.eye(64, 96, dtype=np.uint8, order='F'))['counts'].decode()


@pytest.mark.parametrize(
    'segmentation',
    [None, [], [SQUARE], [SQUARE, SQUARE], rle([0, 64 * 96]), rle(PACKED)],
)
def test_segmentations(segmentation: Any) -> None:
    right = content()
    right['annotations'][2]['segmentation'] = segmentation
    assert find_faults(right, FILE) == []


@pytest.mark.parametrize(
    'segmentation, text',
    [
        ([SQUARE, SQUARE[:4]], '1 of 2 polygons'),
        ([SQUARE[:5], [*SQUARE, 3]], '2 of 2 polygons'),
        ([[*SQUARE[:5], None]], '1 of 1 polygon'),
        ([[*SQUARE[:5], float('nan')]], '1 of 1 polygon'),
        ([[*SQUARE[:5], 10**400]], '1 of 1 polygon'),
        ([[*SQUARE[:5], -1e8]], '1 of 1 polygon'),
        ([SQUARE, 7], '1 of 2 polygons'),
        (SQUARE, '6 of 6 polygons'),
        ('PPYo0', "'PPYo0' is neither polygons nor RLE"),
        (7, '7 is neither'),
        (dict(size=[64, 96]), 'RLE without counts'),
        (dict(a=1), 'RLE without counts and size'),
        (rle([0, 5]), '[0, 5] are no counts'),
        (rle([-1, 64 * 96 + 1]), 'are no counts'),
        (rle(''), "'' are no counts"),
        (rle('PPYo'), "'PPYo' are no counts"),
        (rle('PP 0'), "'PP 0' are no counts"),
        (rle({}), '{} are no counts'),
        (rle([0, 4], 2, 2), 'the size [2, 2] of RLE is not that of the image'),
        (dict(counts=[4], size=['2', 2]), "the size ['2', 2] of RLE is not [height"),
    ],
)
def test_faulty_segmentations(segmentation: Any, text: str) -> None:
    faulty = content()
    faulty['annotations'][2]['segmentation'] = segmentation
    (fault,) = find_faults(faulty, FILE)
    assert fault.kind is FaultKind.MASK and text in fault.text
    fixed = clean(faulty, [fault], lambda copy: find_faults(copy, FILE))
    assert fixed.left == []
    if isinstance(segmentation, list) and SQUARE in segmentation:
        assert fixed.content['annotations'][2]['segmentation'] == [SQUARE]
    else:
        assert len(fixed.content['annotations']) == 4


def test_categories_of_one_name_are_joined_if_they_are_one() -> None:
    faulty = content()
    faulty['categories'][1]['name'] = 'dog'
    fixed = clean(
        faulty, find_faults(faulty, FILE), lambda copy: find_faults(copy, FILE)
    )
    assert fixed.left == [] and len(fixed.changes) == 1
    assert fixed.content['categories'] == [dict(id=1, name='dog')]
    assert [a['category_id'] for a in fixed.content['annotations']] == [1] * 5
    faulty['categories'][1]['supercategory'] = 'sausage'
    faults = find_faults(faulty, FILE)
    fixed = clean(faulty, faults, lambda copy: find_faults(copy, FILE))
    assert fixed.content == faulty and fixed.left == faults


def test_stills_without_boxes() -> None:
    empty = {**content(), 'annotations': []}
    for as_video in (True, False):
        kinds = [fault.kind for fault in find_oddities(empty, FILE, as_video)]
        assert set(kinds) == {FaultKind.NO_BOXES}
    assert find_oddities(content(), FILE, as_video=False) == []
    del empty['annotations']  # as in a file of images to test
    assert find_oddities(empty, FILE, as_video=False) == []


def test_stills() -> None:
    stills = content()
    for image in stills['images']:
        del image['video_id'], image['frame_id']
    for faulty in (stills, dict(stills, videos=[])):
        (fault,) = find_faults(faulty, FILE)
        assert fault.kind is FaultKind.STILLS and 'no video_id' in fault.text
    assert find_faults(stills, FILE, as_video=False) == []
    no_videos = content()
    del no_videos['videos']
    (fault,) = find_faults(no_videos, FILE)
    assert fault.text == 'it has no section "videos"'
    assert find_faults(no_videos, FILE, as_video=False) == []


def test_what_is_no_annotation_file() -> None:
    for faulty, text in (
        ([], 'it holds a list'),
        (dict(), 'no section "images"'),
        (dict(images=dict()), 'its section "images" is no list'),
        (dict(images=[], annotations=None), 'its section "annotations" is no list'),
        (dict(images=[3]), 'its section "images" has entries that are no objects'),
    ):
        (fault,) = find_faults(faulty, FILE)
        assert fault.kind is FaultKind.NOT_COCO and text in str(fault)


def load(tmp_path: Path, faulty: dict, type: str, **kwargs: Any) -> Any:
    path = tmp_path / 'faulty.json'
    path.write_text(json.dumps(faulty))
    return DATASETS.build(
        dict(
            type=type,
            ann_file=str(path),
            metainfo=dict(CLASSES=('dog', 'cat')),
            pipeline=[],
            **kwargs,
        )
    )


@pytest.mark.parametrize('type', ['BaseVideoDataset', 'ImagenetVIDDataset'])
def test_stock_datasets_check_what_they_load(tmp_path: Path, type: str) -> None:
    assert len(load(tmp_path, content(), type)) == 5
    for frame_id in (-1, 7, 1, '0'):
        faulty = content()
        faulty['images'][0]['frame_id'] = frame_id
        with pytest.raises(AnnotationError, match='has . faults?:\n  video first'):
            load(tmp_path, faulty, type)
    stills = content()
    del stills['videos']
    for image in stills['images']:
        del image['video_id'], image['frame_id']
    with pytest.raises(AnnotationError, match='Set load_as_video=False'):
        load(tmp_path, stills, type)
    assert len(load(tmp_path, stills, type, load_as_video=False)) == 5
    del stills['images'][3]['width']
    with pytest.raises(AnnotationError, match='image b/0.jpg: .* lacks width'):
        load(tmp_path, stills, type, load_as_video=False)


def test_segmentations_do_not_keep_a_set_from_loading(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faulty = content()
    faulty['annotations'][3]['segmentation'] = [[1, 2, 3]]
    faulty['categories'] += [dict(id=3, name='cow'), dict(id=4, name='cow')]
    logger = MMLogger.get_instance(f'segmentations of {tmp_path}')
    logger.addHandler(caplog.handler)
    assert len(load(tmp_path, faulty, 'BaseVideoDataset')) == 5
    assert 'no mask can be made of: 1, the first one of video second' in caplog.text


def test_key_of_imagenet_vid(tmp_path: Path) -> None:
    custom = content()
    for image in custom['images']:
        del image['is_vid_train_frame']
    assert len(load(tmp_path, custom, 'BaseVideoDataset')) == 5
    for as_video in (True, False):
        with pytest.raises(AnnotationError) as raised:
            load(tmp_path, custom, 'ImagenetVIDDataset', load_as_video=as_video)
        message = str(raised.value)
        assert 'has 5 faults' in message and 'use BaseVideoDataset' in message


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    faulty = content()
    for image in faulty['images']:
        image['height'] = 0
    faulty['annotations'][0]['image_id'] = 9
    for annotation in faulty['annotations']:
        annotation['category_id'] = [9]
    with pytest.raises(AnnotationError) as raised:
        load(tmp_path, faulty, 'BaseVideoDataset')
    lines = str(raised.value).splitlines()
    assert lines[0].endswith('faulty.json has 11 faults:')
    assert lines[6:9] == [
        f'  -> {FaultKind.VALUE.value}',
        '  annotation 0: there is no entry with its image_id 9',
        '  annotation 0: there is no entry with its category_id [9]',
    ]
    assert lines[-2:] == [
        '  ... and 1 more like these',
        f'  -> {FaultKind.UNKNOWN_ID.value}',
    ]
