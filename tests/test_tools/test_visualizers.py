"""mmtrack's hook and visualizers, and mmengine's backends, on our results."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from unittest.mock import MagicMock

import mmcv
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from stpn_plugin.visualization import load_curves
from tests.support.commands import ROOT, run_tool
from tests.support.tiny_data import HEIGHT, NUM_VAL_FRAMES, WIDTH


def config_of_readme(base: Path) -> Path:
    """The config of docs/train.md with several backends, on another base."""
    blocks = re.findall(
        '```python\n(.*?)```', (ROOT / 'docs/train.md').read_text(), re.S
    )
    (block,) = (block for block in blocks if 'vis_backends' in block)
    path = Path('backends.py')
    path.write_text(re.sub("_base_ = '.*'", f'_base_ = {str(base)!r}', block))
    return path.resolve()


def run_test(config: Path, checkpoint: Path, *options: str) -> Path:
    """Test with mmtrack's own hook; returns the work dir."""
    run_tool(
        *('test.py', config, checkpoint, '--work-dir', 'work', '--cfg-options'),
        'default_hooks.visualization.type=TrackVisualizationHook',
        'default_hooks.visualization.draw=True',
        'default_hooks.visualization.interval=2',
        'default_hooks.visualization.score_thr=0.03',
        *options,
    )
    return Path('work')


def assert_drawn(picture: np.ndarray) -> None:
    """Ground truth, of which a test run has none, at the left; results at the right."""
    assert picture.shape == (HEIGHT, 2 * WIDTH, 3)
    raw, drawn = picture[:, :WIDTH].astype(int), picture[:, WIDTH:]
    assert 0.005 < (np.abs(drawn - raw).max(-1) > 60).mean() < 0.6


@pytest.mark.parametrize('visualizer', ['DetLocalVisualizer', 'TrackLocalVisualizer'])
def test_local_backend(config: Path, checkpoint: Path, visualizer: str) -> None:
    work_dir = run_test(config, checkpoint, f'visualizer.type={visualizer}')
    pictures = sorted(work_dir.rglob('vis_data/vis_image/test_img_*.png'))
    assert len(pictures) == NUM_VAL_FRAMES // 2
    assert_drawn(mmcv.imread(str(pictures[0])))


def test_tensorboard(config: Path, checkpoint: Path) -> None:
    work_dir = run_test(
        *(config, checkpoint, 'visualizer.type=DetLocalVisualizer'),
        'visualizer.vis_backends.0.type=TensorboardVisBackend',
    )
    (file,) = work_dir.rglob('events.out.tfevents*')
    events = EventAccumulator(str(file))
    events.Reload()
    images = events.Images('test_img')
    assert images[-1].step == NUM_VAL_FRAMES - 2
    assert_drawn(mmcv.imfrombytes(images[0].encoded_image_string))


def test_backends_of_the_readme(
    config: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All get the curves and pictures, and the tools find those of the local log."""
    client = MagicMock()
    client.Image = np.array
    monkeypatch.setitem(sys.modules, 'wandb', client)
    readme = config_of_readme(config)
    run_tool(
        *('train.py', readme, '--work-dir', 'trained', '--cfg-options'),
        'train_cfg.max_epochs=1',
    )
    curves = load_curves('trained')
    assert client.init.call_args[1]['mode'] == 'offline'
    logged = [call[0][0] for call in client.log.call_args_list]
    losses = [entry['loss'] for entry in logged if 'loss' in entry]
    assert losses == pytest.approx(curves['loss'].values.tolist())
    (file,) = Path('trained').rglob('events.out.tfevents*')
    events = EventAccumulator(str(file))
    events.Reload()
    assert len(events.Scalars('loss')) == len(losses)

    score_thr = 'default_hooks.visualization.score_thr=0.03'
    run_tool(
        *('test.py', readme, checkpoint, '--work-dir', 'tested', '--cfg-options'),
        *(score_thr, 'default_hooks.visualization.interval=2'),
    )
    assert list(Path('tested').rglob('vis_data/vis_image/test_img_*.png'))
    (file,) = Path('tested').rglob('events.out.tfevents*')
    events = EventAccumulator(str(file))
    events.Reload()
    assert events.Images('test_img')


def test_wandb(config: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The config reaches the client of Weights & Biases, and so do pictures."""
    client = MagicMock()
    client.Image = np.array
    monkeypatch.setitem(sys.modules, 'wandb', client)
    run_test(
        *(config, checkpoint, 'visualizer.type=DetLocalVisualizer'),
        'visualizer.vis_backends.0.type=WandbVisBackend',
        'visualizer.vis_backends.0.init_kwargs.mode=offline',
    )
    assert client.init.call_args[1]['mode'] == 'offline'
    pictures = [call[0][0]['test_img'] for call in client.log.call_args_list]
    assert len(pictures) == NUM_VAL_FRAMES // 2
    assert_drawn(pictures[0])
