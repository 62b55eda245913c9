from __future__ import annotations

import numpy as np
import pytest

from stpn_plugin.evaluation import confusion_matrix
from tests.support.vid_data import random_set

BOX, SHIFTED, ELSEWHERE = [0, 0, 39, 39], [4, 0, 43, 39], [60, 60, 99, 99]


def frame(boxes: list, labels: list[int], scores: list[float] | None = None) -> dict:
    arrays = dict(bboxes=np.array(boxes, float).reshape(-1, 4), labels=np.array(labels))
    return arrays if scores is None else dict(arrays, scores=np.array(scores))


def test_counts() -> None:
    gts = [
        frame([BOX], [0]),
        frame([BOX, ELSEWHERE], [0, 1]),
        frame([], []),
        frame([BOX], [1]),
    ]
    dets = [
        frame([BOX, SHIFTED], [0, 1], [0.4, 0.9]),  # the surer one takes the object
        frame([BOX], [0], [0.9]),  # the other one is missed
        frame([BOX], [1], [0.9]),  # where nothing is
        frame([BOX], [1], [0.2]),  # below the threshold
    ]
    found = confusion_matrix(gts, dets, num_classes=2, score_thr=0.3)
    assert found.tolist() == [[1, 1, 0], [0, 0, 2], [1, 1, 0]]


@pytest.mark.parametrize('score_thr', [0.0, 0.5])
def test_every_object_and_detection_counts_once(score_thr: float) -> None:
    gts, dets = random_set(0)
    num_classes = 1 + max(int(labels.max(initial=0)) for labels in _labels(gts + dets))
    found = confusion_matrix(gts, dets, num_classes, score_thr=score_thr)
    objects = np.bincount(np.concatenate(_labels(gts)), minlength=num_classes)
    assert found[:-1].sum(axis=1).tolist() == objects.tolist()
    kept = np.concatenate([det['labels'][det['scores'] >= score_thr] for det in dets])
    by_label = np.bincount(kept, minlength=num_classes)
    assert found[:, :-1].sum(axis=0).tolist() == by_label.tolist()


def test_labels_that_are_none() -> None:
    with pytest.raises(ValueError, match='labels from 2 to 2, but there are 2 classes'):
        confusion_matrix([frame([BOX], [2])], [frame([], [], [])], num_classes=2)


def _labels(images: list[dict]) -> list[np.ndarray]:
    return [np.asarray(image['labels'], int) for image in images]
