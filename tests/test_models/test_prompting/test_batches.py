"""Testing with several frames in a batch, through the stock runner's data loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Sequence

import mmcv
import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmtrack.structures import TrackDataSample

from stpn_plugin.datasets import collate_frames
from stpn_plugin.engine import build_runner
from tests.support.tiny_data import write_tiny_vid
from tests.support.video_models import (
    MODEL_OF,
    assert_same,
    make_config,
    make_online,
    save_weights,
    test_on_dataset,
)

# Boxes in pixels, of up to 96: 1.2e-4 beyond rtol were measured. Scores of up to 1:
# 2.6e-7 were measured.
CLOSE: dict[str, Any] = dict(rtol=1e-5, atol=3e-4, scores=dict(rtol=0.0, atol=1e-5))


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
        assert_same(run(cfg, checkpoint, batch_size), alone, **CLOSE)


class KeepResults(Hook):
    """Keeps what the runner's loop gives."""

    def __init__(self) -> None:
        self.results: list[TrackDataSample] = []

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[TrackDataSample] | None = None,
    ) -> None:
        self.results += outputs or []


@pytest.mark.slow
def test_batches_in_the_loop_of_a_runner(data_root: Path, tmp_path: Path) -> None:
    checkpoint = save_weights(make_config(data_root), tmp_path / 'weights.pth')
    kept, metrics = [], []
    for batch_size in (1, 5):
        cfg = make_config(data_root)
        assert cfg.test_dataloader.sampler.type == 'VideoSampler'
        cfg.test_dataloader.update(
            batch_size=batch_size, collate_fn=dict(type='collate_frames')
        )
        cfg.update(load_from=checkpoint, work_dir=str(tmp_path / str(batch_size)))
        runner = build_runner(cfg)
        keep = KeepResults()
        runner.register_hook(keep)
        metrics.append(runner.test())
        kept.append(keep.results)
    assert_same(kept[1], kept[0], **CLOSE)
    assert 'coco/bbox_mAP' in metrics[0]
    assert metrics[1] == pytest.approx(metrics[0], abs=1e-3)


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
