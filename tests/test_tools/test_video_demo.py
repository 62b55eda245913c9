from __future__ import annotations

import csv
import json
import os
import pickle
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Callable

import cv2
import mmcv
import numpy as np
import pytest

from stpn_plugin.apis import TINY_MODEL, LiveVideo, VideoError, VideoFile
from stpn_plugin.cli import demo as command
from tests.support.commands import run_tool
from tests.support.full_disk import file_limit
from tests.support.tiny_data import CLASSES

USER_ERRORS = (OSError, ValueError, VideoError)
ALL_OUTPUTS = (
    *('--out-video', 'made/video.mp4', '--out-frames', 'made/frames'),
    *('--out-json', 'made/found.json', '--out-csv', 'made/found.csv'),
)


def run_demo(video: object, config: Path, checkpoint: Path, *args: object) -> None:
    run_tool('video_demo.py', video, config, checkpoint, '--device', 'cpu', *args)


def read_csv(path: str = 'made/found.csv') -> list[dict[str, str]]:
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def annotations() -> list[dict]:
    return json.loads(Path('made/found.json').read_text())['annotations']


@pytest.fixture(scope='module')
def frame_dir(data_root: Path) -> Path:
    """The five frames of a val video."""
    return data_root / 'Data/VID/val/ILSVRC2015_val_00000001'


