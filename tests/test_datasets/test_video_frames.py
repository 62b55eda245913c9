"""Frames of video files, in any order, against those that reading from the start gives.

How the files were made, with what OpenCV cannot write, stands in
``tests/support/make_videos.py``.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmtrack.registry import TRANSFORMS
from torch.utils.data import DataLoader, Dataset

from stpn_command import main as stpn
from stpn_plugin.datasets import ImageError, VideoFrame, VideoFrames, as_video_frame

VIDEOS = Path(__file__).parents[1] / 'data/videos'
UNEVEN = str(VIDEOS / 'uneven.mp4')


def write_video(path: Path, code: str, length: int = 12) -> str:
    size = (64, 48)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 5, size)
    assert writer.isOpened()
    for i in range(length):
        image = np.full((48, 64, 3), 4 * i, np.uint8)
        image[10:20, i : i + 9] = 255 - 4 * i
        writer.write(image)
    writer.release()
    return str(path)


def extracted(path: str) -> list[np.ndarray]:
    capture = cv2.VideoCapture(path)
    frames = []
    while True:
        is_there, image = capture.read()
        if not is_there:
            return frames
        frames.append(image)


def loader(**options: Any) -> Any:
    return TRANSFORMS.build(dict(type='LoadFrameFromVideo', **options))


def load(transform: Any, path: str, number: int, **info: Any) -> np.ndarray:
    return transform(dict(img_path=str(VideoFrame(path, number)), **info))['img']


@pytest.fixture(
    params=[
        'uneven.mp4',
        'uneven.mkv',
        'trimmed.mp4',
        'refreshed.mp4',
        'vp09.mp4',
        'MJPG.avi',
    ]
)
def video(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    stem, suffix = request.param.split('.')
    if (VIDEOS / request.param).exists():
        return str(VIDEOS / request.param)
    return write_video(tmp_path / f'made.{suffix}', stem)


def test_every_frame_in_random_order(video: str) -> None:
    frames = extracted(video)
    assert len({frame.tobytes() for frame in frames}) == len(frames)
    transform = loader()
    order = [*range(len(frames))] * 3
    random.Random(0).shuffle(order)
    for number in order:
        assert np.array_equal(load(transform, video, number), frames[number]), number
    assert len(VideoFrames(video, count=True)) == len(frames)


def test_frames_that_are_not_shown_do_not_count() -> None:
    whole, trimmed = extracted(UNEVEN), extracted(str(VIDEOS / 'trimmed.mp4'))
    assert len(trimmed) == len(whole) - 5
    for number in (7, 0, 34):
        image = load(loader(), str(VIDEOS / 'trimmed.mp4'), number)
        assert np.array_equal(image, whole[number + 5])


def test_results(tmp_path: Path) -> None:
    name = f'{UNEVEN}/000007'
    results = loader()(dict(img_path=name, height=48, width=64, other=1))
    assert results['img'].dtype == np.uint8 and results['img'].flags.writeable
    assert results['img_shape'] == results['ori_shape'] == (48, 64)
    assert results['img_path'] == name and results['other'] == 1
    assert load(loader(to_float32=True), UNEVEN, 7).dtype == np.float32
    cv2.imwrite(str(tmp_path / 'a.png'), results['img'])
    still = loader()(dict(img_path=str(tmp_path / 'a.png')))
    assert np.array_equal(still['img'], results['img'])
    with pytest.raises(ValueError, match='color_type'):
        loader(color_type='grayscale')
    with pytest.raises(ValueError, match='max_open'):
        loader(max_open=0)


def test_names() -> None:
    assert as_video_frame('a/b.MP4/000012') == VideoFrame('a/b.MP4', 12)
    assert as_video_frame(str(VideoFrame('b.mkv', 3))) == VideoFrame('b.mkv', 3)
    for name in ('b.mp4', 'b.mp4/a.jpg', 'b/000012', 'b.mp4/-1', '.mp4/1', 'b.mp4/'):
        assert as_video_frame(name) is None


def test_files_that_are_open_are_few(tmp_path: Path) -> None:
    paths = [write_video(tmp_path / f'{i}.avi', 'MJPG', 3) for i in range(6)]
    transform = loader(max_open=2)

    def opened() -> int:
        links = [Path('/proc/self/fd', name) for name in os.listdir('/proc/self/fd')]
        return sum(os.path.realpath(link) in paths for link in links)

    if not Path('/proc/self/fd').exists():
        pytest.skip('needs /proc')
    for number in (0, 2, 1):
        for path in paths:
            expected = extracted(path)[number]
            assert np.array_equal(load(transform, path, number), expected)
            assert opened() <= 2


def test_a_file_that_was_replaced(tmp_path: Path) -> None:
    path = write_video(tmp_path / 'a.avi', 'MJPG', 3)
    other = write_video(tmp_path / 'b.avi', 'MJPG', 3)
    transform = loader(max_open=1)
    load(transform, path, 2)
    load(transform, other, 2)
    write_video(tmp_path / 'a.avi', 'MJPG', 9)
    assert np.array_equal(load(transform, path, 8), extracted(path)[8])


class Frames(Dataset):
    """Loads a frame after another, in the order of its numbers."""

    def __init__(self, transform: Any, numbers: list[int]) -> None:
        self.transform, self.numbers = transform, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> np.ndarray:
        return load(self.transform, UNEVEN, self.numbers[index])


SPAWN = pytest.param('spawn', marks=pytest.mark.slow)


@pytest.mark.parametrize('method', ['fork', SPAWN])
def test_workers(method: str) -> None:
    """Processes that are forked have the parent's open files, with one position."""
    frames = extracted(UNEVEN)
    transform = loader()
    load(transform, UNEVEN, 20)
    numbers = [*range(len(frames))]
    random.Random(1).shuffle(numbers)
    data = DataLoader(
        Frames(transform, numbers),
        batch_size=None,
        num_workers=2,
        multiprocessing_context=method,
    )
    for number, image in zip(numbers, data):
        assert np.array_equal(image, frames[number])
    assert np.array_equal(load(transform, UNEVEN, 21), frames[21])


