from __future__ import annotations

import hashlib
import runpy
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner
from torch import nn

ROOT = Path(__file__).parents[2]


def publish(source: Path, target: Path, capsys) -> Path:
    """Run the tool; returns what it says to have written."""
    tool = ROOT / 'tools/model_converters/publish_model.py'
    runpy.run_path(str(tool))['main']([str(source), str(target)])
    return Path(capsys.readouterr().out.split()[-1])


def test_stripped_and_named_by_its_hash(tmp_path: Path, capsys) -> None:
    buffer = HistoryBuffer()
    buffer.update(1.0)
    meta = dict(
        cfg=Config(dict(model=dict(type='STPN'))).pretty_text,
        dataset_meta=dict(CLASSES=('cat', 'dog')),
        epoch=9,
        iter=900,
        mmengine_version='0.10.7',
        experiment_name='secret',
        hook_msgs=dict(last_ckpt='/home/me/epoch_9.pth'),
    )
    weights = dict(weight=torch.rand(3), index=torch.arange(2))
    content = dict(
        meta=meta,
        state_dict=weights,
        optimizer=dict(state={}),
        param_schedulers=[],
        message_hub=dict(log_scalars=dict(loss=buffer)),
    )
    torch.save(content, str(tmp_path / 'epoch_9.pth'))
    path = publish(tmp_path / 'epoch_9.pth', tmp_path / 'stpn.pth', capsys)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path == tmp_path / f'stpn-{digest[:8]}.pth'
    published = torch.load(str(path), weights_only=True)
    assert set(published) == {'meta', 'state_dict'}
    assert all(torch.equal(published['state_dict'][k], v) for k, v in weights.items())
    assert published['meta'].pop('stpn_plugin_version')
    assert published['meta'] == {
        k: v for k, v in meta.items() if k not in ('experiment_name', 'hook_msgs')
    }
    # The name says what is inside, wherever it is written.
    (tmp_path / 'elsewhere').mkdir()
    again = publish(tmp_path / 'epoch_9.pth', tmp_path / 'elsewhere/a.pth', capsys)
    assert again.name == f'a-{digest[:8]}.pth'


def test_averaged_weights_are_published(tmp_path: Path, capsys) -> None:
    """Those that mmengine's EMA hook puts into ``state_dict``."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

    runner = Runner.__new__(Runner)
    runner.model = Model()
    hook = EMAHook(momentum=0.5)
    hook.before_run(runner)
    runner.model.weight.data.fill_(1.0)
    hook.ema_model.update_parameters(runner.model)  # copies at first
    runner.model.weight.data.fill_(3.0)
    hook.ema_model.update_parameters(runner.model)
    content = dict(meta={}, state_dict=runner.model.state_dict())
    hook.before_save_checkpoint(runner, content)
    torch.save(content, str(tmp_path / 'epoch_1.pth'))
    path = publish(tmp_path / 'epoch_1.pth', tmp_path / 'ema.pth', capsys)
    published = torch.load(str(path), weights_only=True)
    assert published['state_dict']['weight'].item() == 2.0
