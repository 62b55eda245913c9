from __future__ import annotations

from pathlib import Path

import mmcv
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmtrack.structures import TrackDataSample
from mmtrack.visualization import DetLocalVisualizer

from stpn_plugin.engine.hooks import VideoVisualizationHook


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
    sample = TrackDataSample(metainfo=dict(img_path=str(path), frame_id=0))
    sample.pred_det_instances = InstanceData(
        bboxes=torch.tensor([[10.0, 20, 40, 50]]),
        labels=torch.tensor([0]),
        scores=torch.tensor([0.9]),
    )
    hook.after_test_iter(None, 0, {}, [sample])
    drawn = mmcv.imread(str(tmp_path / 'out/a video/000000.png'))
    assert (drawn != image).any()