@pytest.fixture(scope='module')
def video(frame_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same frames three times, as a video."""
    path = tmp_path_factory.mktemp('videos') / 'video.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 12, (96, 64))
    for frame in sorted(frame_dir.iterdir()) * 3:
        writer.write(mmcv.imread(str(frame)))
    writer.release()
    return path


def test_same_detections_as_in_a_test_run(
    config: Path, checkpoint: Path, frame_dir: Path
) -> None:
    run_demo(
        *(frame_dir, config, checkpoint),
        *('--out-json', 'made/found.json', '--score-thr', 0),
    )
    run_tool('test.py', config, checkpoint, '--work-dir', 'work', '--out', 'all.pkl')
    with open('all.pkl', 'rb') as file:
        results = [result for result in pickle.load(file) if result['video_id'] == 2]
    expected = []
    for image_id, result in enumerate(results, 1):
        instances = result['pred_det_instances']
        for (x1, y1, x2, y2), label, score in zip(
            *(instances[key].tolist() for key in ('bboxes', 'labels', 'scores'))
        ):
            box = [x1, y1, x2 - x1, y2 - y1]
            expected.append((image_id, label + 1, score, *box))
    assert len(results) == 5 and len(expected) > 5
    assert expected == [
        (found['image_id'], found['category_id'], found['score'], *found['bbox'])
        for found in annotations()
    ]


@pytest.mark.parametrize('mode', [(), ('--online',), ('--batch-size', 4)])
def test_all_outputs(
    config: Path,
    checkpoint: Path,
    video: Path,
    mode: tuple,
    capsys: pytest.CaptureFixture,
) -> None:
    run_demo(video, config, checkpoint, *ALL_OUTPUTS, '--score-thr', 0.03, *mode)
    said = capsys.readouterr()
    shown = said.err
    assert 'detect: 100%' in shown and 'frame/s' in shown
    assert 'video.avi: 15 frames, ' in said.out and 'frames/s' in said.out
    assert 'written: made/video.mp4, made/found.json, made/found.csv' in said.out
    assert ('pick support frames: 100%' in shown) == ('--online' not in mode)
    names = sorted(path.name for path in Path('made').iterdir())
    assert names == ['found.csv', 'found.json', 'frames', 'video.mp4']
    drawn = VideoFile('made/video.mp4')
    assert drawn.fps == pytest.approx(12)
    frames = sorted(Path('made/frames').iterdir())
    assert [path.name for path in frames] == [f'{i:06d}.jpg' for i in range(15)]
    lines = read_csv()
    found = annotations()
    assert len(lines) == len(found) > 0
    for line in lines:
        assert line['video'] == 'video.avi'
        assert float(line['time']) == pytest.approx(
            int(line['frame_id']) / 12, abs=1e-3
        )
    counts = Counter(line['class'] for line in lines)
    table = [row.strip('| ').split() for row in said.out.splitlines() if '|' in row]
    table = [[cell for cell in row if cell != '|'] for row in table]
    assert dict(row for row in table if row[0] in counts) == {
        name: f'{number}' for name, number in counts.items()
    }
    assert {line['frame_id'] for line in lines} <= {str(i) for i in range(15)}
    for line, annotation in zip(lines, found):
        assert line['class'] == CLASSES[annotation['category_id'] - 1]
        assert float(line['score']) >= 0.03
    # Both show the input, with boxes on it.
    first = int(lines[0]['frame_id'])
    raw = list(VideoFile(video))[first].astype(int)
    for picture in (mmcv.imread(str(frames[first])), list(drawn)[first]):
        difference = np.abs(picture - raw).max(-1)
        assert 0.005 < (difference > 60).mean() < 0.6


def test_selection(config: Path, checkpoint: Path, frame_dir: Path) -> None:
    output = ('--out-csv', 'made/found.csv')
    run_demo(frame_dir, config, checkpoint, *output, '--score-thr', 0)
    scores = sorted(float(line['score']) for line in read_csv())
    name = read_csv()[0]['class']
    middle = scores[len(scores) // 2]
    run_demo(frame_dir, config, checkpoint, *output, '--score-thr', middle)
    assert 0 < len(read_csv()) < len(scores)
    run_demo(
        *(f'{frame_dir}/*2.JPEG', config, checkpoint),
        *(*output, '--score-thr', 0, '--classes', name),
    )
    assert {line['class'] for line in read_csv()} == {name}
    assert {line['frame_id'] for line in read_csv()} == {'0'}


def stopped_after(read: Callable, count: int) -> Callable:
    """A method that reads frames, and is interrupted in place of one."""

    def read_or_stop(video: LiveVideo) -> np.ndarray:
        if video.num_frames == count:
            os.kill(os.getpid(), signal.SIGINT)
        return read(video)

    return read_or_stop


def test_camera(
    config: Path, checkpoint: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera is detected online, until it is stopped by Ctrl-C or unplugged."""
    capture = cv2.VideoCapture

    def camera(source: object, *args: object) -> cv2.VideoCapture:
        return capture(str(video) if source == 0 else source, *args)

    monkeypatch.setattr(cv2, 'VideoCapture', camera)
    with monkeypatch.context() as stopping:
        read = stopped_after(LiveVideo.__next__, 14)
        stopping.setattr(LiveVideo, '__next__', read)
        run_demo(0, config, checkpoint, *ALL_OUTPUTS, '--batch-size', 4)
    frames = [path.name for path in sorted(Path('made/frames').iterdir())]
    assert frames == [f'{i:06d}.jpg' for i in range(12)]
    assert len(list(VideoFile('made/video.mp4'))) == 12
    assert len(json.loads(Path('made/found.json').read_text())['images']) == 12
    with pytest.raises(USER_ERRORS, match='camera or stream 0 gives no more frames'):
        run_demo(0, config, checkpoint, '--out-csv', 'unplugged.csv')
    assert Path('unplugged.csv').exists()
    with pytest.raises(USER_ERRORS, match='camera or stream 7 cannot be opened'):
        run_demo(7, config, checkpoint, *ALL_OUTPUTS)


def test_finished_part_of_a_faulty_video_is_kept(
    config: Path, checkpoint: Path, video: Path, frame_dir: Path, tmp_path: Path
) -> None:
    content = video.read_bytes()
    Path('cut.avi').write_bytes(content[: len(content) // 2])
    with pytest.raises(USER_ERRORS, match='cut.avi is truncated .* written: [0-9]'):
        run_demo('cut.avi', config, checkpoint, *ALL_OUTPUTS)
    frames = list(Path('made/frames').iterdir())
    assert 3 <= len(frames) <= 9
    assert len(list(VideoFile('made/video.mp4'))) == len(frames)
    assert len(json.loads(Path('made/found.json').read_text())['images']) == len(frames)

    Path('changing').mkdir()
    for i, path in enumerate(sorted(frame_dir.iterdir())):
        image = mmcv.imread(str(path))
        mmcv.imwrite(image[: 64 - i // 3], f'changing/{i}.png')
    with pytest.raises(USER_ERRORS, match='frame 3 .* 96x63, .* 96x64.* written: 3'):
        run_demo('changing', config, checkpoint, '--out-csv', 'changing.csv')
    assert Path('changing.csv').exists()


def test_faulty_inputs(config: Path, checkpoint: Path, video: Path) -> None:
    Path('text.mp4').write_text('no video')
    Path('empty').mkdir()
    for source, message in (
        ('text.mp4', 'text.mp4 cannot be opened as a video'),
        ('none.mp4', 'none.mp4 does not exist'),
        ('empty', 'empty has no images'),
        ('*.png', r'\*.png has no images'),
    ):
        with pytest.raises(USER_ERRORS, match=message):
            run_demo(source, config, checkpoint, *ALL_OUTPUTS)
    assert not Path('made').exists()
    output = ('--out-csv', 'found.csv')
    for args, message in (
        ((video, 'no.py', checkpoint), 'no.py does not exist'),
        ((video, config, 'no.pth'), 'no.pth'),
        ((video, config, checkpoint, '--classes', 'dog', 'unicorn'), 'classes unicorn'),
    ):
        with pytest.raises(USER_ERRORS, match=message):
            run_demo(*args, *output)
    assert not Path('found.csv').exists()


def test_outputs_that_cannot_be_written(
    config: Path,
    checkpoint: Path,
    video: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    Path('file').write_text('')
    for output in (
        *(('--out-csv', 'file/a.csv'), ('--out-json', 'file/a.json')),
        *(('--out-video', 'file/a.mp4'), ('--out-frames', 'file/a')),
    ):
        with pytest.raises(USER_ERRORS, match='file/a.* cannot be written'):
            run_demo(video, config, checkpoint, *output)
    with pytest.raises(USER_ERRORS, match='a.gif: .* must end with .mp4'):
        run_demo(video, config, checkpoint, '--out-video', 'a.gif')
    with pytest.raises(USER_ERRORS, match='file/a.csv cannot be written'):
        run_demo(video, 'no.py', 'no.pth', '--out-csv', 'file/a.csv')
    assert 'detect' not in capsys.readouterr().err  # all that before any work


def test_outputs_that_are_inputs(
    config: Path, checkpoint: Path, video: Path, frame_dir: Path
) -> None:
    Path('in.avi').write_bytes(video.read_bytes())
    shutil.copytree(frame_dir, 'frames')
    Path('frames/000000.jpg').write_bytes(Path('frames/000000.JPEG').read_bytes())
    Path('link.avi').symlink_to('in.avi')
    Path('link').symlink_to('frames')
    os.link('in.avi', 'hard.avi')
    before = {path: path.read_bytes() for path in Path().rglob('*') if path.is_file()}
    for source, output in (
        *(('in.avi', 'in.avi'), ('in.avi', './link.avi'), ('link.avi', 'in.avi')),
        *(('in.avi', 'hard.avi'), (f'file://{Path.cwd()}/in.avi', 'in.avi')),
    ):
        with pytest.raises(USER_ERRORS, match='the output .* is the input'):
            run_demo(source, config, checkpoint, '--out-video', output)
    for source, outputs in (
        ('frames', ('--out-frames', 'link')),
        ('link/*.JPEG', ('--out-frames', 'frames')),
        ('frames', ('--out-csv', 'frames/000001.JPEG')),
        ('in.avi', ('--out-json', config)),
        ('in.avi', ('--out-csv', checkpoint)),
    ):
        with pytest.raises(USER_ERRORS, match='the output .* is the input'):
            run_demo(source, config, checkpoint, *outputs)
    with pytest.raises(USER_ERRORS, match='two outputs have the name a'):
        run_demo('in.avi', config, checkpoint, '--out-csv', 'a', '--out-json', 'a')
    with pytest.raises(USER_ERRORS, match='frames holds frames already'):
        run_demo('in.avi', config, checkpoint, '--out-frames', 'frames')
    after = {path: path.read_bytes() for path in Path().rglob('*') if path.is_file()}
    assert after == before


def test_full_disk(config: Path, checkpoint: Path, video: Path) -> None:
    """What cannot be written whole fails, and leaves what was there."""
    for kind, name in (('video', 'good.avi'), ('json', 'good.json')):
        Path(name).write_text('good')
        output = f'--out-{kind}', name, '--score-thr', 0
        message = f'{name} cannot be written'
        with file_limit(20_000), pytest.raises(USER_ERRORS, match=message):
            run_demo(video, config, checkpoint, *output)
        assert Path(name).read_text() == 'good'
    assert len(list(Path().iterdir())) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
def test_no_permission(config: Path, checkpoint: Path, video: Path) -> None:
    Path('locked').mkdir(mode=0o500)
    with pytest.raises(USER_ERRORS, match='locked/a.csv cannot be written'):
        run_demo(video, config, checkpoint, '--out-csv', 'locked/a.csv')


def test_tracks(config: Path, checkpoint: Path, frame_dir: Path) -> None:
    """A checkpoint of STPN as a tracker; the detector alone has no tracks to write."""
    with pytest.raises(ValueError, match='no track ids'):
        run_demo(frame_dir, config, checkpoint, '--out-mot', 'made/none.txt')
    assert not Path('made/none.txt').exists()
    tracker = Path('tracker.py')
    tracker.write_text(
        f'_base_ = [{str(config.resolve())!r}]\n'
        "model = dict(type='STPNByteTrack', motion=dict(type='KalmanFilter'),\n"
        "    tracker=dict(type='ByteTracker', init_track_thr=0.02,\n"
        '        obj_score_thrs=dict(high=0.02, low=0.01)))\n'
    )
    outputs = ('--out-mot', 'made/tracks.txt', '--out-csv', 'made/tracks.csv')
    run_demo(frame_dir, tracker, checkpoint, *outputs, '--score-thr', 0)
    lines = [line.split(',') for line in Path('made/tracks.txt').read_text().split()]
    rows = read_csv('made/tracks.csv')
    assert [line[1] for line in lines] == [row['track_id'] for row in rows] != []


def test_without_outputs_a_video(config: Path, checkpoint: Path, video: Path) -> None:
    run_demo(video, config, checkpoint)
    assert len(list(VideoFile('video_found.mp4'))) == 15


def test_model_that_comes_with_the_package(capsys: pytest.CaptureFixture) -> None:
    """Neither config nor checkpoint, and it finds the objects of its clip."""
    clip = f'{TINY_MODEL}/clip.mp4'
    run_tool('video_demo.py', clip, '--out-json', 'found.json')
    assert 'No model was given' in capsys.readouterr().out
    found = json.loads(Path('found.json').read_text())
    frames = {annotation['image_id'] for annotation in found['annotations']}
    assert len(frames) > 0.5 * len(found['images'])
    names = {category['name'] for category in found['categories']}
    assert {'giant_panda', 'zebra'} <= names


def test_published_folder(frame_dir: Path) -> None:
    run_tool('video_demo.py', frame_dir, TINY_MODEL, '--out-csv', 'found.csv')
    assert Path('found.csv').is_file()
    for words, said in (
        (['config.py'], 'give a checkpoint of config.py'),
        (['nowhere'], 'no folder nowhere'),
        ([TINY_MODEL, '--cfg-options', 'a=1'], '--cfg-options are for a config'),
    ):
        with pytest.raises(USER_ERRORS, match=said):
            run_tool('video_demo.py', frame_dir, *words, '--out-csv', 'b.csv')
    with pytest.raises(ValueError, match='is the input'):
        shutil.copytree(TINY_MODEL, 'mine')
        run_tool(
            *('video_demo.py', frame_dir, 'mine'),
            *('--out-json', 'mine/config.json'),
        )


def test_folder_of_videos(
    config: Path, checkpoint: Path, video: Path, capsys: pytest.CaptureFixture
) -> None:
    """Each has outputs of its own; one that is broken does not stop the others."""
    Path('clips').mkdir()
    shutil.copy(video, 'clips/a.avi')
    shutil.copy(video, 'clips/b.avi')
    shutil.copy(video, 'clips/b.mkv')
    outputs = ('--out-csv', 'made/found.csv', '--out-frames', 'made/frames')
    run_demo('clips', config, checkpoint, *outputs, '--score-thr', 0)
    for name in ('a', 'b.avi', 'b.mkv'):
        rows = read_csv(f'made/found_{name}.csv')
        assert {row['frame_id'] for row in rows} == {str(i) for i in range(15)}
        assert len(list(Path('made/frames', name).iterdir())) == 15
    assert [row['video'] for row in read_csv('made/found_a.csv')][0] == 'a.avi'
    assert capsys.readouterr().out.count('15 frames') == 3
    Path('clips/0.mp4').write_text('no video')
    content = video.read_bytes()
    Path('clips/b.avi').write_bytes(content[: len(content) // 2])
    with pytest.raises(VideoError, match='2 videos failed: .*0.mp4 .*b.avi is trunc'):
        run_demo('clips', config, checkpoint, '--out-csv', 'made/again.csv')
    names = {path.name for path in Path('made').glob('again*')}
    assert names == {'again_a.csv', 'again_b.avi.csv', 'again_b.mkv.csv'}


def test_standard_input(config: Path, checkpoint: Path, video: Path) -> None:
    """A video that comes through a pipe; it has no end until it is closed."""
    read, write = os.pipe()
    if os.fork() == 0:  # feeds the pipe
        os.close(read)
        with os.fdopen(write, 'wb') as file:
            file.write(video.read_bytes())
        os._exit(0)
    os.close(write)
    standard_input = os.dup(0)
    os.dup2(read, 0)
    try:
        run_demo('-', config, checkpoint, '--out-json', 'made/found.json')
    finally:
        os.dup2(standard_input, 0)
        os.close(standard_input)
        os.close(read)
        os.wait()
    assert len(json.loads(Path('made/found.json').read_text())['images']) == 15


def test_window(
    config: Path,
    checkpoint: Path,
    frame_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr(cv2, 'getBuildInformation', lambda: '  GUI:    NONE\n')
    with pytest.raises(ValueError, match='opencv-python in the place of'):
        run_demo(frame_dir, 'no.py', 'no.pth', '--show')  # before anything else
    monkeypatch.setattr(cv2, 'getBuildInformation', lambda: '  GUI:    QT5\n')
    monkeypatch.setattr(sys, 'platform', 'linux')
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match='there is no display'):
        run_demo(frame_dir, 'no.py', 'no.pth', '--show')
    monkeypatch.setenv('DISPLAY', ':0')
    shown: list[np.ndarray] = []
    closed: list[str] = []
    monkeypatch.setattr(cv2, 'namedWindow', lambda *args: None)
    monkeypatch.setattr(cv2, 'imshow', lambda title, image: shown.append(image))
    monkeypatch.setattr(cv2, 'destroyWindow', closed.append)
    monkeypatch.setattr(cv2, 'waitKey', lambda wait: -1)
    run_demo(frame_dir, config, checkpoint, '--show')
    assert len(shown) == 5 and len(closed) == 1
    monkeypatch.setattr(cv2, 'waitKey', lambda wait: ord('q'))
    with pytest.raises(KeyboardInterrupt):
        run_demo(frame_dir, config, checkpoint, '--show', '--out-csv', 'found.csv')
    assert len(shown) == 6 and len(closed) == 2
    assert Path('found.csv').exists()
    assert ': 1 frames' in capsys.readouterr().out


def test_freed_memory_is_kept(
    config: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices: list[str] = []
    monkeypatch.setattr(command, 'keep_freed_memory', devices.append)
    names = ['video.mp4', str(config), str(checkpoint)]
    command.open_detector(command.main.parse([*names, '--device', 'cpu']))
    assert devices == ['cpu']
