from __future__ import annotations

import csv
import json
import os
import signal
import warnings
from pathlib import Path

import cv2
import mmcv
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample
from mmtrack.visualization import TrackLocalVisualizer
from pycocotools.coco import COCO

from stpn_plugin.apis import (
    CocoWriter,
    CsvWriter,
    DetectionDrawer,
    FrameWriter,
    VideoError,
    VideoFile,
    VideoWriter,
    select_detections,
    video_encoders,
)
from stpn_plugin.models import SingleFrameDetector
from tests.support.full_disk import file_limit

CLASSES = ('dog', 'cat', 'bird')
IMAGE = np.full((64, 96, 3), 200, np.uint8)


def result(frame_id: int = 0, **meta) -> TrackDataSample:
    instances = InstanceData(
        bboxes=torch.tensor([[10.0, 20, 40, 50], [60, 5, 90, 60.5]]),
        labels=torch.tensor([2, 0]),
        scores=torch.tensor([0.75, 0.25]),
    )
    sample = TrackDataSample(metainfo=dict(frame_id=frame_id, **meta))
    return SingleFrameDetector.make_result(sample, instances)


def test_select_detections() -> None:
    given = result()
    assert len(select_detections(given).pred_det_instances) == 2
    assert select_detections(given, 0.25).pred_det_instances.labels.tolist() == [2, 0]
    assert select_detections(given, 0.3).pred_det_instances.labels.tolist() == [2]
    assert select_detections(given, 0, [0, 1]).pred_det_instances.labels.tolist() == [0]
    assert len(select_detections(given, 0, []).pred_det_instances) == 0
    assert len(given.pred_det_instances) == 2


def test_coco_json(tmp_path: Path) -> None:
    path = tmp_path / 'made/results.json'
    with CocoWriter(str(path), CLASSES, 'a video') as writer:
        for i in range(3):
            writer.write(IMAGE, select_detections(result(i), 0.5 if i == 1 else 0))
        assert not path.exists()
    assert [p.name for p in path.parent.iterdir()] == ['results.json']
    coco = COCO(str(path))
    assert [coco.cats[i]['name'] for i in sorted(coco.cats)] == list(CLASSES)
    images = coco.loadImgs(coco.getImgIds())
    assert [image['frame_id'] for image in images] == [0, 1, 2]
    assert {(i['height'], i['width'], i['video_id']) for i in images} == {(64, 96, 1)}
    assert coco.dataset['videos'] == [dict(id=1, name='a video')]
    assert [len(coco.getAnnIds(imgIds=[i])) for i in (1, 2, 3)] == [2, 1, 2]
    second = coco.loadAnns(coco.getAnnIds(imgIds=[3]))[1]
    assert second['bbox'] == [60, 5, 30, 55.5] and second['area'] == 30 * 55.5
    assert second['category_id'] == 1 and second['score'] == 0.25


def test_coco_json_names_image_files(tmp_path: Path) -> None:
    with CocoWriter(str(tmp_path / 'r.json'), CLASSES, 'v') as writer:
        for i in range(2):
            writer.write(IMAGE, result(i, img_path=f'a/b/{i}.png'))
    images = json.loads((tmp_path / 'r.json').read_text())['images']
    assert [image['file_name'] for image in images] == ['0.png', '1.png']


def test_csv(tmp_path: Path) -> None:
    with CsvWriter(str(tmp_path / 'r.csv'), CLASSES, 'a.mp4', fps=14) as writer:
        writer.write(IMAGE, result(7))
    with open(tmp_path / 'r.csv', newline='') as file:
        first, second = csv.DictReader(file)
    assert first['video'] == 'a.mp4' and first['time'] == '0.500'
    assert first['frame_id'] == '7' and first['class'] == 'bird'
    # The same class has the same number as in JSON.
    assert [first['category_id'], second['category_id']] == ['3', '1']
    assert float(second['score']) == 0.25
    assert [float(second[key]) for key in ('x1', 'y1', 'x2', 'y2')] == [60, 5, 90, 60.5]


@pytest.mark.parametrize('suffix', ['.mp4', '.webm', '.mkv', '.avi'])
def test_video(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f'r{suffix}'
    with VideoWriter(str(path), fps=12.5) as writer:
        for i in range(5):
            writer.write(np.full((63, 95, 3), 40 * i, np.uint8), result(i))
    video = VideoFile(path)
    assert video.fps == pytest.approx(12.5)
    assert [round(frame.mean() / 40) for frame in video] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match='must end with .mp4, .webm, .mkv, .avi'):
        VideoWriter('r.gif', fps=1)


