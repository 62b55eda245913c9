"""Annotations of other tools and data sets, in their documented layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmtrack.registry import DATASETS
from pycocotools import mask as coco_mask

from stpn_command import main as stpn
from stpn_plugin.datasets.converters import ConversionError, split_clips
from stpn_plugin.datasets.converters.readers import (
    read_coco,
    read_cvat,
    read_label_studio,
    read_mot,
    read_visdrone,
    read_yolo,
    read_youtube_vis,
)

WIDTH, HEIGHT = 64, 48


def write_frames(folder: Path, count: int, name: str = '{:06d}.jpg') -> None:
    folder.mkdir(parents=True)
    for i in range(count):
        image = np.full((HEIGHT, WIDTH, 3), 20 * i, np.uint8)
        assert cv2.imwrite(str(folder / name.format(i)), image)


def write_json(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def convert(capsys: pytest.CaptureFixture, *words: Any, status: int = 0) -> str:
    assert stpn(['convert', *map(str, words)]) == status
    said = capsys.readouterr()
    return said.out + said.err


def boxes(path: Path) -> list[tuple]:
    """Frame, class, instance and box of every object."""
    content = json.loads(path.read_text())
    frames = {image['id']: image for image in content['images']}
    names = {c['id']: c['name'] for c in content['categories']}
    return [
        (
            frames[a['image_id']].get('frame_id'),
            names[a['category_id']],
            a['instance_id'],
            [round(value, 3) for value in a['bbox']],
        )
        for a in content['annotations']
    ]


def assert_loads(path: Path, images: Path, classes: tuple[str, ...]) -> None:
    """mmtrack's data set takes the file, and finds the frames."""
    dataset = DATASETS.build(
        dict(
            type='BaseVideoDataset',
            ann_file=str(path),
            data_prefix=dict(img_path=str(images)),
            metainfo=dict(CLASSES=classes),
            test_mode=True,
            ref_img_sampler=None,
            pipeline=[dict(type='LoadImageFromFile')],
        )
    )
    for i in range(len(dataset)):
        assert dataset[i]['img'].shape == (HEIGHT, WIDTH, 3)


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><name>t</name><size>5</size><labels>
    <label><name>car</name></label><label><name>bus</name></label>
  </labels><source>street.mp4</source></task></meta>
  <track id="0" label="car" source="manual">
    <box frame="0" keyframe="1" outside="0" occluded="0" xtl="2.00" ytl="4.00"
      xbr="12.00" ybr="14.00" z_order="0"><attribute name="a">b</attribute></box>
    <box frame="2" keyframe="1" outside="0" occluded="1" xtl="6.00" ytl="8.00"
      xbr="20.00" ybr="18.00" z_order="0"></box>
    <box frame="3" keyframe="1" outside="1" occluded="0" xtl="6.00" ytl="8.00"
      xbr="20.00" ybr="18.00" z_order="0"></box>
  </track>
  <track id="1" label="bus">
    <polygon frame="1" keyframe="1" outside="0" occluded="0"
      points="10.00,10.00;30.00,10.00;30.00,20.00"></polygon>
    <mask frame="2" keyframe="1" outside="0" occluded="0" rle="1, 2, 1, 4"
      left="3" top="5" width="4" height="2" z_order="0"></mask>
  </track>
