"""Results in the formats of other tools, read back by the readers of those formats."""

from __future__ import annotations

import csv
import json
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from mmtrack.registry import METRICS
from mmtrack.structures import TrackDataSample
from pycocotools import mask as coco_mask

from stpn_command import main as stpn
from stpn_plugin.apis import CocoWriter
from stpn_plugin.datasets.converters import Source
from stpn_plugin.datasets.converters.readers import (
    read_coco,
    read_cvat,
    read_mot,
    read_youtube_vis,
)
from stpn_plugin.evaluation.exports import (
    load_found,
    to_fiftyone,
    to_pandas,
    to_supervision,
)
from stpn_plugin.utils import MissingPackageError
from tests.support.vid_data import CLASSES, make_predictions, write_cocovid

WIDTH, HEIGHT = 64, 48
NAMES = ('car', 'bus')
# Frame, class, track, box and score. The car is not found in frame 2.
FOUND = [
    (0, 'car', 4, [2, 4, 10, 10], 0.75),
    (1, 'car', 4, [4, 6, 12, 10], 0.5),
    (1, 'bus', 7, [10, 10, 20, 10], 0.9),
    (3, 'car', 4, [6, 8, 14, 10], 0.8),
    (4, 'bus', 8, [1, 1, 5, 5], 0.1),  # not sure enough
]


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What ``stpn demo --out-json`` writes, of a tracker; and the frames."""
    monkeypatch.chdir(tmp_path)
    Path('images/street').mkdir(parents=True)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    with CocoWriter('found.json', NAMES, 'street.mp4') as writer:
        for frame in range(5):
            path = f'images/street/{frame:06d}.jpg'
            assert cv2.imwrite(path, image)
            rows = [row[1:] for row in FOUND if row[0] == frame]
            boxes = torch.tensor([b for _, _, b, _ in rows]).float().reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]
            sample = TrackDataSample(metainfo=dict(frame_id=frame, img_path=path))
            sample.pred_track_instances = InstanceData(
                bboxes=boxes,
                labels=torch.tensor([NAMES.index(row[0]) for row in rows]).long(),
                scores=torch.tensor([row[3] for row in rows]),
                instances_id=torch.tensor([row[1] for row in rows]).long(),
            )
            writer.write(image, sample)
    return 'found.json'


def export(*words: object, status: int = 0) -> None:
    assert stpn(['export-results', *map(str, words)]) == status


def objects(source: Source, with_tracks: bool = True) -> list[tuple]:
    """Frame, class and box, and tracks numbered as they come."""
    (clip,) = source.clips
    numbers: dict = {}
    return [
        (
            frame,
            item.category,
            numbers.setdefault(item.track, len(numbers)) if with_tracks else None,
            [round(value, 2) for value in item.bbox],
        )
        for frame, image in enumerate(clip.images)
        for item in image.objects
    ]


EXPECTED = [
    (frame, name, {4: 0, 7: 1}[track], box)
    for frame, name, track, box, score in FOUND
    if score > 0.3
]


def test_cvat(found: str, capsys: pytest.CaptureFixture) -> None:
    export(found, '--to', 'cvat-video', '-o', 'out/street.xml')
    assert '1 videos, 5 frames, 4 objects' in capsys.readouterr().out
    source = read_cvat('out/street.xml', 'images')
    assert objects(source) == EXPECTED and source.categories == list(NAMES)
    root = ET.parse('out/street.xml').getroot()
    car = root.findall('track')[0]
    assert [(b.get('frame'), b.get('outside')) for b in car.iterfind('box')] == [
        *(('0', '0'), ('1', '0'), ('2', '1'), ('3', '0'), ('4', '1'))
    ]
    assert car.findtext('box/attribute[@name="score"]') == '0.7500'
    # Into a folder, by the name of the video.
    export(found, '--to', 'cvat-video', '-o', 'folder')
    assert objects(read_cvat('folder/street.mp4.xml', 'images/street')) == EXPECTED


def test_youtube_vis_and_coco(found: str) -> None:
    export(found, '--to', 'youtube-vis', '-o', 'vis.json')
    assert objects(read_youtube_vis('vis.json')) == EXPECTED
    tracks = json.loads(Path('vis.json').read_text())['annotations']
    assert [len(track['bboxes']) for track in tracks] == [5, 5]
    assert tracks[0]['bboxes'][2] is None
    assert tracks[0]['score'] == pytest.approx((0.75 + 0.5 + 0.8) / 3)
    export(found, '--to', 'coco', '-o', 'coco.json', '--score-thr', 0)
    clips, categories = read_coco('coco.json')
    assert [clip.name for clip in clips] == [f'{i:06d}.jpg' for i in range(5)]
    assert categories == list(NAMES)
    assert [len(clip.images[0].objects) for clip in clips] == [1, 2, 0, 1, 1]
    scores = [
        a['score'] for a in json.loads(Path('coco.json').read_text())['annotations']
    ]
    assert scores == pytest.approx([row[4] for row in FOUND])


def test_mot(found: str) -> None:
    export(found, '--to', 'mot', '-o', 'mot')
    shutil.copytree('images/street', 'sequence/img1')
    Path('sequence/gt').mkdir()
    shutil.copy('mot/street.mp4.txt', 'sequence/gt/gt.txt')
    read = objects(read_mot('sequence'))
    assert read == [(f, 'pedestrian', t, b) for f, _, t, b in EXPECTED]
    rows = Path('mot/street.mp4.txt').read_text().splitlines()
    assert rows[0] == '1,4,2.00,4.00,10.00,10.00,0.7500,-1,-1,-1'


def test_tables_and_submission(found: str) -> None:
    export(found, '--to', 'csv', '-o', 'table.csv')
    with open('table.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['class'] for row in rows] == [row[1] for row in EXPECTED]
    assert rows[0]['video'] == 'street.mp4' and rows[3]['frame_id'] == '3'
    assert [float(rows[1][k]) for k in ('x1', 'y1', 'x2', 'y2')] == [4, 6, 16, 16]
    export(found, '--to', 'ilsvrc', '-o', 'submission.txt')
    lines = Path('submission.txt').read_text().splitlines()
    assert len(lines) == len(FOUND)  # all scores, by default
    assert lines[2] == '2 2 0.900000 10.00 10.00 30.00 20.00'


@pytest.mark.parametrize('suffix', ['npz', 'pkl'])
def test_saved_test_run(tmp_path: Path, suffix: str) -> None:
    """Names are those of the config; frames as ``--format-only`` numbers them."""
    ann_file, results = tmp_path / 'vid.json', tmp_path / f'results.{suffix}'
    predictions = make_predictions(write_cocovid(ann_file))
    dump = METRICS.build(dict(type='DumpVideoResults', out_file_path=str(results)))
    dump.process({}, predictions)
    dump.evaluate(len(predictions))
    dataset = dict(
        type='ImagenetVIDDataset',
        data_root=str(tmp_path),
        ann_file='vid.json',
        metainfo=dict(CLASSES=CLASSES),
        test_mode=True,
        pipeline=[],
    )
    metric = dict(type='VIDMotionMetric', ann_file=str(ann_file))
    cfg = Config(
        dict(
            default_scope='mmtrack',
            test_dataloader=dict(dataset=dataset),
            test_evaluator=metric,
        )
    )
    cfg.dump(str(tmp_path / 'config.py'))
    words = [results, tmp_path / 'config.py', '-o']
    export(*words, tmp_path / 'a.txt', '--to', 'ilsvrc')
    prefix = tmp_path / 'eval'
    options = ['format_only=True', f'outfile_prefix={prefix}']
    arguments = ['eval', tmp_path / 'config.py', results, '--eval-options', *options]
    assert stpn([str(word) for word in arguments]) == 0
    (expected,) = tmp_path.glob('eval*.txt')
    # Its class ids are those of the annotation file.
    ids = {1: 30, 2: 10, 3: 20}
    lines = [line.split() for line in (tmp_path / 'a.txt').read_text().splitlines()]
    assert [[a, str(ids[int(b)]), *rest] for a, b, *rest in lines] == [
        line.split() for line in expected.read_text().splitlines()
    ]
    export(*words, tmp_path / 'cvat', '--to', 'cvat-video', '--score-thr', 0.5)
    assert sorted(path.name for path in (tmp_path / 'cvat').iterdir()) == [
        *('val_1.xml', 'val_2.xml', 'val_3.xml')
    ]
    clips, classes = load_found(str(results), cfg, 0.5)
    assert classes == list(CLASSES)
    assert [clip.name for clip in clips] == ['val/1', 'val/2', 'val/3']
    items = [item for clip in clips for image in clip.images for item in image.objects]
    assert (
        0
        < len(items)
        < sum(len(p['pred_det_instances']['labels']) for p in predictions)
    )
    assert all(item.score >= 0.5 for item in items)


def mask_run(tmp_path: Path) -> tuple[str, Config, np.ndarray]:
    """A results file with masks and tracks of one video, and its config."""
    content = write_cocovid(tmp_path / 'vid.json', num_videos=1, num_frames=2)
    masks = np.zeros((1, 240, 320), bool)
    masks[0, 20:40, 30:50] = True
    masks[0, 25:30, 35:40] = False
    group = dict(
        bboxes=torch.tensor([[30.0, 20, 50, 40]]),
        labels=torch.tensor([1]),
        scores=torch.tensor([0.9]),
        instances_id=torch.tensor([3]),
        masks=torch.from_numpy(masks),
    )
    predictions = [
        dict(img_id=image['id'], pred_track_instances=dict(group))
        for image in content['images']
    ]
    path = str(tmp_path / 'masks.npz')
    from stpn_plugin.evaluation.prediction_files import write_predictions

    with open(path, 'wb') as file:
        write_predictions(file, predictions)
    dataset = dict(
        type='BaseVideoDataset',
        ann_file=str(tmp_path / 'vid.json'),
        metainfo=dict(CLASSES=CLASSES),
        test_mode=True,
        pipeline=[],
    )
    cfg = Config(dict(default_scope='mmtrack', test_dataloader=dict(dataset=dataset)))
    cfg.dump(str(tmp_path / 'masks.py'))
    return path, cfg, masks[0]


def test_masks(tmp_path: Path) -> None:
    results, _, mask = mask_run(tmp_path)
    words = [results, tmp_path / 'masks.py']
    export(*words, '--to', 'youtube-vis', '-o', tmp_path / 'vis.json')
    (clip,) = read_youtube_vis(str(tmp_path / 'vis.json')).clips
    for image in clip.images:
        (item,) = image.objects
        assert np.array_equal(coco_mask.decode(item.segmentation), mask)
    frames = tmp_path / 'images/1'
    frames.mkdir(parents=True)
    for frame in range(2):
        cv2.imwrite(str(frames / f'{frame}.png'), np.zeros((240, 320, 3), np.uint8))
    export(*words, '--to', 'cvat-video', '-o', tmp_path / '1.xml')
    (clip,) = read_cvat(str(tmp_path / '1.xml'), str(tmp_path / 'images')).clips
    for image in clip.images:
        (item,) = image.objects
        assert item.category == 'antelope' and item.bbox == (30, 20, 20, 20)
        assert np.array_equal(coco_mask.decode(item.segmentation), mask)


def test_libraries(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (clip,), classes = load_found(found, score_thr=0.3)
    with monkeypatch.context() as patch:
        for name in ('pandas', 'supervision', 'fiftyone'):
            patch.setitem(sys.modules, name, None)  # as if not installed
        for use in (
            lambda: to_pandas([clip]),
            lambda: to_supervision(clip.images[0], classes),
            lambda: to_fiftyone([clip], 'images', 'a'),
        ):
            with pytest.raises(MissingPackageError, match='pip install'):
                use()
    frame = pytest.importorskip('pandas') and to_pandas([clip])
    assert frame['class'].tolist() == [row[1] for row in EXPECTED]
    assert to_pandas([]).columns.tolist() == frame.columns.tolist()
    # Of their arguments alone; they are no packages of the tests.
    stand_in: Any = SimpleNamespace(Detections=SimpleNamespace)
    monkeypatch.setitem(sys.modules, 'supervision', stand_in)
    detections = to_supervision(clip.images[1], classes)
    assert detections.xyxy.tolist() == [[4, 6, 16, 16], [10, 10, 30, 20]]
    assert detections.tracker_id.tolist() == [4, 7]
    assert detections.data['class_name'].tolist() == ['car', 'bus']
    assert to_supervision(clip.images[2], classes).xyxy.shape == (0, 4)


class Sample(SimpleNamespace):
    """Of FiftyOne."""

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, key, value)


def test_fiftyone(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}

    def new(name: str, persistent: bool) -> Any:
        return SimpleNamespace(add_samples=lambda samples: made.update({name: samples}))

    stand_in: Any = SimpleNamespace(
        Sample=Sample,
        Detections=SimpleNamespace,
        Detection=SimpleNamespace,
        Dataset=new,
        dataset_exists=lambda name: name in made,
    )
    monkeypatch.setitem(sys.modules, 'fiftyone', stand_in)
    words = [found, '--to', 'fiftyone', '-o', 'mine', '--images', 'images/street']
    export(*words)
    samples = made['mine']
    assert [sample.frame_id for sample in samples] == [0, 1, 2, 3, 4]
    assert Path(samples[1].filepath) == Path('images/street/000001.jpg').resolve()
    car, bus = samples[1].found.detections
    assert car.label == 'car' and car.index == 4 and bus.confidence > 0.89
    assert car.bounding_box == [4 / WIDTH, 6 / HEIGHT, 12 / WIDTH, 10 / HEIGHT]
    export(*words, status=2)


def test_what_cannot_be_exported(
    found: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    content = json.loads(Path(found).read_text())
    without = [dict(a) for a in content['annotations']]
    for annotation in without:
        annotation.pop('instance_id')
    Path('no_tracks.json').write_text(json.dumps(dict(content, annotations=without)))
    without[0]['category_id'] = 9
    Path('no_class.json').write_text(json.dumps(dict(content, annotations=without)))
    Path('list.json').write_text('[1]')
    results, _, _ = mask_run(tmp_path)
    for words, said in (
        (['no_tracks.json', '--to', 'mot', '-o', 'o'], 'no track ids'),
        (['no_class.json', '--to', 'csv', '-o', 'o'], 'no_class.json: annotations[0]'),
        (['list.json', '--to', 'csv', '-o', 'o'], 'list.json: the file is no object'),
        (['none.json', '--to', 'csv', '-o', 'o'], 'none.json'),
        ([results, '--to', 'csv', '-o', 'o'], 'give the config'),
        ([found, '--to', 'coco', '-o', found], 'is the input'),
    ):
        export(*words, status=2)
        error = capsys.readouterr().err
        assert said in error and len(error.splitlines()) == 1
    assert not Path('o').exists()
