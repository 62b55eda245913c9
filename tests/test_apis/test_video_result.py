"""What the API gives for a frame."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mmcv
import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from mmtrack.evaluation import CocoVideoMetric
from mmtrack.structures import TrackDataSample

from stpn_plugin.apis import VideoDetector, VideoResult, select_detections
from stpn_plugin.utils import MissingPackageError
from tests.support.video_models import make_config, save_weights

CLASSES = ('dog', '<cat>', 'bird')
IMAGE = np.full((64, 96, 3), 200, np.uint8)


@pytest.fixture(scope='module')
def detector(data_root: Path) -> VideoDetector:
    cfg = make_config(data_root)
    checkpoint = save_weights(cfg, data_root / 'result.pth')
    return VideoDetector(cfg, checkpoint, 'cpu')


def result(**fields: Any) -> VideoResult:
    instances = InstanceData(
        bboxes=torch.tensor([[10.0, 20, 40, 50], [60, 5, 90, 60.5]]),
        labels=torch.tensor([1, 0]),
        scores=torch.tensor([0.75, 0.25]),
        **fields,
    )
    sample = TrackDataSample(metainfo=dict(frame_id=7, img_id=1))
    sample.pred_det_instances = sample.pred_track_instances = instances
    return VideoResult.of(sample, CLASSES)


def test_names_and_plain_data() -> None:
    found = result()
    assert found.names == ['<cat>', 'dog']
    assert 'pred_track_instances' not in found  # the model does not track
    plain = json.loads(found.to_json())
    assert plain == dict(frame_id=7, objects=found.to_dict()['objects'])
    assert plain['objects'][1] == dict(
        name='dog', label=0, score=0.25, box=[60, 5, 90, 60.5]
    )
    tracked = result(instances_id=torch.tensor([4, 9]))
    assert [item['track_id'] for item in tracked.objects] == [4, 9]
    assert select_detections(tracked, 0.5).names == ['<cat>']


def test_evaluators_take_it(detector: VideoDetector, data_root: Path) -> None:
    ann_file = data_root / 'annotations/imagenet_vid_val.json'
    images = json.loads(ann_file.read_text())['images']
    folder = data_root / 'Data/VID/val/ILSVRC2015_val_00000000'
    results = list(detector.detect_video(folder))
    for item, image in zip(results, images):
        item.set_metainfo(dict(img_id=image['id']))
    evaluator = Evaluator(
        CocoVideoMetric(ann_file=str(ann_file), metric='bbox', format_only=False)
    )
    evaluator.dataset_meta = dict(CLASSES=detector.classes)
    evaluator.process(results)
    assert 'coco/bbox_mAP' in evaluator.evaluate(len(results))


def test_a_single_image(detector: VideoDetector, video_dir: Path) -> None:
    path = sorted(video_dir.iterdir())[0]
    by_path, by_image = detector(str(path)), detector(mmcv.imread(str(path)))
    assert by_path.objects == by_image.objects != []
    (alone,) = detector.detect_video([str(path)])
    assert alone.objects == by_path.objects
    picture = by_image.plot(score_thr=0)
    assert picture.shape == by_image.image.shape
    assert not np.array_equal(picture, by_image.image)
    # Of files, the image need not be kept.
    assert np.array_equal(alone.plot(score_thr=0), picture)
    for image, found in detector.detect_video([str(path)], with_frames=True):
        assert found.image is image


def test_no_image_to_draw_into() -> None:
    with pytest.raises(ValueError, match='no image.*with_frames=True'):
        result().plot()
    drawn = result().plot(IMAGE)
    assert not np.array_equal(drawn[20:50, 10:40], IMAGE[20:50, 10:40])
    assert np.array_equal(drawn[55:, 60:], IMAGE[55:, 60:])  # 0.25 is too low


def test_notebooks_show_picture_and_table() -> None:
    page = result().with_image(IMAGE)._repr_html_()
    assert 'src="data:image/jpeg;base64,' in page
    assert '<td>&lt;cat&gt;</td><td>75.0 %</td><td>10, 20, 40, 50</td>' in page
    assert 'dog' not in page and '1 objects' in page
    assert '<img' not in result()._repr_html_()


def test_supervision(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = torch.zeros(2, 64, 96, dtype=torch.bool)
    found = result(instances_id=torch.tensor([4, 9]), masks=masks)
    monkeypatch.setitem(sys.modules, 'supervision', None)  # as if not installed
    with pytest.raises(MissingPackageError, match=r'pip install.*\[supervision\]'):
        found.to_supervision()
    # With the arguments of its Detections; it is no package of the tests.
    stand_in = SimpleNamespace(Detections=SimpleNamespace)
    monkeypatch.setitem(sys.modules, 'supervision', stand_in)
    detections = found.to_supervision()
    assert detections.xyxy.shape == (2, 4) and detections.mask.dtype == bool
    assert detections.confidence.tolist() == [0.75, 0.25]
    assert detections.class_id.tolist() == [1, 0]
    assert detections.tracker_id.tolist() == [4, 9]
    assert detections.data['class_name'].tolist() == ['<cat>', 'dog']
    assert result().to_supervision().tracker_id is None
