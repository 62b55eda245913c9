"""Faulty input: what is reported, what becomes of it, and that nothing is half done."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Callable

import pytest

from stpn_plugin.datasets.converters import (
    ConversionError,
    ProblemKind,
    Report,
    convert_det,
    convert_vid,
)
from stpn_plugin.datasets.converters.ilsvrc_lists import read_train_videos
from stpn_plugin.datasets.converters.ordered_map import ordered_map
from tests.support.ilsvrc_layout import AIRPLANE, ANTELOPE, obj, write_list, write_xml

TRAIN_LIST = 'VID_train_15frames.txt'
VAL_LIST = 'VID_val_videos.txt'
DET_LIST = 'DET_train_30classes.txt'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A train video of 3 frames, a val video of 1 frame and 2 DET images."""
    for frame in range(3):
        objects = [obj(AIRPLANE, (8, 8, 40, 40), track=0)]
        write_xml(tmp_path, f'VID/train/a/{frame:06d}', objects)
    write_xml(tmp_path, 'VID/val/b/000000', [obj(AIRPLANE, (8, 8, 40, 40), track=0)])
    write_list(tmp_path, TRAIN_LIST, ['train/a 1 1 3', 'train/a 1 3 3'])
    write_list(tmp_path, VAL_LIST, ['val/b 1 1 1'])
    for name in ('x', 'y'):
        write_xml(tmp_path, f'DET/train/{name}', [obj(AIRPLANE, (8, 8, 40, 40))])
    write_list(tmp_path, DET_LIST, ['train/x 1'])
    return tmp_path


def convert(function: Callable[..., list[Report]], root: Path, **kwargs: object):
    """Convert; returns the content of the first file and its report."""
    report = function(str(root), str(root / 'out'), **kwargs)[0]
    return json.loads(Path(report.path).read_text()), report


def convert_faulty(
    function: Callable[..., list[Report]],
    root: Path,
    kind: ProblemKind,
    path: Path | str,
    caplog: pytest.LogCaptureFixture,
) -> dict:
    """Convert input with one problem; returns the content of the first file.

    Checks that exactly this problem is logged and counted, naming its file, and that
    strict conversion fails with it and writes nothing.
    """
    with pytest.raises(ConversionError) as error:
        convert(function, root, strict=True)
    assert str(error.value).startswith(f'{path}: ')
    assert not any((root / 'out').rglob('*'))

    with caplog.at_level(logging.WARNING, 'stpn_plugin'):
        content, report = convert(function, root)
    assert [record.getMessage() for record in caplog.records] == [str(error.value)]
    assert report.problems == {kind: 1}
    assert f'  {kind.value}: 1' in report.summary().splitlines()
    return content


@pytest.mark.parametrize('folder', ['ImageSets', 'Lists'])
def test_lists_are_found_in_either_folder(root: Path, folder: str):
    if folder != 'ImageSets':
        (root / 'ImageSets').rename(root / folder)
    convert(convert_vid, root, strict=True)
    convert(convert_det, root, strict=True)


@pytest.mark.parametrize(
    'function, name',
    [(convert_vid, TRAIN_LIST), (convert_vid, VAL_LIST), (convert_det, DET_LIST)],
)
def test_missing_or_empty_list(root: Path, function: Callable, name: str):
    path = root / 'ImageSets' / name
    path.write_text('\n')
    with pytest.raises(ConversionError, match=f'{path} is empty'):
        convert(function, root)
    path.unlink()
    with pytest.raises(FileNotFoundError) as error:
        convert(function, root)
    assert str(path) in str(error.value)
    assert str(root / 'Lists' / name) in str(error.value)
    assert not (root / 'out').exists()


@pytest.mark.parametrize('function, part', [(convert_vid, 'VID'), (convert_det, 'DET')])
def test_no_annotations(root: Path, function: Callable, part: str):
    folder = root / 'Annotations' / part
    for path in folder.rglob('*.xml'):
        path.write_text('')
    with pytest.raises(ConversionError, match=f'could be converted.*{folder}'):
        convert(function, root)
    assert not any((root / 'out').rglob('*'))
    shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError, match=str(folder)):
        convert(function, root)