def test_copies() -> None:
    transform = loader(max_open=3)
    expected = load(transform, UNEVEN, 30)
    for other in (pickle.loads(pickle.dumps(transform)), copy.deepcopy(transform)):
        assert np.array_equal(load(other, UNEVEN, 30), expected)
        assert other.reader.max_open == 3


def test_frames_that_cannot_be_loaded(tmp_path: Path) -> None:
    path = write_video(tmp_path / 'cut.avi', 'MJPG', 60)
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: len(content) * 3 // 4])
    (tmp_path / 'text.mp4').write_text('no video')
    (tmp_path / 'folder.mp4').mkdir()
    (tmp_path / 'tail.mp4').write_bytes(Path(UNEVEN).read_bytes()[:4000])
    transform = loader()
    for video, number, said in (
        (UNEVEN, 40, 'uneven.mp4: there is no frame 40, it has 40 frames$'),
        (str(VIDEOS / 'trimmed.mp4'), 35, 'no frame 35, it has 35 frames'),
        (path, 59, r'cut.avi: there is no frame 59, it has \d+ frames of 60'),
        (str(tmp_path / 'text.mp4'), 0, 'text.mp4: it cannot be opened as a video'),
        (str(tmp_path / 'tail.mp4'), 0, 'tail.mp4: it cannot be opened as a video'),
        (str(tmp_path / 'none.mp4'), 0, 'none.mp4: there is no such file'),
        (str(tmp_path / 'folder.mp4'), 0, 'folder.mp4: it is a folder'),
    ):
        with pytest.raises(ImageError, match=f'^video .*{said}'):
            load(transform, video, number)
        name = str(VideoFrame(video, number))
        assert loader(ignore_empty=True)(dict(img_path=name)) is None
    with pytest.raises(ImageError, match='it is 64 x 48, but 96 x 48 in'):
        load(transform, UNEVEN, 3, height=48, width=96)
    # The reader goes on after an error.
    assert np.array_equal(load(transform, UNEVEN, 5), extracted(UNEVEN)[5])
    stock = TRANSFORMS.build(dict(type='LoadImageFromFile'))
    with pytest.raises(ImageError, match='load it by LoadFrameFromVideo'):
        load(stock, UNEVEN, 3)


