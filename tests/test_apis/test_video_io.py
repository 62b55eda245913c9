from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Iterator

import cv2
import mmcv
import numpy as np
import pytest
from mmtrack.registry import DATASETS

from stpn_plugin.apis import LiveVideo, VideoError, VideoFile, open_video
from stpn_plugin.apis.video_io import pick_spread_frames, read_frames, spread
from tests.support.video_models import make_config


def write_video(path: Path, length: int) -> Path:
    """A video whose frame i has the brightness 5 i."""
    codec = {'.avi': 'MJPG', '.mp4': 'mp4v'}[path.suffix]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 12.5, (96, 64))
    for i in range(length):
        writer.write(np.full((64, 96, 3), 5 * i, np.uint8))
    writer.release()
    return path


def truncate(path: Path) -> Path:
    content = path.read_bytes()
    truncated = path.with_name(f'truncated{path.suffix}')
    truncated.write_bytes(content[: len(content) // 2])
    return truncated


def assert_shows(images: list[np.ndarray], frame_ids: list[int]) -> None:
    assert len(images) == len(frame_ids)
    for image, frame_id in zip(images, frame_ids):
        assert image.mean() == pytest.approx(5 * frame_id, abs=4)


@pytest.mark.parametrize('suffix', ['.avi', '.mp4'])
def test_video_file(tmp_path: Path, suffix: str) -> None:
    video = open_video(str(write_video(tmp_path / f'video{suffix}', 40)))
    assert isinstance(video, VideoFile)
    assert video.length == 40 and video.fps == pytest.approx(12.5)
    for _ in range(2):
        assert_shows(list(video), list(range(40)))
    ids, frames, length = pick_spread_frames(video, 4)
    assert ids == [0, 13, 26, 39] and length == 40
    assert_shows([frame.image for frame in frames], ids)


def test_truncated_video(tmp_path: Path) -> None:
    video = VideoFile(truncate(write_video(tmp_path / 'video.avi', 40)))
    frames = []
    with pytest.raises(VideoError, match='truncated.avi is truncated .* of its 40'):
        for frame in read_frames(video):
            frames.append(frame)
    assert 5 < len(frames) < 35
    ids, picked, length = pick_spread_frames(video, 3)
    assert length == len(frames)
    assert ids == [0, round((length - 1) / 2), length - 1] and len(picked) == 3


def test_unreadable_video(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match='truncated.mp4 cannot be opened as a video'):
        open_video(truncate(write_video(tmp_path / 'video.mp4', 40)))
    (tmp_path / 'text.mp4').write_text('no video')
    with pytest.raises(VideoError, match='text.mp4 cannot be opened as a video'):
        open_video(tmp_path / 'text.mp4')
    with pytest.raises(FileNotFoundError, match='no_such.mp4 does not exist'):
        open_video(tmp_path / 'no_such.mp4')


def test_folder_and_glob_in_natural_order(tmp_path: Path) -> None:
    for i in (1, 2, 10):
        mmcv.imwrite(np.full((8, 8, 3), i, np.uint8), str(tmp_path / f'f_{i}.png'))
    (tmp_path / 'notes.txt').write_text('no image')
    expected = [str(tmp_path / f'f_{i}.png') for i in (1, 2, 10)]
    assert open_video(tmp_path) == open_video(str(tmp_path / '*')) == expected
    assert open_video(str(tmp_path / 'f_1*')) == [expected[0], expected[2]]
    for nothing in (str(tmp_path / '*.jpg'), tmp_path / 'empty'):
        (tmp_path / 'empty').mkdir(exist_ok=True)
        with pytest.raises(FileNotFoundError, match='zero frames'):
            open_video(nothing)


def test_a_picked_image_is_the_only_one_read(tmp_path: Path) -> None:
    names = []
    for i in range(5):
        names.append(str(tmp_path / f'{i}.png'))
        mmcv.imwrite(np.full((8, 8, 3), i, np.uint8), names[-1])
    Path(names[1]).write_bytes(b'')
    ids, frames, length = pick_spread_frames(names, 3)
    assert (ids, length) == ([0, 2, 4], 5)
    assert [frame.path for frame in frames] == names[::2]
    Path(names[4]).write_bytes(b'no image')  # then the video ends before it
    ids, frames, length = pick_spread_frames(names, 2)
    assert (ids, length) == ([0, 3], 4) and frames[1].path == names[3]


def test_spread_as_mmtrack_does(data_root: Path) -> None:
    dataset = DATASETS.build(make_config(data_root).test_dataloader.dataset)
    first = dataset.get_data_info(0)
    for count in (2, 3, 4, 14):
        dataset.ref_img_sampler.update(
            num_ref_imgs=count, frame_range=[-(count // 2), count - count // 2]
        )
        for length in (1, 2, 6):
            first['video_length'] = length
            sampled = dataset.ref_img_sampling(0, first, **dataset.ref_img_sampler)
            assert spread(length, count) == [info['frame_id'] for info in sampled[1:]]


def test_camera(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = str(write_video(tmp_path / 'video.avi', 3))
    capture = cv2.VideoCapture

    def camera(source: object, *args: object) -> cv2.VideoCapture:
        return capture(path if source == 0 else 'no_such_camera', *args)

    monkeypatch.setattr(cv2, 'VideoCapture', camera)
    video = open_video(0)
    assert isinstance(video, LiveVideo) and iter(video) is video
    frames = []
    with pytest.raises(VideoError, match='stream 0 gives no more frames after 3'):
        for frame in video:
            frames.append(frame)
    assert_shows(frames, [0, 1, 2])
    with pytest.raises(VideoError, match='camera or stream 1 cannot be opened'):
        open_video(1)
    with pytest.raises(VideoError, match='rtsp://here cannot be opened'):
        open_video('rtsp://here')


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """URL of a server: <URL>/<file>/<how much of it is sent>/<what happens then>."""
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name, share, then = self.path[1:].split('/')
            content = (tmp_path / name).read_bytes()
            self.send_response(200)
            if name.endswith('mjpeg'):
                kind = 'multipart/x-mixed-replace; boundary=frame'
                self.send_header('Content-Type', kind)
            self.end_headers()
            self.wfile.write(content[: round(float(share) * len(content))])
            self.wfile.flush()
            if then == 'stall':
                released.wait(60)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f'http://127.0.0.1:{server.server_port}'
        released.set()
        server.shutdown()
        thread.join()


def write_camera_stream(path: Path, length: int) -> None:
    """What a network camera sends, which does not tell its length."""
    with open(path, 'wb') as file:
        for i in range(length):
            image = np.full((64, 96, 3), 5 * i, np.uint8)
            jpeg = cv2.imencode('.jpg', image)[1].tobytes()
            file.write(b'--frame\r\nContent-Type: image/jpeg\r\n')
            file.write(b'Content-Length: %d\r\n\r\n%s\r\n' % (len(jpeg), jpeg))


def test_stream(tmp_path: Path, server: str) -> None:
    write_video(tmp_path / 'video.avi', 40)
    write_camera_stream(tmp_path / 'camera.mjpeg', 40)
    for name in ('video.avi', 'camera.mjpeg'):
        video = open_video(f'{server}/{name}/1/close')
        assert isinstance(video, LiveVideo)
        assert_shows(list(video), list(range(40)))


@pytest.mark.slow
def test_stream_that_stalls(tmp_path: Path, server: str) -> None:
    """It is no stream that has ended."""
    write_video(tmp_path / 'video.avi', 40)
    write_camera_stream(tmp_path / 'camera.mjpeg', 40)
    for name in ('video.avi', 'camera.mjpeg'):
        frames = []
        with pytest.raises(VideoError, match='stall has stalled after .* none for 1 s'):
            for frame in LiveVideo(f'{server}/{name}/0.5/stall', timeout=1):
                frames.append(frame)
        assert_shows(frames, list(range(len(frames))))
        assert 5 < len(frames) < 25
    with pytest.raises(VideoError, match='stall cannot be opened'):
        LiveVideo(f'{server}/video.avi/0/stall', timeout=1)


def test_stream_that_breaks_off(tmp_path: Path, server: str) -> None:
    write_video(tmp_path / 'video.avi', 40)
    with pytest.raises(VideoError, match='broke off after .* it announced 40'):
        list(open_video(f'{server}/video.avi/0.5/close'))


class Restless:
    """A video with another number of frames each time that it is read."""

    def __init__(self, lengths: list[int]) -> None:
        self.lengths = iter(lengths)

    def __iter__(self) -> Iterator[np.ndarray]:
        length = next(self.lengths)
        return iter([np.full((8, 8, 3), i, np.uint8) for i in range(length)])


def test_a_video_whose_length_changes() -> None:
    ids, frames, length = pick_spread_frames(Restless([6, 4, 4]), 2)
    assert (ids, length) == ([0, 3], 4)
    assert [frame.image.max() for frame in frames] == ids
    with pytest.raises(VideoError, match='another number of frames .*: 6, 4, 5'):
        pick_spread_frames(Restless([6, 4, 5, 4, 5, 4]), 2)


def test_a_sequence_that_can_be_read_ever_less(tmp_path: Path) -> None:
    names = [str(tmp_path / f'{i}.png') for i in range(9)]
    for name in names[:3] + names[5:7]:
        mmcv.imwrite(np.zeros((8, 8, 3), np.uint8), name)
    ids, frames, length = pick_spread_frames(names, 2)  # 8, 7, 6, ... cannot
    assert (ids, length) == ([0, 6], 7)
    ids, frames, length = pick_spread_frames(names, 3)  # 8, 7, then 3 of 6
    assert (ids, length) == ([0, 1, 2], 3)


def test_uneven_rate() -> None:
    """Some files announce frames for their time, of which they hold fewer."""
    path = Path(__file__).parents[1] / 'data/videos/uneven.mkv'
    video = VideoFile(path)
    assert video.length is not None and video.length > 45
    assert len(list(video)) == 40
    assert len(list(LiveVideo(f'file://{path}'))) == 40