@pytest.mark.parametrize('suffix', ['.mp4', '.webm'])
@pytest.mark.parametrize('with_pyav', [False, True])
def test_videos_that_browsers_play(
    tmp_path: Path,
    suffix: str,
    with_pyav: bool,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    if with_pyav:
        pytest.importorskip('av')
    else:
        monkeypatch.setattr(video_encoders, 'av', None)
    path = str(tmp_path / f'r{suffix}')
    with VideoWriter(path, 12.5) as writer:
        for i in range(5):
            writer.write(np.full((63, 95, 3), 40 * i, np.uint8), result(i))
    assert capfd.readouterr().err == ''  # codecs that are not there are no errors
    assert VideoFile(path).fps == pytest.approx(12.5)
    assert [round(frame.mean() / 40) for frame in VideoFile(path)] == [0, 1, 2, 3, 4]
    code = int(cv2.VideoCapture(path).get(cv2.CAP_PROP_FOURCC))
    plays = {'.mp4': ('avc1', 'h264', 'vp09', 'VP90'), '.webm': ('VP90',)}[suffix]
    if with_pyav and suffix == '.mp4':
        plays = ('avc1', 'h264')
    assert code.to_bytes(4, 'little').decode() in plays


def test_no_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_encoders, 'av', None)
    monkeypatch.setitem(video_encoders.CODECS, '.mp4', ('none',))
    with pytest.raises(OSError, match='r.mp4 cannot be written: .*pip install av'):
        with VideoWriter(str(tmp_path / 'r.mp4'), 5) as writer:
            writer.write(IMAGE, result())
    assert list(tmp_path.iterdir()) == []


def test_frames(tmp_path: Path) -> None:
    with FrameWriter(str(tmp_path / 'shown')) as writer:
        for i in range(2):
            writer.write(np.full((64, 96, 3), 100 * i, np.uint8), result(i))
    files = sorted((tmp_path / 'shown').iterdir())
    assert [file.name for file in files] == ['000000.jpg', '000001.jpg']
    assert mmcv.imread(str(files[1])).mean() == pytest.approx(100, abs=2)


def open_all(folder: Path):
    yield lambda: CocoWriter(str(folder / 'r.json'), CLASSES, 'v')
    yield lambda: CsvWriter(str(folder / 'r.csv'), CLASSES)
    yield lambda: VideoWriter(str(folder / 'r.avi'), 5)
    yield lambda: FrameWriter(str(folder / 'frames'))


@pytest.mark.parametrize('error', [VideoError, KeyboardInterrupt])
def test_finished_part_is_kept(tmp_path: Path, error: type) -> None:
    """The video ended early, or was stopped."""
    for open_writer in open_all(tmp_path):
        with pytest.raises(error), open_writer() as writer:
            writer.write(IMAGE, result())
            raise error
    assert len(COCO(str(tmp_path / 'r.json')).anns) == 2
    assert len((tmp_path / 'r.csv').read_text().splitlines()) == 3
    assert len(list(VideoFile(tmp_path / 'r.avi'))) == 1
    names = sorted(path.name for path in tmp_path.rglob('*'))
    assert names == ['000000.jpg', 'frames', 'r.avi', 'r.csv', 'r.json']


def test_other_errors_leave_what_was_there(tmp_path: Path) -> None:
    for name in ('r.json', 'r.csv', 'r.avi'):
        (tmp_path / name).write_text('good')
    for open_writer in open_all(tmp_path):
        with pytest.raises(RuntimeError, match='stop'), open_writer() as writer:
            writer.write(IMAGE, result())
            raise RuntimeError('stop')
    files = {path.name: path for path in tmp_path.rglob('*') if path.is_file()}
    assert sorted(files) == ['r.avi', 'r.csv', 'r.json']
    assert {path.read_text() for path in files.values()} == {'good'}


def test_closed_by_hand_after_a_failed_write(tmp_path: Path) -> None:
    coco, table, _, frames = open_all(tmp_path)
    for open_writer in (coco, table, frames):
        writer = open_writer()
        writer.write(IMAGE, result())
        with pytest.raises(AttributeError):
            writer.write(IMAGE, None)  # no result
        writer.close()
    assert [path.name for path in tmp_path.rglob('*') if path.is_file()] == []


@pytest.mark.parametrize('suffix', ['.mp4', '.webm', '.mkv', '.avi'])
def test_frames_that_a_video_lost(tmp_path: Path, suffix: str) -> None:
    """OpenCV leaves out frames of another size, and says nothing."""
    path = tmp_path / f'r{suffix}'
    path.write_text('good')
    with pytest.raises(OSError, match='of 6 frames 5 can be read back'):
        with VideoWriter(str(path), 5) as writer:
            for i in range(6):
                writer.write(IMAGE[:32] if i == 3 else IMAGE, result(i))
    assert path.read_text() == 'good' and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize('suffix', ['.mp4', '.webm', '.mkv', '.avi', '.json', '.csv'])