def write_set(path: Path, frames: list[str]) -> Path:
    images = [
        dict(id=i, video_id=1, frame_id=i, file_name=name, width=64, height=48)
        for i, name in enumerate(frames)
    ]
    objects = [
        dict(id=i, image_id=i, video_id=1, category_id=1, instance_id=1, area=400,
             bbox=[i % 40, 10, 20, 20], iscrowd=False, occluded=False)
        for i in range(len(frames))
    ]  # fmt: skip
    content = dict(
        categories=[dict(id=1, name='cat')],
        videos=[dict(id=1, name='a')],
        images=images,
        annotations=objects,
    )
    path.write_text(json.dumps(content))
    return path


def test_check_and_training(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checks name frames that are not there; the data set skips them, if told to."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.mp4').write_bytes(Path(UNEVEN).read_bytes())
    good = write_set(tmp_path / 'good.json', [f'a.mp4/{i:06d}' for i in range(40)])
    assert stpn(['check', str(good), '--images', '.', '--jobs', '1']) == 0
    bad = write_set(tmp_path / 'bad.json', [f'a.mp4/{i:06d}' for i in range(42)])
    assert stpn(['check', str(bad), '--images', '.', '--jobs', '1']) == 1
    shown = capsys.readouterr().out
    assert '2 x IMAGE_FILE' in shown and 'no frame 41, it has 40 frames' in shown

    from mmengine.config import Config
    from mmtrack.registry import DATASETS

    assert stpn(['init', str(bad), '--output', 'c.py']) == 0
    cfg = Config.fromfile('c.py')
    dataset = cfg.train_dataloader.dataset
    assert dataset.pipeline[0].transforms[0].type == 'LoadFrameFromVideo'
    dataset.ref_img_sampler.num_ref_imgs = 2
    data = DATASETS.build(dict(type='SkipBadSamples', dataset=dataset))
    sample = data[20]
    assert sample['inputs']['img'].shape[0] == 1
    data[41]
    assert data.num_skipped == 1


def test_conversion_in_place(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('videos').mkdir()
    Path('videos/street.mp4').write_bytes(Path(UNEVEN).read_bytes())
    Path('task.xml').write_text(
        '<annotations><meta><source>street.mp4</source></meta>'
        '<track id="0" label="car"><box frame="39" outside="0" occluded="0" xtl="2.0" '
        'ytl="4.0" xbr="12.0" ybr="14.0"></box></track></annotations>'
    )
    words = ['convert', 'cvat-video', 'task.xml', '-o', 'set.json', '--in-place']
    assert stpn([*words, '--videos', 'videos/street.mp4']) == 0
    images = json.loads(Path('set.json').read_text())['images']
    assert [image['file_name'] for image in images] == [
        f'videos/street.mp4/{i:06d}' for i in range(40)
    ]
    assert images[0]['width'] == 64 and images[0]['height'] == 48
    assert stpn(['check', 'set.json', '--images', '.', '--jobs', '1']) == 0
    more = ['--videos', 'videos/street.mp4', '--images', 'videos']
    assert stpn([*words, *more]) == 0
    images = json.loads(Path('set.json').read_text())['images']
    assert images[0]['file_name'] == 'street.mp4/000000'
    assert os.listdir('videos') == ['street.mp4']  # nothing is extracted
    capsys.readouterr()
    Path('videos/road.mp4').write_bytes(Path(UNEVEN).read_bytes())
    Path('text.mp4').write_text('no video')
    for more, said in (
        ([], '--in-place needs --videos'),
        (['--videos', 'videos/road.mp4'], 'none of the videos (road) is called task'),
        (['--videos', 'text.mp4'], 'video text.mp4: it cannot be opened as a video'),
        (['--videos', 'task.xml'], 'task.xml has not the name of a video file'),
        (['--videos', 'a/x.mp4', 'b/x.mkv'], 'video a/x.mp4: there is no such file'),
    ):
        assert stpn([*words, *more]) == 2
        assert said in capsys.readouterr().err.replace('\n', ' ')
