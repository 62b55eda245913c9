"""Track ids of whole videos and streams, and the files that hold them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import mmcv
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmtrack.structures import TrackDataSample

from stpn_plugin.apis import (
    CocoWriter,
    CsvWriter,
    DetectionDrawer,
    MotWriter,
    VideoDetector,
    found_objects,
    select_detections,
)
from tests.support import tiny_models
from tests.support.video_models import (
    make_config,
    make_online,
    save_weights,
    test_on_dataset,
)


def tracking_config(data_root: Path) -> Config:
    cfg = make_config(data_root, type='STPNByteTrack', **tiny_models.BYTE)
    cfg.model.tracker.update(obj_score_thrs=dict(high=0.03, low=0.01))
    cfg.model.tracker.update(init_track_thr=0.02)
    return cfg


@pytest.fixture(scope='module')
def weights(data_root: Path) -> str:
    return str(save_weights(tracking_config(data_root), data_root / 'tracker.pth'))


@pytest.fixture(scope='module')
def detector(data_root: Path, weights: str) -> VideoDetector:
    return VideoDetector(tracking_config(data_root), weights, 'cpu')


@pytest.fixture(scope='module')
def frames(video_dir: Path) -> list[np.ndarray]:
    return [mmcv.imread(str(path)) for path in sorted(video_dir.iterdir())]


def assert_same_tracks(
    results: list[TrackDataSample], expected: list[TrackDataSample]
) -> None:
    assert len(results) == len(expected) > 0
    assert len(found_objects(expected[-1])) > 0
    for result, wanted in zip(results, expected):
        found, sought = found_objects(result), found_objects(wanted)
        assert torch.equal(found.instances_id, sought.instances_id)
        torch.testing.assert_close(found.bboxes, sought.bboxes)


@pytest.mark.slow
def test_whole_video_as_in_a_test_run(
    data_root: Path, detector: VideoDetector, weights: str, video_dir: Path
) -> None:
    expected = test_on_dataset(tracking_config(data_root), weights)
    expected = [result for result in expected if result.video_id == 1]
    assert_same_tracks(list(detector.detect_video(video_dir)), expected)
    assert_same_tracks(list(detector.detect_video(video_dir, batch_size=4)), expected)


def test_streams_have_trackers_of_their_own(
    data_root: Path, weights: str, frames: list[np.ndarray]
) -> None:
    cfg = make_online(tracking_config(data_root))
    detector = VideoDetector(cfg, weights, 'cpu')
    videos = [frames, frames[::-1]]
    alone = [list(detector.stream().run(video)) for video in videos]
    streams = [detector.stream() for _ in videos]
    together: list[list[TrackDataSample]] = [[], []]
    for images in zip(*videos):
        for results, result in zip(together, detector.push(streams, images)):
            results.append(result)
    for results, expected in zip(together, alone):
        assert_same_tracks(results, expected)


def test_files_of_tracks(
    detector: VideoDetector, frames: list[np.ndarray], tmp_path: Path
) -> None:
    results = list(detector.detect_video(frames))
    threshold = float(found_objects(results[0]).scores.median())
    results = [select_detections(result, threshold) for result in results]
    writers = [
        MotWriter(str(tmp_path / 'tracks.txt')),
        CsvWriter(str(tmp_path / 'tracks.csv'), detector.classes),
        CocoWriter(str(tmp_path / 'tracks.json'), detector.classes, 'video'),
    ]
    for writer in writers:
        with writer:
            for image, result in zip(frames, results):
                writer.write(image, result)
    expected = [
        (result.frame_id, int(track_id))
        for result in results
        for track_id in found_objects(result).instances_id
    ]
    assert expected
    lines = [
        line.split(',') for line in (tmp_path / 'tracks.txt').read_text().splitlines()
    ]
    assert [(int(line[0]) - 1, int(line[1])) for line in lines] == expected
    assert {len(line) for line in lines} == {10}
    x1, y1, x2, y2 = found_objects(results[0]).bboxes[0].tolist()
    assert [float(value) for value in lines[0][2:6]] == pytest.approx(
        [x1, y1, x2 - x1, y2 - y1], abs=0.02
    )
    with open(tmp_path / 'tracks.csv', newline='') as file:
        table = list(csv.DictReader(file))
    assert [(int(r['frame_id']), int(r['track_id'])) for r in table] == expected
    annotations = json.loads((tmp_path / 'tracks.json').read_text())['annotations']
    assert [(a['image_id'] - 1, a['instance_id']) for a in annotations] == expected


def test_mot_files_need_tracks(
    data_root: Path, frames: list[np.ndarray], tmp_path: Path
) -> None:
    cfg = make_config(data_root)
    detector = VideoDetector(cfg, device='cpu')
    (result,) = detector.detect_video(frames[:1])
    with pytest.raises(ValueError, match='no track ids.*configs/mot'):
        with MotWriter(str(tmp_path / 'tracks.txt')) as writer:
            writer.write(frames[0], result)
    assert not (tmp_path / 'tracks.txt').exists()


def test_a_track_has_one_colour(
    detector: VideoDetector, frames: list[np.ndarray]
) -> None:
    """Whatever else is in the frame; and drawing leaves numpy's random state."""
    drawer = DetectionDrawer(detector.classes)
    result = list(detector.detect_video(frames))[-1]
    tracks = found_objects(result)
    pictures = []
    np.random.seed(1)
    expected = np.random.RandomState(1).rand()
    for picks in ([0], [0, 1]):
        chosen = result.clone()
        chosen.pred_track_instances = tracks[picks]
        chosen.pred_track_instances.bboxes[0] = torch.tensor([2.0, 2.0, 30.0, 60.0])
        if len(picks) > 1:
            chosen.pred_track_instances.bboxes[1] = torch.tensor([60.0, 5, 90, 60])
        pictures.append(drawer.draw(frames[0], chosen))
    assert np.random.rand() == expected
    left = [picture[:, :31] for picture in pictures]
    assert np.array_equal(*left)
    assert not np.array_equal(left[0], frames[0][:, :31])
