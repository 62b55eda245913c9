"""Data sets with one fault each: all that have been thought of.

Each is a tiny set (:mod:`.tiny_data`) whose train and val part have the fault alike, or
annotations in the layout of ILSVRC. What is to become of it stands beside it: it works,
in training and testing, or ends in one line.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import cv2
import mmcv
import numpy as np
from PIL import Image

from tests.support.ilsvrc_layout import AIRPLANE, obj, write_list, write_xml
from tests.support.tiny_data import HEIGHT, WIDTH

WORKS, FAILS = 'works', 'fails'

_SPLITS = ('train', 'val')


@dataclass(frozen=True)
class Case:
    """A faulty data set.

    Attributes:
        name: What is wrong with it.
        spoil: Puts the fault into a set, given its root.
        train: What is to become of training with it.
        test: What is to become of testing with it.
    """

    name: str
    spoil: Callable[[Path], Any]
    train: str = FAILS
    test: str = FAILS


def annotation_file(root: Path, split: str) -> Path:
    """The annotation file of a part of a tiny set."""
    return root / f'annotations/imagenet_vid_{split}.json'


def image_files(root: Path, split: str) -> list[Path]:
    """The images of the first video of a part of a tiny set."""
    return sorted((root / 'Data/VID' / split).glob('*_00000000/*.JPEG'))


# --- the annotation file as a file


def _file(change: Callable[[Path], Any]) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        for split in _SPLITS:
            change(annotation_file(root, split))

    return spoil


def _bytes(content: bytes | Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        made = content(path.read_bytes()) if callable(content) else content
        path.write_bytes(made)

    return _file(change)


def _instead(make: Callable[[Path], Any]) -> Callable[[Path], None]:
    """Something else in the place of a file."""

    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return _file(change)


_DEEP = b'[' * 200_000 + b']' * 200_000

FILES = [
    Case('file missing', _file(Path.unlink)),
    Case('file empty', _bytes(b'')),
    Case('file of blanks', _bytes(b'  \n')),
    Case('file cut short', _bytes(lambda old: old[:-40])),
    Case('file of zeros', _bytes(b'\0' * 500)),
    Case('file in UTF-16', _bytes(lambda old: old.decode().encode('utf-16'))),
    Case('file with a byte order mark', _bytes(lambda old: b'\xef\xbb\xbf' + old)),
    Case('file with a byte that is not UTF-8', _bytes(lambda old: old + b'\xff')),
    Case('file compressed', _bytes(b'\x1f\x8b\x08\0\0\0\0\0')),
    Case('file of XML', _bytes(b'<annotation/>')),
    Case('file of a list', _bytes(b'[]')),
    Case('file of a number', _bytes(b'3')),
    Case('file of a text', _bytes(b'"a"')),
    Case('file of null', _bytes(b'null')),
    Case('file of an empty object', _bytes(b'{}')),
    Case('file nested 200,000 deep', _bytes(_DEEP)),
    Case(
        'file with a number of 5,000 digits', _bytes(b'{"images":' + b'9' * 5000 + b'}')
    ),
    Case('file with two objects', _bytes(lambda old: old + old)),
    Case('file with comments', _bytes(lambda old: b'// made by hand\n' + old)),
    Case('folder instead of the file', _instead(Path.mkdir)),
    Case('pipe instead of the file', _instead(lambda path: os.mkfifo(path))),
    Case('link to itself instead of the file', _instead(lambda p: p.symlink_to(p))),
    Case(
        'link to nothing instead of the file', _instead(lambda p: p.symlink_to('/no'))
    ),
    Case(
        'file with blanks around it',
        _bytes(lambda old: b'\n ' + old + b' \n'),
        WORKS,
        WORKS,
    ),
]


# --- the content of the annotation file


def _content(change: Callable[[dict], Any]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return _file(edit)


def _in(section: str, index: int = 1, **values: Any) -> Callable[[Path], None]:
    """An entry with other values."""
    return _content(lambda content: content[section][index].update(values))


def _without(section: str, key: str, index: int = 1) -> Callable[[Path], None]:
    """An entry without a key."""
    return _content(lambda content: content[section][index].pop(key))


def _section(name: str, value: Any) -> Callable[[Path], None]:
    return _content(lambda content: content.update({name: value}))


def _lacking(name: str) -> Callable[[Path], None]:
    return _content(lambda content: content.pop(name))


def _box(*box: Any, **values: Any) -> Callable[[Path], None]:
    """All boxes but those of the first frame replaced."""

    def change(content: dict) -> None:
        for annotation in content['annotations'][1:]:
            annotation.update(bbox=list(box), **values)

    return _content(change)


def _repeat(section: str, **values: Any) -> Callable[[Path], None]:
    def change(content: dict) -> None:
        entry = copy.deepcopy(content[section][1])
        content[section].append({**entry, **values})

    return _content(change)


def _shuffle(content: dict) -> None:
    rng = np.random.default_rng(0)
    for section in ('images', 'annotations', 'videos', 'categories'):
        content[section] = [
            content[section][i] for i in rng.permutation(len(content[section]))
        ]


def _only_first_frames(content: dict) -> None:
    kept = [image for image in content['images'] if image['frame_id'] == 0]
    ids = {image['id'] for image in kept}
    content['images'] = kept
    content['annotations'] = [
        ann for ann in content['annotations'] if ann['image_id'] in ids
    ]


def _each(section: str, change: Callable[[dict], Any]) -> Callable[[Path], None]:
    return _content(lambda content: [change(entry) for entry in content[section]])


def _gap(content: dict) -> None:
    del content['images'][1]
    content['annotations'] = [
        ann for ann in content['annotations'] if ann['image_id'] != 2
    ]


def _swap_names(content: dict) -> None:
    a, b = content['images'][1:3]
    a['file_name'], b['file_name'] = b['file_name'], a['file_name']


_NAN, _INF = float('nan'), float('inf')

CONTENT = [
    Case('no images section', _lacking('images')),
    Case('images null', _section('images', None)),
    Case('images an object', _section('images', {})),
    Case('images empty', _section('images', [])),
    Case('an image null', _content(lambda c: c['images'].append(None))),
    Case('an image a list', _content(lambda c: c['images'].append([1]))),
    Case('no videos section', _lacking('videos')),
    Case('videos empty', _section('videos', [])),
    Case('videos a text', _section('videos', 'a')),
    Case(
        'a video without frames',
        _content(
            lambda c: c['videos'].append(dict(id=99, name='x', vid_train_frames=[]))
        ),
        WORKS,
        WORKS,
    ),
    Case('a video without name', _without('videos', 'name'), WORKS, WORKS),
    Case('a video without id', _without('videos', 'id')),
    Case('two videos of one id', _in('videos', id=1)),
    Case('a video of a list for id', _in('videos', id=[1])),
    Case('no annotations section', _lacking('annotations'), FAILS, WORKS),
    Case('annotations empty', _section('annotations', []), FAILS, WORKS),
    Case('annotations null', _section('annotations', None)),
    Case('an annotation a number', _content(lambda c: c['annotations'].append(3))),
    Case(
        'a video without boxes',
        _content(
            lambda c: c.update(
                annotations=[a for a in c['annotations'] if a['video_id'] == 1]
            )
        ),
        WORKS,
        WORKS,
    ),
    Case('no categories section', _lacking('categories')),
    Case('categories empty', _section('categories', [])),
    Case('a category without name', _without('categories', 'name')),
    Case('a category with a number for name', _in('categories', name=3)),
    Case('two categories of one name', _in('categories', name='airplane')),
    Case('two categories of one id', _in('categories', id=1)),
    Case(
        'a class of the config without category',
        _content(lambda c: c['categories'].pop()),
    ),
    Case(
        'categories of another set',
        _each('categories', lambda c: c.update(name=f'other {c["id"]}')),
    ),
    Case(
        'one more category',
        _content(lambda c: c['categories'].append(dict(id=99, name='unicorn'))),
        WORKS,
        WORKS,
    ),
    Case('entries in another order', _content(_shuffle), WORKS, WORKS),
    Case('videos of one frame', _content(_only_first_frames), WORKS, WORKS),
    Case('a gap in the frames', _content(_gap)),
    Case(
        'frames counted from 1',
        _each('images', lambda i: i.update(frame_id=i['frame_id'] + 1)),
    ),
    Case('a frame twice', _in('images', frame_id=0)),
    Case('a frame before the first', _in('images', frame_id=-1)),
    Case('a frame of the number 10**15', _in('images', frame_id=10**15)),
    Case('a frame of a number of 4,000 digits', _in('images', frame_id=10**4000)),
    Case('a frame of a text', _in('images', frame_id='1')),
    Case('a frame of a fraction', _in('images', frame_id=1.5)),
    Case('a frame of NaN', _in('images', frame_id=_NAN)),
    Case('a frame without number', _without('images', 'frame_id')),
    Case(
        'file names in another order than frames', _content(_swap_names), WORKS, WORKS
    ),
    Case('an image without id', _without('images', 'id')),
    Case('an image without video', _without('images', 'video_id')),
    Case('an image without file name', _without('images', 'file_name')),
    Case('an image without height', _without('images', 'height')),
    Case('an image without width', _without('images', 'width')),
    Case('an image without training flag', _without('images', 'is_vid_train_frame')),
    Case(
        'images with the other training flag',
        _each(
            'images', lambda i: i.update(is_vid_train_frame=not i['is_vid_train_frame'])
        ),
    ),
    Case('an image of an unknown video', _in('images', video_id=99)),
    Case('an image of a video of a list', _in('images', video_id=[1])),
    Case('two images of one id', _in('images', id=1)),
    Case('an image of a list for id', _in('images', id=[2])),
    Case(
        'two images of one file',
        _content(
            lambda c: c['images'][1].update(file_name=c['images'][0]['file_name'])
        ),
        WORKS,
        WORKS,
    ),
    Case('an image of no name', _in('images', file_name='')),
    Case('an image of a number for name', _in('images', file_name=7)),
    Case('an image with a zero in its name', _in('images', file_name='a\0b')),
    Case('an image out of the folder', _in('images', file_name='../../../../x.JPEG')),
    Case('an image at a device', _in('images', file_name='/dev/zero')),
    Case('an image of 10,000 characters', _in('images', file_name='a' * 10_000)),
    Case('an image 0 pixels high', _in('images', height=0)),
    Case('an image -5 pixels wide', _in('images', width=-5)),
    Case('an image 64.5 pixels high', _in('images', height=64.5)),
    Case('an image of a text for width', _in('images', width='96')),
    Case('an image of null for width', _in('images', width=None)),
    Case('an image 10**100 pixels wide', _in('images', width=10**100)),
    Case('images higher than they are', _each('images', lambda i: i.update(height=80))),
    Case('an annotation without id', _without('annotations', 'id')),
    Case('an annotation without image', _without('annotations', 'image_id')),
    Case('an annotation without category', _without('annotations', 'category_id')),
    Case('an annotation without box', _without('annotations', 'bbox')),
    Case('an annotation without area', _without('annotations', 'area')),
    Case(
        'an annotation without instance',
        _without('annotations', 'instance_id'),
        WORKS,
        FAILS,
    ),
    Case(
        'an annotation without video', _without('annotations', 'video_id'), WORKS, WORKS
    ),
    Case(
        'an annotation of another video', _in('annotations', video_id=2), WORKS, WORKS
    ),
    Case('an annotation of a video of an object', _in('annotations', video_id={})),
    Case('an annotation of an unknown image', _in('annotations', image_id=99)),
    Case('an annotation of a list of images', _in('annotations', image_id=[1])),
    Case(
        'an annotation of an unknown category',
        _in('annotations', category_id=99),
        WORKS,
        WORKS,
    ),
    Case(
        'an annotation of category 0', _in('annotations', category_id=0), WORKS, WORKS
    ),
    Case(
        'an annotation of category null',
        _in('annotations', category_id=None),
        WORKS,
        WORKS,
    ),
    Case('two annotations of one id', _in('annotations', id=1)),
    Case('a box twice', _repeat('annotations', id=99, instance_id=99), WORKS, WORKS),
    Case(
        'an instance twice in a frame',
        _repeat('annotations', id=99, bbox=[1, 2, 30, 40]),
        WORKS,
        WORKS,
    ),
    Case(
        'an instance in two videos', _in('annotations', -1, instance_id=1), WORKS, WORKS
    ),
    Case('an instance of a text', _in('annotations', instance_id='one')),
    Case('an instance of a list', _in('annotations', instance_id=[1])),
    Case('an instance of 10**12', _in('annotations', instance_id=10**12)),
    Case('boxes of NaN', _box(_NAN, 8, 32, 32)),
    Case('boxes of infinite width', _box(8, 8, _INF, 32)),
    Case('boxes of null', _box(None, 8, 32, 32)),
    Case('boxes of text', _box('8', '8', '32', '32')),
    Case('boxes of 3 numbers', _box(8, 8, 32)),
    Case('boxes of 5 numbers', _box(8, 8, 32, 32, 0.9)),
    Case('boxes of 4,000 digits', _box(8, 8, 10**4000, 32)),
    Case('boxes of 1e300', _box(8, 8, 1e300, 32)),
    Case(
        'boxes an object',
        _content(lambda c: c['annotations'][1].update(bbox=dict(x=1, y=2, w=3, h=4))),
    ),
    Case('boxes of width 0', _box(8, 8, 0, 32), WORKS, WORKS),
    Case('boxes of negative height', _box(8, 40, 32, -32), WORKS, WORKS),
    Case(
        'boxes as corners that are out of order', _box(40, 40, -32, -32), WORKS, WORKS
    ),
    Case('boxes half a pixel wide', _box(8, 8, 0.5, 32), WORKS, WORKS),
    Case('boxes outside', _box(WIDTH + 5, 8, 32, 32), WORKS, WORKS),
    Case('boxes partly outside', _box(-8, -8, 32, 200), WORKS, WORKS),
    Case('boxes of the whole image', _box(0, 0, WIDTH, HEIGHT), WORKS, WORKS),
    Case('boxes of area 0', _box(8, 8, 32, 32, area=0), WORKS, WORKS),
    Case('boxes of area NaN', _box(8, 8, 32, 32, area=_NAN)),
    Case('boxes of area text', _box(8, 8, 32, 32, area='1024')),
    Case(
        'all boxes outside',
        _each('annotations', lambda a: a.update(bbox=[500, 500, 9, 9])),
        FAILS,
        WORKS,
    ),
    Case(
        'all boxes marked iscrowd',
        _each('annotations', lambda a: a.update(iscrowd=1)),
        WORKS,
        WORKS,
    ),
    Case(
        'all boxes marked ignore',
        _each('annotations', lambda a: a.update(ignore=True)),
        FAILS,
        WORKS,
    ),
]


# --- the images


def _image(
    change: Callable[[Path], Any], every: bool = False
) -> Callable[[Path], None]:
    """The second frame of the first video changed, or all of its frames."""

    def spoil(root: Path) -> None:
        for split in _SPLITS:
            paths = image_files(root, split)
            for path in paths if every else paths[1:2]:
                change(path)

    return spoil


def _replaced(make: Callable[[Path], Any]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.unlink()
        make(path)

    return _image(change)


def _encoded(suffix: str, change: Callable[[np.ndarray], np.ndarray]) -> Any:
    """All frames in another kind of file, or of other pixels."""

    def make(path: Path) -> None:
        image = change(cv2.imread(str(path)))
        done, content = cv2.imencode(suffix, image)
        assert done
        path.write_bytes(content.tobytes())

    return _image(make, every=True)


def _by_pillow(change: Callable[[Image.Image], Image.Image], **save: Any) -> Any:
    def make(path: Path) -> None:
        image = change(Image.open(path))
        image.save(path, 'JPEG', **save)

    return _image(make, every=True)


def _cut(share: float) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])

    return _image(change)


def _cut_png(path: Path) -> None:
    content = cv2.imencode('.png', cv2.imread(str(path)))[1].tobytes()
    path.write_bytes(content[: len(content) // 2])


def _resized(width: int, height: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda image: cv2.resize(image, (width, height))


def _turned() -> Any:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    return exif


def _to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _to_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _frames_of_two_sizes(root: Path) -> None:
    """A video whose second frame is smaller, also in the annotation file."""
    _image(lambda path: cv2.imwrite(str(path), mmcv.imread(str(path))[: HEIGHT // 2]))(
        root
    )
    _in('images', height=HEIGHT // 2)(root)


def _unreadable(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(3000))


IMAGES = [
    Case('image missing', _image(Path.unlink)),
    Case('image empty', _image(lambda path: path.write_bytes(b''))),
    Case('image of one byte', _image(lambda path: path.write_bytes(b'\xff'))),
    Case('image cut in its header', _cut(0.1)),
    Case('image cut in half', _cut(0.5)),
    Case('image cut before its end', _cut(0.98)),
    Case('image of noise', _image(_unreadable)),
    Case('image of text', _image(lambda path: path.write_text('no image'))),
    Case('image of a web page', _image(lambda p: p.write_text('<html>404</html>'))),
    Case('image of zeros', _image(lambda path: path.write_bytes(b'\0' * 4000))),
    Case('PNG image cut in half', _image(_cut_png)),
    Case('folder instead of an image', _replaced(Path.mkdir)),
    Case('pipe instead of an image', _replaced(lambda path: os.mkfifo(path))),
    Case('link to itself instead of an image', _replaced(lambda p: p.symlink_to(p))),
    Case(
        'link to nothing instead of an image', _replaced(lambda p: p.symlink_to('/no'))
    ),
    Case('folder of the images missing', lambda root: shutil.rmtree(root / 'Data/VID')),
    Case(
        'image of half the size',
        _image(lambda p: cv2.imwrite(str(p), mmcv.imread(str(p))[::2, ::2])),
    ),
    Case('image higher than wide', _encoded('.jpg', _resized(HEIGHT, WIDTH))),
    Case('frames of two sizes', _frames_of_two_sizes, FAILS, WORKS),
    Case(
        'frames 1 pixel high',
        lambda root: [
            _encoded('.png', _resized(WIDTH, 1))(root),
            _each('images', lambda i: i.update(height=1))(root),
        ],
        FAILS,
        FAILS,
    ),
    Case('grey images', _encoded('.jpg', lambda i: i[..., 0]), WORKS, WORKS),
    Case(
        '16 bit images',
        _encoded('.png', lambda i: i.astype(np.uint16) * 257),
        WORKS,
        WORKS,
    ),
    Case(
        'grey images of 16 bit',
        _encoded('.png', lambda i: i[..., 0].astype(np.uint16) * 257),
        WORKS,
        WORKS,
    ),
    Case(
        'images with transparency',
        _encoded('.png', lambda i: np.dstack([i, i[..., 0]])),
        WORKS,
        WORKS,
    ),
    Case('CMYK images', _by_pillow(lambda i: i.convert('CMYK')), WORKS, WORKS),
    Case('progressive images', _by_pillow(lambda i: i, progressive=True), WORKS, WORKS),
    Case(
        'images that EXIF turns',
        _by_pillow(lambda i: i.transpose(Image.Transpose.ROTATE_90), exif=_turned()),
        WORKS,
        WORKS,
    ),
    Case(
        'images that EXIF turns, of the size before',
        _by_pillow(lambda i: i, exif=_turned()),
        WORKS,
        WORKS,
    ),
    Case(
        'images followed by other bytes',
        _image(lambda p: p.write_bytes(p.read_bytes() + b'\0\xff\xda more')),
        WORKS,
        WORKS,
    ),
    Case('PNG images called JPEG', _encoded('.png', lambda i: i), WORKS, WORKS),
    Case('BMP images called JPEG', _encoded('.bmp', lambda i: i), WORKS, WORKS),
    Case('WebP images called JPEG', _encoded('.webp', lambda i: i), WORKS, WORKS),
]

#: All faulty sets in CocoVID.
SETS = [*FILES, *CONTENT, *IMAGES]


# --- ILSVRC before its conversion


def write_layout(root: Path) -> None:
    """Write a train video of 3 frames, a val video of 1 and 2 DET images."""
    objects = [obj(AIRPLANE, (8, 8, 40, 40), track=0)]
    for frame in range(3):
        write_xml(root, f'VID/train/a/{frame:06d}', objects)
    write_xml(root, 'VID/val/b/000000', objects)
    write_list(root, TRAIN_LIST, ['train/a 1 1 3', 'train/a 1 3 3'])
    write_list(root, VAL_LIST, ['val/b 1 1 1'])
    for name in ('x', 'y'):
        write_xml(root, f'DET/train/{name}', [obj(AIRPLANE, (8, 8, 40, 40))])
    write_list(root, DET_LIST, ['train/x 1'])


TRAIN_LIST, VAL_LIST = 'VID_train_15frames.txt', 'VID_val_videos.txt'
DET_LIST = 'DET_train_30classes.txt'
_XML = ('VID/train/a/000001', 'DET/train/x')


def _xml(content: bytes | Callable[[Path], Any]) -> Callable[[Path], None]:
    """An XML file of each part replaced."""

    def spoil(root: Path) -> None:
        for name in _XML:
            path = root / f'Annotations/{name}.xml'
            if callable(content):
                path.unlink()
                content(path)
            else:
                path.write_bytes(content)

    return spoil


def _object(*box: Any, name: str = AIRPLANE, size: Any = (96, 64)) -> Any:
    def spoil(root: Path) -> None:
        for image in _XML:
            write_xml(root, image, [obj(name, box, track=0)], size)

    return spoil


def _lists(change: Callable[[Path], Any]) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        for name in (TRAIN_LIST, VAL_LIST, DET_LIST):
            change(root / 'ImageSets' / name)

    return spoil


def _line(line: str) -> Callable[[Path], None]:
    """One more line in each list."""
    return _lists(lambda path: path.write_text(f'{path.read_text()}{line}\n'))


def _loop(root: Path) -> None:
    for place in ('DET/train', 'VID/train/a'):
        for name in ('loop', 'again'):
            (root / 'Annotations' / place / name).symlink_to('..')


_LAUGHS = b'<!DOCTYPE a [<!ENTITY l0 "ha">' + b''.join(
    b'<!ENTITY l%d "%s">' % (i, b'&l%d;' % (i - 1) * 10) for i in range(1, 12)
) + b']><a>&l11;</a>'  # fmt: skip
_OUTSIDE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'

#: Faulty annotations before their conversion; ``train`` stands for VID, ``test`` for
#: DET.
LAYOUTS = [
    Case('XML missing', _xml(lambda path: None), WORKS, WORKS),
    Case('XML empty', _xml(b''), WORKS, WORKS),
    Case('XML cut short', _xml(b'<annotation><size><width>'), WORKS, WORKS),
    Case(
        'XML of an unknown encoding',
        _xml(b'<?xml version="1.0" encoding="?"?><a/>'),
        WORKS,
        WORKS,
    ),
    Case('XML of zeros', _xml(b'\0' * 100), WORKS, WORKS),
    Case('XML without anything', _xml(b'<annotation/>'), WORKS, WORKS),
    Case(
        'XML nested 100,000 deep',
        _xml(b'<a>' * 100_000 + b'</a>' * 100_000),
        WORKS,
        WORKS,
    ),
    Case('XML with entities of 10**11 characters', _xml(_LAUGHS), WORKS, WORKS),
    Case('XML with an entity of another file', _xml(_OUTSIDE), WORKS, WORKS),
    Case('pipe instead of XML', _xml(lambda path: os.mkfifo(path)), WORKS, WORKS),
    Case('folder instead of XML', _xml(lambda path: path.mkdir()), WORKS, WORKS),
    Case(
        'link to itself instead of XML', _xml(lambda p: p.symlink_to(p)), WORKS, WORKS
    ),
    Case('XML box of text', _object('a', 8, 40, 40), WORKS, WORKS),
    Case('XML box of 4,000 digits', _object(8, 8, '9' * 4000, 40), WORKS, WORKS),
    Case('XML box of 5,000 digits', _object(8, 8, '9' * 5000, 40), WORKS, WORKS),
    Case('XML box of NaN', _object('NaN', 8, 40, 40), WORKS, WORKS),
    Case('XML box outside', _object(200, 200, 300, 300), WORKS, WORKS),
    Case('XML box empty', _object(40, 40, 8, 8), WORKS, WORKS),
    Case('XML of an unknown class', _object(8, 8, 40, 40, name='n0'), WORKS, WORKS),
    Case('XML of size 0', _object(8, 8, 40, 40, size=(0, 0)), WORKS, WORKS),
    Case(
        'XML of size 10**4000',
        _object(8, 8, 40, 40, size=('9' * 4000, 64)),
        WORKS,
        WORKS,
    ),
    Case('lists missing', _lists(Path.unlink)),
    Case('lists empty', _lists(lambda path: path.write_text('\n'))),
    Case('lists of bytes', _lists(lambda path: path.write_bytes(b'\xff\xfe\0'))),
    Case('lists are folders', _lists(_to_folder)),
    Case('lists are pipes', _lists(_to_pipe)),
    Case('line of one word', _line('train/a'), WORKS, WORKS),
    Case('line of a frame of a text', _line('train/a 1 x 3'), WORKS, WORKS),
    Case('line of frame 10**9', _line('train/a 1 1000000000 3'), WORKS, WORKS),
    Case('line of 10**9 frames', _line('train/b 1 1 1000000000'), WORKS, WORKS),
    Case(
        'first video of 10**9 frames',
        lambda root: write_list(root, TRAIN_LIST, ['train/a 1 1 1000000000']),
        WORKS,
        WORKS,
    ),
    Case(
        'line of 4,000 digits',
        _line(f'train/b 1 {"9" * 4000} {"9" * 5000}'),
        WORKS,
        WORKS,
    ),
    Case('line of a video that is missing', _line('train/no 1 1 3'), WORKS, WORKS),
    Case('line out of the folder', _line('../../../etc/passwd 1 1 3')),
    Case('line of an absolute path', _line('/etc/passwd 1 1 3')),
    Case('line with a zero', _line('train/a\0b 1 1 3')),
    Case('line twice', _lists(lambda p: p.write_text(2 * p.read_text())), WORKS, WORKS),
    Case('folders that link to those around them', _loop, WORKS, WORKS),
    Case('annotations missing', lambda root: shutil.rmtree(root / 'Annotations')),
]