@pytest.mark.parametrize(
    'kind, text',
    [
        (ProblemKind.MISSING_XML, None),
        (ProblemKind.MALFORMED_XML, ''),
        (ProblemKind.MALFORMED_XML, '<annotation><size>'),
        (ProblemKind.MALFORMED_XML, '<?xml version="1.0" encoding="?"?><a/>'),
        (ProblemKind.SIZE, '<annotation/>'),
        (ProblemKind.SIZE, '<a><size><width>9</width><height/></size></a>'),
    ],
)
def test_unreadable_xml(
    root: Path,
    kind: ProblemKind,
    text: str | None,
    caplog: pytest.LogCaptureFixture,
):
    paths = [
        root / 'Annotations/VID/train/a/000001.xml',
        root / 'Annotations/DET/train/x.xml',
    ]
    for path in paths:
        path.unlink() if text is None else path.write_text(text)
    content = convert_faulty(convert_vid, root, kind, paths[0], caplog)
    # Frames are found by their number: this one stays, with the size of the others.
    assert [image['frame_id'] for image in content['images']] == [0, 1, 2]
    assert content['images'][1] == dict(
        content['images'][0],
        id=2,
        frame_id=1,
        file_name='train/a/000001.JPEG',
        is_vid_train_frame=False,
    )
    assert [ann['image_id'] for ann in content['annotations']] == [1, 3]
    assert [ann['id'] for ann in content['annotations']] == [1, 2]

    caplog.clear()
    shutil.rmtree(root / 'out')
    content = convert_faulty(convert_det, root, kind, paths[1], caplog)
    assert [image['file_name'] for image in content['images']] == ['train/y.JPEG']
    assert content['images'][0]['id'] == 1
    assert [ann['image_id'] for ann in content['annotations']] == [1]


@pytest.mark.parametrize('size', [(0, 64), (96, -1), ('wide', 64)])
def test_impossible_size(root: Path, size: tuple, caplog: pytest.LogCaptureFixture):
    objects = [obj(AIRPLANE, (8, 8, 40, 40), track=0)]
    path = write_xml(root, 'VID/train/a/000002', objects, size)
    content = convert_faulty(convert_vid, root, ProblemKind.SIZE, path, caplog)
    assert {(i['width'], i['height']) for i in content['images']} == {(96, 64)}
    assert len(content['annotations']) == 3


def test_size_unlike_that_of_the_video(root: Path, caplog: pytest.LogCaptureFixture):
    path = write_xml(root, 'VID/train/a/000000', size=(64, 96))
    content = convert_faulty(convert_vid, root, ProblemKind.SIZE, path, caplog)
    sizes = [(image['width'], image['height']) for image in content['images']]
    assert sizes == [(64, 96), (96, 64), (96, 64)]


@pytest.mark.parametrize('missing', ['video', 'files', 'sizes'])
def test_video_without_content(
    root: Path, missing: str, caplog: pytest.LogCaptureFixture
):
    folder = root / 'Annotations/VID/train/0'
    kind = ProblemKind.MISSING_XML
    if missing != 'video':
        folder.mkdir()
    if missing == 'sizes':
        kind = ProblemKind.SIZE
        path = folder / '000000.xml'
        path.write_text('<annotation/>')
    lines = ['train/0 1 1 1', 'train/a 1 2 3']
    write_list(root, TRAIN_LIST, lines)
    if missing == 'sizes':
        content, report = convert(convert_vid, root)
        assert report.problems == {kind: 2}  # the frame, hence the video
    else:
        content = convert_faulty(convert_vid, root, kind, folder, caplog)
    assert content['videos'] == [dict(id=1, name='train/a', vid_train_frames=[1])]
    assert len(content['images']) == 3


