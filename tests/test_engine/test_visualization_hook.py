from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import mmcv
import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset
from mmengine.structures import InstanceData
from mmtrack.datasets import BaseVideoDataset
from mmtrack.structures import TrackDataSample
from mmtrack.visualization import DetLocalVisualizer

from stpn_plugin.engine.hooks import VideoVisualizationHook


def result(img_path: str) -> TrackDataSample:
    sample = TrackDataSample(metainfo=dict(img_path=img_path, frame_id=0))
    sample.pred_det_instances = InstanceData(
        bboxes=torch.tensor([[10.0, 20, 40, 50]]),
        labels=torch.tensor([0]),
        scores=torch.tensor([0.9]),
    )
    return sample


@pytest.mark.parametrize('name', ['$5 \\frac{$', '_x', '<b>', '100 %'])
def test_class_names_are_drawn_as_they_are(name: str, tmp_path: Path) -> None:
    image = np.full((64, 96, 3), 200, np.uint8)
    path = tmp_path / 'a video/000000.png'
    mmcv.imwrite(image, str(path))
    visualizer = DetLocalVisualizer.get_instance(f'odd {name}')
    visualizer.dataset_meta = dict(CLASSES=(name,))
    hook = VideoVisualizationHook(
        draw=True, interval=1, test_out_dir=str(tmp_path / 'out')
    )
    hook.after_test_iter(None, 0, {}, [result(str(path))])
    drawn = mmcv.imread(str(tmp_path / 'out/a video/000000.png'))
    assert (drawn != image).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    'files, names',
    [
        (['val/A/1.jpg', 'val/B/1.jpg'], ['A/1.jpg', 'B/1.jpg']),
        (['A/img1/1.jpg', 'B/img1/1.jpg'], ['A/img1/1.jpg', 'B/img1/1.jpg']),
        (['A/1.jpg', 'x/A/1.jpg', 'B/2.jpg'],
         ['img/A/1.jpg', 'x/A/1.jpg', 'img/B/2.jpg']),
    ],
    ids=['usual', 'MOT', 'different depths'],
)  # fmt: skip
@pytest.mark.parametrize('joined', [False, True])
def test_videos_are_kept_apart(
    tmp_path: Path, files: list[str], names: list[str], joined: bool
) -> None:
    images = [
        dict(id=i, video_id=i, frame_id=0, file_name=name, height=64, width=96)
        for i, name in enumerate(files)
    ]
    for i, name in enumerate(files):
        pixels = np.full((64, 96, 3), 40 * i, np.uint8)
        mmcv.imwrite(pixels, str(tmp_path / 'img' / name))
    content = dict(
        images=images,
        videos=[dict(id=i) for i in range(len(files))],
        annotations=[],
        categories=[dict(id=1, name='dog')],
    )
    (tmp_path / 'ann.json').write_text(json.dumps(content))
    dataset = BaseVideoDataset(
        ann_file=str(tmp_path / 'ann.json'),
        data_prefix=dict(img_path=str(tmp_path / 'img')),
        metainfo=dict(CLASSES=('dog',)),
        test_mode=True,
    )
    if joined:
        dataset = ConcatDataset([dataset])
    visualizer = DetLocalVisualizer.get_instance(str(tmp_path))
    visualizer.dataset_meta = dict(CLASSES=('dog',))
    hook = VideoVisualizationHook(
        draw=True, interval=1, test_out_dir=str(tmp_path / 'out')
    )
    hook.before_test(SimpleNamespace(test_dataloader=SimpleNamespace(dataset=dataset)))
    for i in range(len(files)):
        sample = result(dataset.get_data_info(i)['img_path'])
        hook.after_test_iter(None, i, {}, [sample])
    drawn = [path for path in (tmp_path / 'out').rglob('*') if path.is_file()]
    assert {str(path.relative_to(tmp_path / 'out')) for path in drawn} == set(names)
    for i, name in enumerate(names):
        picture = mmcv.imread(str(tmp_path / 'out' / name))
        assert np.median(picture) == pytest.approx(40 * i, abs=4)
