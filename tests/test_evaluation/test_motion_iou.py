from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from stpn_plugin.evaluation import load_motion_iou_mat, motion_iou
from tests.support.golden import load_golden
from tests.support.plain_motion_ap import plain_motion_iou


def _video(seed: int, num_frames: int, num_instances: int, drop: float = 0.3):
    rng = np.random.default_rng(seed)
    frames, instances = np.meshgrid(np.arange(num_frames), np.arange(num_instances))
    kept = rng.permutation(np.flatnonzero(rng.random(frames.size) > drop))
    frames, instances = frames.ravel()[kept], instances.ravel()[kept]
    corners = rng.integers(0, 30, (len(kept), 2)) + 2 * frames[:, None]
    sides = rng.integers(10, 40, (len(kept), 2))
    return np.hstack([corners, corners + sides]), frames, instances


@pytest.mark.parametrize('window', [1, 3, 10])
@pytest.mark.parametrize('seed', range(4))
def test_equals_reference(seed: int, window: int) -> None:
    bboxes, frames, instances = _video(seed, num_frames=40, num_instances=3)
    actual = motion_iou(bboxes, frames + 5, instances + 100, window)
    np.testing.assert_allclose(
        actual, plain_motion_iou(bboxes, frames, instances, window), atol=1e-12
    )


def test_equals_published() -> None:
    inputs = load_golden('vid_eval_mat').inputs
    data = {key: value.numpy() for key, value in inputs.items()}
    for video in np.unique(data['gt_video']):
        boxes = data['gt_video'] == video
        actual = motion_iou(
            data['gt_boxes'][boxes], data['gt_frame'][boxes], data['gt_instance'][boxes]
        )
        np.testing.assert_allclose(actual, data['gt_motion_iou'][boxes], atol=1e-6)


def test_still_object_is_1_and_lone_box_is_0() -> None:
    box = [10.0, 20.0, 30.0, 60.0]
    # Instance 1 stands still; 2 is in one frame; 3 comes back after 11 frames.
    actual = motion_iou(
        np.array([box] * 5), np.array([0, 10, 4, 0, 11]), np.array([1, 1, 2, 3, 3])
    )
    assert actual.tolist() == [1, 1, 0, 0, 0]


def test_own_frame_is_left_out() -> None:
    # The same instance twice in frame 0, which only wrong annotations have.
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 5]])
    actual = motion_iou(boxes, np.array([0, 0, 1]), np.array([7, 7, 7]))
    assert actual.tolist() == [0.5, 0.5, 0.5]


def test_empty_video() -> None:
    assert motion_iou(np.zeros((0, 4)), np.zeros(0), np.zeros(0)).shape == (0,)


def test_degenerate_boxes() -> None:
    boxes = np.array([[5, 5, 5, 5], [5, 5, 5, 5]])
    assert motion_iou(boxes, np.array([0, 1]), np.array([1, 1])).tolist() == [0, 0]


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match='differ in length: 2, 2, 1'):
        motion_iou(np.zeros((2, 4)), np.zeros(2), np.zeros(1))


def test_mat_file(tmp_path: Path) -> None:
    """Cells per image, in each a column of numbers or of cells, some empty."""
    column = np.empty((2, 1), object)
    column[0, 0], column[1, 0] = np.array([[0.25]]), np.zeros((0, 0))
    empty = np.empty((1, 1), object)
    empty[0, 0] = np.zeros((0, 0))
    table = np.empty((4, 1), object)
    table[:, 0] = [column, np.array([[0.5], [0.75], [1.0]]), empty, np.zeros((0, 0))]
    path = tmp_path / 'vid_groundtruth_motion_iou.mat'
    savemat(path, dict(motion_iou=table))
    actual = [ious.tolist() for ious in load_motion_iou_mat(path)]
    assert actual == [[0.25, 0], [0.5, 0.75, 1], [0], []]


def test_wrong_mat_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='nothing.mat'):
        load_motion_iou_mat(tmp_path / 'nothing.mat')
    path = tmp_path / 'other.mat'
    savemat(path, dict(other=np.zeros(3)))
    with pytest.raises(ValueError, match="variable 'motion_iou'"):
        load_motion_iou_mat(path)
    path.write_text('no MATLAB file, but long enough to look for a header' * 9)
    with pytest.raises(ValueError, match='other.mat'):
        load_motion_iou_mat(path)