@pytest.mark.parametrize(
    'kind, box, bbox',
    [
        (ProblemKind.BOX_OUTSIDE, (-3, -4, 40, 64), [0, 0, 40, 64]),
        (ProblemKind.BOX_OUTSIDE, (8, 8, 97, 65), [8, 8, 88, 56]),
        (ProblemKind.BOX_OUTSIDE, (96, 8, 99, 12), None),
        (ProblemKind.BOX_OUTSIDE, (8, -9, 12, 0), None),
        (ProblemKind.BOX_EMPTY, (8, 8, 8, 12), None),
        (ProblemKind.BOX_EMPTY, (8, 12, 12, 8), None),
        (ProblemKind.FIELD, (8, 8, 12), None),
        (ProblemKind.FIELD, (8, 8, 12, 'low'), None),
        (ProblemKind.FIELD, (8, 8, 12, ''), None),
    ],
)
def test_faulty_box(
    root: Path,
    kind: ProblemKind,
    box: tuple,
    bbox: list | None,
    caplog: pytest.LogCaptureFixture,
):
    """The other object of the image is not affected."""
    good = (1, 2, 4, 8)
    objects = [obj(ANTELOPE, box, track=5), obj(AIRPLANE, good, track=6)]
    paths = [write_xml(root, 'VID/train/a/000000', objects)]
    objects = [obj(ANTELOPE, box), obj(AIRPLANE, good)]
    paths.append(write_xml(root, 'DET/train/x', objects))
    for function, path in zip((convert_vid, convert_det), paths):
        content = convert_faulty(function, root, kind, path, caplog)
        boxes = [ann['bbox'] for ann in content['annotations'] if ann['image_id'] == 1]
        assert boxes == ([bbox] if bbox else []) + [[1, 2, 3, 6]]
        assert all(
            ann['area'] == ann['bbox'][2] * ann['bbox'][3]
            for ann in content['annotations']
        )
        caplog.clear()
        shutil.rmtree(root / 'out')


@pytest.mark.parametrize('tag', ['name', 'bndbox', 'trackid', 'occluded', 'generated'])
def test_missing_field(root: Path, tag: str, caplog: pytest.LogCaptureFixture):
    objects = [
        obj(AIRPLANE, (1, 2, 4, 8), 3, 1, 1).replace(tag, 'other'),
        obj(ANTELOPE, (1, 2, 4, 8), 3),
    ]
    path = write_xml(root, 'VID/train/a/000000', objects)
    content = convert_faulty(convert_vid, root, ProblemKind.FIELD, path, caplog)
    annotations = [ann for ann in content['annotations'] if ann['image_id'] == 1]
    if tag in ('name', 'bndbox'):
        assert [ann['category_id'] for ann in annotations] == [2]
        return
    assert [ann['category_id'] for ann in annotations] == [1, 2]
    # Without track an instance of its own, otherwise both are of the same.
    tracks = [1, 2] if tag == 'trackid' else [1, 1]
    assert [ann['instance_id'] for ann in annotations] == tracks
    assert annotations[0]['occluded'] is (tag != 'occluded')
    assert annotations[0]['generated'] is (tag != 'generated')


def test_flag_is_not_binary(root: Path, caplog: pytest.LogCaptureFixture):
    objects = [obj(AIRPLANE, (1, 2, 4, 8), track=0, occluded='yes')]
    path = write_xml(root, 'VID/train/a/000000', objects)
    content = convert_faulty(convert_vid, root, ProblemKind.FIELD, path, caplog)
    assert content['annotations'][0]['occluded'] is False


@pytest.mark.parametrize('val_line', ['val/b', 'val/b 1 1 many', 'val/b 1 1 0'])
def test_unknown_frame_count(root: Path, val_line: str):
    write_xml(root, 'VID/val/b/000004')
    write_list(root, VAL_LIST, [val_line])
    write_list(root, TRAIN_LIST, ['train/a 1 2'])
    reports = convert_vid(str(root), str(root / 'out'))
    contents = [json.loads(Path(report.path).read_text()) for report in reports]
    assert [len(content['images']) for content in contents] == [3, 5]
    assert contents[0]['videos'][0]['vid_train_frames'] == [1]
    assert reports[0].problems == {ProblemKind.FRAME_COUNT: 1}
    assert reports[1].problems == {
        ProblemKind.FRAME_COUNT: 1,
        ProblemKind.MISSING_XML: 3,
    }


def test_contradictory_frame_count(root: Path, caplog: pytest.LogCaptureFixture):
    path = write_list(root, TRAIN_LIST, ['train/a 1 1 3', 'train/a 1 2 4'])
    content = convert_faulty(
        convert_vid, root, ProblemKind.FRAME_COUNT, f'{path}:2', caplog
    )
    assert len(content['images']) == 3