</annotations>
"""


def test_cvat(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_frames(tmp_path / 'images/street', 5)
    (tmp_path / 'task.xml').write_text(CVAT)
    out = tmp_path / 'set.json'
    said = convert(
        capsys,
        *('cvat-video', tmp_path / 'task.xml', '--images', tmp_path / 'images'),
        *('-o', out),
    )
    assert '0 faults' in said
    assert boxes(out) == [
        (0, 'car', 1, [2, 4, 10, 10]),
        (1, 'car', 1, [4, 6, 12, 10]),  # half way
        (1, 'bus', 2, [10, 10, 20, 10]),
        (2, 'car', 1, [6, 8, 14, 10]),
        (2, 'bus', 2, [3, 5, 4, 2]),
    ]
    content = json.loads(out.read_text())
    polygon, mask = (
        a['segmentation'] for a in content['annotations'] if a.get('segmentation')
    )
    assert polygon == [[10, 10, 30, 10, 30, 20]]
    drawn = coco_mask.decode(mask)
    assert drawn[5:7, 3:7].tolist() == [[0, 1, 1, 0], [1, 1, 1, 1]]
    assert drawn.sum() == 6
    occluded = [a['image_id'] for a in content['annotations'] if a['occluded']]
    assert occluded == [3]
    assert content['images'][0]['file_name'] == 'street/000000.jpg'
    assert_loads(out, tmp_path / 'images', ('car', 'bus'))


def test_from_a_video_file(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    video = tmp_path / 'street.avi'
    writer = cv2.VideoWriter(
        str(video), cv2.VideoWriter_fourcc(*'MJPG'), 5, (WIDTH, HEIGHT)
    )
    for i in range(5):
        writer.write(np.full((HEIGHT, WIDTH, 3), 40 * i, np.uint8))
    writer.release()
    (tmp_path / 'task.xml').write_text(CVAT)
    words = ['cvat-video', tmp_path / 'task.xml', '--videos', video]
    words += ['--images', tmp_path / 'frames', '-o', tmp_path / 'set.json']
    convert(capsys, *words)
    assert_loads(tmp_path / 'set.json', tmp_path / 'frames', ('car', 'bus'))
    first = (tmp_path / 'set.json').read_bytes()
    assert 'is there already' in convert(capsys, *words)
    assert (tmp_path / 'set.json').read_bytes() == first
    assert 'needs --images' in convert(
        capsys, 'cvat-video', tmp_path / 'task.xml', '-o', 'set.json', status=2
    )


@pytest.mark.parametrize(
    'change, said',
    [
        (('<annotations>', '<set>'), 'no XML file'),
        (('frame="2" keyframe', 'frame="9" keyframe'), 'frame 9, but there are 5'),
        (('xtl="2.00"', 'xtl="nan"'), "xtl is 'nan'"),
        (('10.00,10.00;', '10.00;'), 'malformed points'),
        (('rle="1, 2, 1, 4"', 'rle="1, 2, 1, 5"'), 'rle does not fit'),
        (('rle="1, 2, 1, 4"', 'rle="x"'), 'malformed rle'),
        (('left="3"', 'left="63"'), 'rle does not fit'),
    ],
)
def test_faulty_cvat(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    write_frames(tmp_path / 'images/street', 5)
    (tmp_path / 'task.xml').write_text(CVAT.replace(*change))
    with pytest.raises(ConversionError, match=said) as raised:
        read_cvat(str(tmp_path / 'task.xml'), str(tmp_path / 'images'))
    assert 'task.xml' in str(raised.value)


def label_studio(**changes: Any) -> list[dict]:
    def key(frame: int, x: float, enabled: bool = True) -> dict:
        box = dict(x=x, y=25, width=50, height=50, rotation=0)
        return dict(box, frame=frame, enabled=enabled, time=frame / 25)

    value = dict(
        framesCount=5,
        duration=0.2,
        labels=['dog'],
        sequence=[key(1, 0), key(3, 50, enabled=False)],
    )
    region = dict(id='x1', type='videorectangle', value=dict(value, **changes))
    cancelled = dict(was_cancelled=True, result=[dict(region, id='other')])
    annotations = [cancelled, dict(was_cancelled=False, result=[region])]
    video = '/data/upload/1/my%20street.mp4'
    return [dict(id=1, data=dict(video=video), annotations=annotations)]


def test_label_studio(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_frames(tmp_path / 'images/my street', 5)
    source = write_json(tmp_path / 'export.json', label_studio())
    convert(
        capsys,
        *('label-studio-video', source, '--images', tmp_path / 'images'),
        *('-o', tmp_path / 'set.json'),
    )
    assert boxes(tmp_path / 'set.json') == [
        (frame, 'dog', 1, [0, 12, 32, 24]) for frame in (0, 1)
    ]
    assert_loads(tmp_path / 'set.json', tmp_path / 'images', ('dog',))
    for change, said in (
        (dict(sequence=[dict(frame=1)]), "'x' is missing"),
        (dict(sequence=7), "'sequence' is 7"),
    ):
        write_json(source, label_studio(**change))
        with pytest.raises(ConversionError, match=said):
            read_label_studio(str(source), str(tmp_path / 'images'))


def write_mot(root: Path, rows: str) -> Path:
    write_frames(root / 'MOT17-02/img1', 3)
    (root / 'MOT17-02/gt').mkdir()
    (root / 'MOT17-02/gt/gt.txt').write_text(rows)
    (root / 'MOT17-02/seqinfo.ini').write_text(
        '[Sequence]\nname=MOT17-02\nimDir=img1\nframeRate=30\nseqLength=3\n'
        f'imWidth={WIDTH}\nimHeight={HEIGHT}\nimExt=.jpg\n'
    )
    return root


def test_mot(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = '1,7,5,6,10,20,1,1,1\n2,7,6,6,10,20,1,1,0.2\n2,8,1,1,9,9,0,1,1\n'
    root = write_mot(tmp_path, rows + '3,9,50,40,30,30,1,3,1\n')
    out = tmp_path / 'set.json'
    said = convert(capsys, 'mot', root, '-o', out, '--classes', 'pedestrian')
    assert 'left out: of class car' in said
    assert boxes(out) == [
        (0, 'pedestrian', 1, [5, 6, 10, 20]),
        (1, 'pedestrian', 1, [6, 6, 10, 20]),
    ]
    assert_loads(out, root, ('pedestrian',))
    convert(capsys, 'mot', root / 'MOT17-02', '-o', out, '--classes', 'car')
    assert boxes(out) == [(2, 'car', 1, [50, 40, 14, 8])]  # within the image
    assert_loads(out, root / 'MOT17-02', ('car',))
    for rows, error in (
        ('1,2,3\n', 'line 1: 3 numbers'),
        ('9,7,5,6,10,20,1,1,1\n', 'frame 9 of 3'),
        ('1,7,5,6,10,20,1,99,1\n', 'class 99'),
        ('a,b\n', 'are no numbers'),
        ('1,7,5,6,10,20,1,inf,1\n', 'are no numbers'),
        ('1,7,5,6,10,20,1,nan,1\n', 'are no numbers'),
    ):
        (root / 'MOT17-02/gt/gt.txt').write_text(rows)
        with pytest.raises(ConversionError, match=error):
            read_mot(str(root))


def test_visdrone(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_frames(tmp_path / 'sequences/uav_1', 2, '{:07d}.jpg')
    (tmp_path / 'annotations').mkdir()
    (tmp_path / 'annotations/uav_1.txt').write_text(
        '1,0,5,5,10,10,1,4,0,1\n2,0,6,5,10,10,1,4,0,0\n1,1,0,0,9,9,0,0,0,0\n'
    )
    convert(capsys, 'visdrone', tmp_path, '-o', tmp_path / 'set.json')
    assert boxes(tmp_path / 'set.json') == [
        (0, 'car', 1, [5, 5, 10, 10]),
        (1, 'car', 1, [6, 5, 10, 10]),
    ]
    (tmp_path / 'annotations/uav_1.txt').write_text('1,0,5,5,10,10,1,44,0,1\n')
    with pytest.raises(ConversionError, match='category 44 of 11'):
        read_visdrone(str(tmp_path))


def youtube_vis() -> dict:
    mask = coco_mask.encode(np.asfortranarray(np.ones((HEIGHT, WIDTH), np.uint8)))
    rle = dict(size=mask['size'], counts=mask['counts'].decode())
    video = dict(id=4, width=WIDTH, height=HEIGHT, length=2)
    return dict(
        videos=[dict(video, file_names=['a/000000.jpg', 'a/000001.jpg'])],
        categories=[dict(id=2, name='cat'), dict(id=1, name='dog')],
        annotations=[
            dict(
                **dict(id=9, video_id=4, category_id=2, iscrowd=0),
                segmentations=[None, rle],
                bboxes=[None, [0, 0, WIDTH, HEIGHT]],
            ),
            dict(
                **dict(id=10, video_id=4, category_id=1, iscrowd=0),
                segmentations=[[[1, 2, 11, 2, 11, 8]], None],
            ),
        ],
    )


def test_youtube_vis(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_frames(tmp_path / 'JPEGImages/a', 2)
    source = write_json(tmp_path / 'train.json', youtube_vis())
    convert(capsys, 'youtube-vis', source, '-o', tmp_path / 'set.json')
    assert boxes(tmp_path / 'set.json') == [
        (0, 'dog', 1, [1, 2, 10, 6]),
        (1, 'cat', 2, [0, 0, WIDTH, HEIGHT]),
    ]
    content = json.loads((tmp_path / 'set.json').read_text())
    assert coco_mask.area(content['annotations'][1]['segmentation']) == WIDTH * HEIGHT
    assert [c['name'] for c in content['categories']] == ['cat', 'dog']
    assert_loads(tmp_path / 'set.json', tmp_path / 'JPEGImages', ('cat', 'dog'))
    faulty = youtube_vis()
    faulty['annotations'][0]['segmentations'].pop()
    with pytest.raises(ConversionError, match='1 masks and 2 boxes for 2 frames'):
        read_youtube_vis(str(write_json(source, faulty)))


def test_coco(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    image = dict(width=WIDTH, height=HEIGHT)
    content = dict(
        images=[dict(image, id=5, file_name='b.jpg'), dict(image, id=6, file_name='a')],
        categories=[dict(id=18, name='dog')],
        annotations=[
            dict(id=1, image_id=5, category_id=18, bbox=[1, 2, 3, 4], iscrowd=0),
            dict(id=2, image_id=5, category_id=18, bbox=[1, 2, 0, 4]),
        ],
    )
    source = write_json(tmp_path / 'instances.json', content)
    said = convert(capsys, 'coco', source, '-o', tmp_path / 'set.json')
    assert 'left out: box empty' in said
    assert boxes(tmp_path / 'set.json') == [(None, 'dog', 1, [1, 2, 3, 4])]
    dataset = DATASETS.build(
        dict(
            type='BaseVideoDataset',
            ann_file=str(tmp_path / 'set.json'),
            metainfo=dict(CLASSES=('dog',)),
            load_as_video=False,
            pipeline=[],
        )
    )
    assert len(dataset) == 1  # images without objects are no use in training
    write_json(source, dict(content, videos=[dict(id=1)]))
    with pytest.raises(ConversionError, match='CocoVID file already'):
        read_coco(str(source))


def test_yolo(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_frames(tmp_path / 'images/clip', 2)
    (tmp_path / 'labels/clip').mkdir(parents=True)
    labels = tmp_path / 'labels/clip/000000.txt'
    labels.write_text('1 0.5 0.5 0.25 0.5 33\n0 0.0 0.0 0.5 0.0 0.5 0.5\n')
    (tmp_path / 'data.yaml').write_text('names:\n  0: cat\n  1: dog\n')
    expected = [('dog', [24, 12, 16, 24]), ('cat', [0, 0, 32, 24])]
    for words, frame in ((['--as-videos'], 0), ([], None)):
        convert(capsys, 'yolo', tmp_path, '-o', tmp_path / 'set.json', *words)
        found = boxes(tmp_path / 'set.json')
        assert [(name, box) for _, name, _, box in found] == expected
        assert {number for number, *_ in found} == {frame}
    (tmp_path / 'data.yaml').write_text('names: [cat, dog]\n')
    for line, said in (
        ('7 0.5 0.5 0.25 0.5', 'no class and its numbers'),
        ('0 0.5 0.5', 'neither a box nor a polygon'),
    ):
        labels.write_text(line)
        with pytest.raises(ConversionError, match=f'000000.txt, line 1: .*{said}'):
            read_yolo(str(tmp_path))


def test_division_by_videos(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    content = youtube_vis()
    video = content['videos'][0]
    content['videos'] = [
        dict(video, id=i, file_names=[f'v{i}/0.jpg', f'v{i}/1.jpg']) for i in range(5)
    ]
    content['annotations'] = [
        dict(content['annotations'][1], id=i, video_id=i) for i in range(5)
    ]
    source = write_json(tmp_path / 'train.json', content)
    words = ['youtube-vis', source, '-o', tmp_path / 'set.json', '--val-fraction']
    convert(capsys, *words, 0.4)
    parts = [
        json.loads((tmp_path / f'set_{part}.json').read_text())
        for part in ('train', 'val')
    ]
    names = [[v['name'] for v in part['videos']] for part in parts]
    assert [len(part) for part in names] == [3, 2]
    assert sorted(names[0] + names[1]) == [f'v{i}' for i in range(5)]
    assert not (tmp_path / 'set.json').exists()
    (tmp_path / 'set_val.json').unlink()
    convert(capsys, *words, 0.4)
    again = json.loads((tmp_path / 'set_val.json').read_text())
    assert [v['name'] for v in again['videos']] == names[1]
    with pytest.raises(SystemExit):
        stpn(['convert', *map(str, words), '1'])
    with pytest.raises(ConversionError, match='1 video cannot be divided'):
        split_clips(read_youtube_vis(str(source)).clips[:1], 0.5)


@pytest.mark.parametrize(
    'value', [float('nan'), float('inf'), 10**400, True, '9', None]
)
def test_numbers_that_fit_no_image(tmp_path: Path, value: Any) -> None:
    source = tmp_path / 'x.json'
    for entry, key in (('videos', 'width'), ('annotations', 'bboxes')):
        content = youtube_vis()
        wrong = value if key == 'width' else [None, [0, 0, value, 5]]
        content[entry][0][key] = wrong
        with pytest.raises(ConversionError, match=f'x.json: {entry}.0.'):
            read_youtube_vis(str(write_json(source, content)))
    image = dict(id=1, file_name='a.jpg', width=WIDTH, height=HEIGHT)
    box = dict(image_id=1, category_id=1, bbox=[0, value, 5, 5])
    content = dict(images=[image], categories=[dict(id=1, name='a')], annotations=[box])
    with pytest.raises(ConversionError, match='x.json: annotations.0.'):
        read_coco(str(write_json(source, content)))


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    source = write_json(tmp_path / 'set_val.json', youtube_vis())
    before = source.read_bytes()
    for words in ([source], [tmp_path / 'set.json', '--val-fraction', 0.5]):
        content = youtube_vis()
        content['videos'].append(
            dict(content['videos'][0], id=5, file_names=['b/0.jpg'])
        )
        write_json(source, content)
        before = source.read_bytes()
        said = convert(capsys, 'youtube-vis', source, '-o', *words, status=2)
        assert 'is the input' in said
        assert source.read_bytes() == before
        assert not (tmp_path / 'set_train.json').exists()


def test_missing_frames_and_files(tmp_path: Path) -> None:
    (tmp_path / 'task.xml').write_text(CVAT)
    (tmp_path / 'images').mkdir()
    with pytest.raises(ConversionError, match='has no images'):
        read_cvat(str(tmp_path / 'task.xml'), str(tmp_path / 'images'))
    (tmp_path / 'images/0.jpg').write_bytes(b'no image')
    with pytest.raises(ConversionError, match='0.jpg is no image'):
        read_cvat(str(tmp_path / 'task.xml'), str(tmp_path / 'images'))
    for read in (read_coco, read_youtube_vis):
        (tmp_path / 'x.json').write_text('[')
        with pytest.raises(ValueError, match='x.json is no JSON'):
            read(str(tmp_path / 'x.json'))
    for read in (read_mot, read_visdrone, read_yolo):
        with pytest.raises(ConversionError, match=str(tmp_path)):
            read(str(tmp_path))
