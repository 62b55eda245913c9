"""mmtracking's other video detectors, through the same tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import last_metrics, run_tool
from tests.support.tiny_configs import STOCK_CONFIGS, stock_config
from tests.support.tiny_data import write_tiny_vid

pytestmark = pytest.mark.slow


@pytest.mark.parametrize('method', STOCK_CONFIGS)
def test_trains_one_iteration_and_tests_one_video(method: str, tmp_path: Path) -> None:
    root = write_tiny_vid(
        tmp_path, num_train_videos=1, num_val_videos=1, num_frames=2, num_stills=1
    )
    cfg = stock_config(method, root)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=1)
    cfg.default_hooks.checkpoint.update(by_epoch=False, save_optimizer=False)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.param_scheduler = None
    cfg.dump(str(tmp_path / 'config.py'))
    args = (tmp_path / 'config.py', '--work-dir', tmp_path)
    run_tool('train.py', *args)
    run_tool('test.py', *args, tmp_path / 'iter_1.pth')
    assert 'coco/bbox_mAP' in last_metrics(tmp_path)