def test_less_frames_than_files(root: Path, caplog: pytest.LogCaptureFixture):
    write_list(root, TRAIN_LIST, ['train/a 1 1 2'])
    folder = root / 'Annotations/VID/train/a'
    content = convert_faulty(convert_vid, root, ProblemKind.FRAME_COUNT, folder, caplog)
    assert len(content['images']) == 2


def test_more_frames_than_files(root: Path, caplog: pytest.LogCaptureFixture):
    write_list(root, TRAIN_LIST, ['train/a 1 1 4'])
    path = root / 'Annotations/VID/train/a/000003.xml'
    content = convert_faulty(convert_vid, root, ProblemKind.MISSING_XML, path, caplog)
    assert len(content['images']) == 4


@pytest.mark.parametrize('line', ['train/a', 'train/a 1 0 3', 'train/a 1 x 3'])
def test_line_without_train_frame(
    root: Path, line: str, caplog: pytest.LogCaptureFixture
):
    path = write_list(root, TRAIN_LIST, ['train/a 1 2 3', '', line])
    content = convert_faulty(
        convert_vid, root, ProblemKind.LIST_LINE, f'{path}:3', caplog
    )
    assert content['videos'][0]['vid_train_frames'] == [1]


def test_train_frame_out_of_the_video(root: Path, caplog: pytest.LogCaptureFixture):
    write_list(root, TRAIN_LIST, ['train/a 1 3 3', 'train/a 1 4 3'])
    folder = root / 'Annotations/VID/train/a'
    content = convert_faulty(convert_vid, root, ProblemKind.LIST_LINE, folder, caplog)
    assert content['videos'][0]['vid_train_frames'] == [2]


def test_repeated_lines(root: Path, caplog: pytest.LogCaptureFixture):
    path = write_list(root, TRAIN_LIST, ['train/a 1 2 3', 'train/a 1 2 3'])
    content = convert_faulty(
        convert_vid, root, ProblemKind.LIST_LINE, f'{path}:2', caplog
    )
    assert content['videos'][0]['vid_train_frames'] == [1]
    caplog.clear()
    shutil.rmtree(root / 'out')

    path = write_list(root, DET_LIST, ['train/x 1', 'train/x 1'])
    content = convert_faulty(
        convert_det, root, ProblemKind.LIST_LINE, f'{path}:2', caplog
    )
    assert len(content['images']) == 2

    write_list(root, TRAIN_LIST, ['train/a 1 2 3'])
    write_list(root, VAL_LIST, ['val/b 1 1 1'] * 2)
    reports = convert_vid(str(root), str(root / 'out'))
    assert [report.problems for report in reports] == [{}, {ProblemKind.LIST_LINE: 1}]
    assert reports[1].totals['videos'] == 1


def test_windows_line_ends_and_spaces(root: Path):
    path = root / 'ImageSets' / TRAIN_LIST
    path.write_bytes(b'train/a  1 1 3 \r\ntrain/a 1\t3 3\r\n\r\n')
    videos, problems = read_train_videos(str(root))
    assert videos == [('train/a', 3, [0, 2])]
    assert not problems


def test_existing_file_survives_failure(root: Path):
    convert_vid(str(root), str(root / 'out'))
    before = {path: path.read_bytes() for path in (root / 'out').iterdir()}
    (root / 'Annotations/VID/val/b/000000.xml').unlink()
    with pytest.raises(ConversionError):
        convert_vid(str(root), str(root / 'out'))
    assert {path: path.read_bytes() for path in (root / 'out').iterdir()} == before


def test_strict_stops_at_the_first_problem_whatever_the_jobs(root: Path):
    lines = []
    for index in range(30):
        write_xml(root, f'VID/train/{index}/000000', size=(0, index))
        lines.append(f'train/{index} 1 1 1')
    write_list(root, TRAIN_LIST, lines)
    with pytest.raises(ConversionError, match='train/0/000000.xml: size is 0 x 0'):
        convert(convert_vid, root, strict=True, jobs=2)


def test_ordered_map():
    tasks = list(range(50))
    for jobs in (1, 2):
        assert list(ordered_map(abs, tasks, jobs)) == tasks
        with pytest.raises(TypeError):
            list(ordered_map(len, tasks, jobs))
