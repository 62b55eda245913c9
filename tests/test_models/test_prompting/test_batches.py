"""Testing with several frames in a batch, through the stock runner's data loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mmcv
import pytest
from mmengine.config import Config
from mmtrack.structures import TrackDataSample

from stpn_plugin.datasets import collate_frames
from tests.support.tiny_data import write_tiny_vid
from tests.support.video_models import (
    MODEL_OF,
    assert_same,
    make_config,
    make_online,
    save_weights,
    test_on_dataset,
)


@pytest.fixture(scope='module')
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos of 3, 4 and 5 frames; the second is narrower."""
    root = write_tiny_vid(
        tmp_path_factory.mktemp('tiny_vid'), num_val_videos=3, num_frames=3
    )
    narrow = 'val/ILSVRC2015_val_00000001'
    for path in (root / 'Data/VID' / narrow).iterdir():
        mmcv.imwrite(mmcv.imread(str(path))[:, :64], str(path))
    ann_file = root / 'annotations/imagenet_vid_val.json'
    content = json.loads(ann_file.read_text())
    for image in content['images']:
        if image['file_name'].startswith(narrow):
            image['width'] = 64
    ann_file.write_text(json.dumps(content))
    return root


def run(cfg: Config, checkpoint: str, batch_size: int) -> list[TrackDataSample]:
    cfg.test_dataloader.update(
        batch_size=batch_size, collate_fn=dict(type='collate_frames')
    )
    return test_on_dataset(cfg, checkpoint)


@pytest.mark.slow
@pytest.mark.parametrize(
    'name',
    ['single frame', 'attention', 'deep', 'learned', 'selsa', 'online', 'window'],
)
def test_batches_of_frames(name: str, data_root: Path, tmp_path: Path) -> None:
    cfg = make_config(data_root, **MODEL_OF.get(name, {}))
    if name == 'online':
        make_online(cfg)
    if name == 'window':
        cfg.test_dataloader.dataset.ref_img_sampler.update(
            stride=2, method='test_with_fix_stride'
        )
    checkpoint = save_weights(cfg, tmp_path / 'weights.pth')
    alone = run(cfg, checkpoint, 1)
    assert [result.frame_id for result in alone] == [0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 3, 4]
    for batch_size in (2, 5, 12):  # with borders of videos inside
        assert_same(run(cfg, checkpoint, batch_size), alone, rtol=1e-5, atol=1e-3)


def test_collating_keeps_what_only_some_frames_bring() -> None:
    def frame(**inputs: Any) -> dict[str, Any]:
        return dict(inputs=inputs, data_samples=inputs['img'])

    batch = collate_frames([frame(img=1), frame(img=2, ref_img=3)])
    assert batch == dict(
        inputs=dict(img=[1, 2], ref_img=[None, 3]), data_samples=[1, 2]
    )
    assert collate_frames([frame(img=1)]) == dict(
        inputs=dict(img=[1]), data_samples=[1]
    )