def test_full_disk(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f'r{suffix}'
    path.write_text('good')
    if suffix == '.csv':
        writer = CsvWriter(str(path), CLASSES)
    elif suffix == '.json':
        writer = CocoWriter(str(path), CLASSES, 'v')
    else:
        writer = VideoWriter(str(path), 5)
    rng = np.random.default_rng(0)
    with file_limit(4000 if suffix == '.csv' else 10_000):
        with pytest.raises(OSError, match='r.* cannot be written: '), writer:
            for i in range(60):
                writer.write(rng.integers(0, 256, (64, 96, 3), np.uint8), result(i))
    assert path.read_text() == 'good' and len(list(tmp_path.iterdir())) == 1


class Interrupting(tuple):
    """Class names; Ctrl-C is pressed when one is asked for."""

    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGINT)
        return super().__getitem__(index)


def test_interrupt_does_not_cut_a_frame(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        with CsvWriter(str(tmp_path / 'r.csv'), Interrupting(CLASSES)) as writer:
            writer.write(IMAGE, result())
    assert len((tmp_path / 'r.csv').read_text().splitlines()) == 3


def test_frames_of_two_videos_do_not_mix(tmp_path: Path) -> None:
    for i in range(2):
        with FrameWriter(str(tmp_path / str(i))) as writer:
            writer.write(IMAGE, result())
    (tmp_path / '2').mkdir()
    (tmp_path / '2/notes.txt').write_text('no frame')
    FrameWriter(str(tmp_path / '2'))
    with pytest.raises(FileExistsError, match='1 holds frames already'):
        FrameWriter(str(tmp_path / '1'))


def test_nothing_is_left_without_frames(tmp_path: Path) -> None:
    for open_writer in open_all(tmp_path):
        with open_writer():
            pass
    assert [path for path in tmp_path.rglob('*') if path.is_file()] == []


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / 'file').write_text('')
    for open_writer in open_all(tmp_path / 'file'):
        with pytest.raises(OSError, match='file/.* cannot be written'):
            open_writer()
    with pytest.raises(IsADirectoryError, match='is a folder'):
        CsvWriter(str(tmp_path), CLASSES)


def test_drawing() -> None:
    drawer, given = DetectionDrawer(CLASSES), result()
    picture = drawer.draw(IMAGE, given)
    assert picture.shape == IMAGE.shape and (IMAGE == 200).all()
    changed = (picture != IMAGE).any(axis=2)
    for x1, y1, x2, y2 in given.pred_det_instances.bboxes.int().tolist():
        edges = (changed[y1, x1:x2], changed[y2, x1:x2], changed[y1:y2, x1])
        assert min(edge.mean() for edge in edges) > 0.9
    # Class and score are written, in each class's own colour.
    other = drawer.draw(IMAGE, select_detections(given, 0.5))
    assert not (other != IMAGE).any(axis=2)[:, 56:].any()
    assert not np.array_equal(
        DetectionDrawer(('x', 'x', 'x')).draw(IMAGE, given), picture
    )


@pytest.mark.parametrize('tracked', [False, True])
def test_labels_are_beside_the_objects(tracked: bool) -> None:
    image = np.full((200, 300, 3), 200, np.uint8)
    found = InstanceData(
        bboxes=torch.tensor([[100.0, 120, 140, 160], [280, 100, 295, 130]]),
        labels=torch.tensor([0, 1]),
        scores=torch.tensor([0.9, 0.8]),
    )
    sample = TrackDataSample()
    if tracked:
        found.instances_id = torch.tensor([1, 2])
        sample.pred_track_instances = found
    else:
        sample.pred_det_instances = found
    changed = (DetectionDrawer(CLASSES).draw(image, sample) != image).any(axis=2)
    assert not changed[124:157, 104:137].any()  # inside of the box
    assert changed[100:117, 100:140].mean() > 0.5
    assert changed[75:97, 270:299].any()  # within the picture


@pytest.mark.parametrize('name', ['$5 \\frac{$', '$x^$', '100 %'])
def test_drawing_a_class_with_an_odd_name(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)
        picture = DetectionDrawer((name,) * 3).draw(IMAGE, result())
    assert (picture[20:, 10:40] != IMAGE[20:, 10:40]).any()


def test_track_visualizer_draws_results() -> None:
    visualizer = TrackLocalVisualizer()
    visualizer.dataset_meta = dict(CLASSES=CLASSES)
    drawn = []
    for threshold in (0.9, 0.5, 0.1):
        visualizer.add_datasample(
            'frame', IMAGE, result(), draw_gt=False, pred_score_thr=threshold
        )
        drawn.append((visualizer.get_image() != IMAGE).any(axis=2))
    assert not drawn[0].any()
    assert drawn[1][20, 15:35].all() and not drawn[1][:, 58:].any()
    assert drawn[2][20, 15:35].all() and drawn[2][30:50, 90].all()
