"""Every way to load a checkpoint, and checkpoints that do harm."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModule
from mmengine.optim import MultiStepLR
from mmengine.runner import CheckpointLoader, load_checkpoint
from mmtrack.registry import MODELS
from torch import nn

from stpn_plugin.builders import load_weights
from stpn_plugin.utils import checkpoint_loading
from stpn_plugin.utils.checkpoint_loading import load_checkpoint_file
from tests.support import tiny_models
from tests.support.malicious import (
    LARGE_MEMO,
    as_legacy,
    as_zip,
    attacks,
    broken_archives,
)

# Both ways to read, where this torch has both.
WAYS = [True, False] if checkpoint_loading.TORCH_LOADS_SAFELY else [False]
WAY_NAMES = {True: 'torch', False: 'old torch'}
# torch's own reader has no limits for these.
TORCH_ACCEPTS = {'own_item', 'laughs', 'deep', 'deep_key', 'deep_set'}
ATTACKS = [
    (way, name)
    for way in WAYS
    for name in attacks(Path('sign'))
    if not way or name not in TORCH_ACCEPTS
]


@pytest.fixture
def by_torch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether torch reads; the plugin's own reader does otherwise."""
    monkeypatch.setattr(checkpoint_loading, 'TORCH_LOADS_SAFELY', request.param)
    return request.param


both_ways = pytest.mark.parametrize(
    'by_torch', WAYS, ids=WAY_NAMES.__getitem__, indirect=True
)


@pytest.mark.slow
@pytest.mark.parametrize('inside', [True, False], ids=['inside', 'alone'])
@pytest.mark.parametrize('pack', [as_zip, as_legacy])
@pytest.mark.parametrize(
    'by_torch, name',
    ATTACKS,
    ids=[f'{WAY_NAMES[way]}-{name}' for way, name in ATTACKS],
    indirect=['by_torch'],
)
def test_malicious_checkpoint(
    tmp_path: Path, by_torch: bool, name: str, pack: Any, inside: bool
) -> None:
    sign = tmp_path / 'sign'
    path = tmp_path / 'bad.pth'
    path.write_bytes(pack(attacks(sign)[name], inside))
    with pytest.raises(ValueError, match=r'bad\.pth cannot be read as a checkpoint'):
        CheckpointLoader.load_checkpoint(str(path), 'cpu', logger=None)
    assert not sign.exists()
    assert HistoryBuffer([3.0], [1]).statistics('mean') == 3
    rebuild_tensor = torch.zeros(1).__reduce_ex__(2)[0]
    assert rebuild_tensor.__doc__ != 'patched'


def test_large_memo_costs_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(checkpoint_loading, 'TORCH_LOADS_SAFELY', False)
    path = tmp_path / 'memo.pth'
    path.write_bytes(as_zip(LARGE_MEMO, inside=False))
    assert load_checkpoint_file(path) is None


@both_ways
def test_broken_containers(tmp_path: Path, by_torch: bool) -> None:
    refused = []
    archives = broken_archives(tmp_path)
    for name, content in archives.items():
        path = tmp_path / f'{name}.pth'
        path.write_bytes(content)
        try:
            loaded = load_checkpoint_file(path)
        except ValueError as error:
            assert f'{name}.pth cannot be read as a checkpoint' in str(error)
            refused.append(name)
        else:  # torch takes archives of more kinds, and some strides
            assert by_torch
            assert loaded['state_dict']['a'].untyped_storage().nbytes() == 24
    if not by_torch:
        assert refused == list(archives)
    assert {'program', 'large_storage', 'cut_short', 'html'} <= set(refused)


def save(folder: Path, zipped: bool = True) -> tuple[str, dict]:
    history = HistoryBuffer()
    history.update(1.5)
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.rand(4, 2)).sum().backward()
    optimizer.step()
    content = dict(
        state_dict=model.state_dict(),
        optimizer=optimizer.state_dict(),
        # Milestones are a Counter.
        param_schedulers=[MultiStepLR(optimizer, milestones=[1, 2, 2]).state_dict()],
        meta=dict(epoch=1, classes=('a', 'b'), text='ä', none=None, large=1 << 70),
        message_hub=dict(
            log_scalars=dict(loss=history),
            runtime_info=dict(
                best=np.float32(0.5),
                per_class=np.arange(6, dtype='>f8').reshape(2, 3).T,
                names=np.array(['car', 'dog']),
                empty=np.zeros((0, 4)),
            ),
        ),
        view=torch.rand(4, 4).t()[1:, 2:],
        types=[torch.rand(3).bfloat16(), torch.tensor(True), torch.zeros(0, 3)],
        size=torch.Size([1, 2]),
    )
    path = folder / 'good.pth'
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return str(path), content


@both_ways
@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])
def test_checkpoints_of_ones_own(tmp_path: Path, by_torch: bool, zipped: bool) -> None:
    path, content = save(tmp_path, zipped)
    loaded = load_checkpoint_file(path, 'cpu')
    for name, weight in content['state_dict'].items():
        assert torch.equal(loaded['state_dict'][name], weight)
    step = loaded['optimizer']['state'][0]['exp_avg']
    assert torch.equal(step, content['optimizer']['state'][0]['exp_avg'])
    assert loaded['optimizer']['param_groups'] == content['optimizer']['param_groups']
    assert loaded['param_schedulers'] == content['param_schedulers']
    assert loaded['meta'] == content['meta']
    hub = loaded['message_hub']
    assert type(hub['log_scalars']['loss']) is HistoryBuffer
    assert hub['log_scalars']['loss'].statistics('mean') == 1.5
    info = content['message_hub']['runtime_info']
    for name, value in info.items():
        assert isinstance(hub['runtime_info'][name], type(value))
        assert np.array_equal(hub['runtime_info'][name], value)
    assert torch.equal(loaded['view'], content['view'])
    for tensor, expected in zip(loaded['types'], content['types']):
        assert torch.equal(tensor, expected) and tensor.dtype == expected.dtype
    assert loaded['size'] == content['size']
    # Weights know the versions of their layers: only old ones may lack the counter.
    del loaded['state_dict']['1.num_batches_tracked']
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    missing, _ = model.load_state_dict(loaded['state_dict'], strict=False)
    assert missing == ['1.num_batches_tracked']


@both_ways
def test_shared_memory_stays_shared(tmp_path: Path, by_torch: bool) -> None:
    weight = torch.arange(4.0)
    torch.save(dict(a=weight, b=weight[1:]), tmp_path / 'a.pth')
    loaded = load_checkpoint_file(tmp_path / 'a.pth')
    loaded['a'][1] = 7
    assert loaded['b'][0] == 7


@pytest.fixture
def bad(tmp_path: Path) -> str:
    path = tmp_path / 'bad.pth'
    path.write_bytes(as_zip(attacks(tmp_path / 'sign')['system']))
    return str(path)


@both_ways
def test_every_door_of_mmengine(
    tmp_path: Path, bad: str, by_torch: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def downloaded(url: str, path: str, *args: Any, **kwargs: Any) -> None:
        Path(path).write_bytes(Path(bad).read_bytes())

    monkeypatch.setattr(torch.hub, 'download_url_to_file', downloaded)
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    model = BaseModule()
    model.init_cfg = dict(type='Pretrained', checkpoint=bad)
    backbone = tiny_models.backbone(init_cfg=model.init_cfg)
    doors = [
        lambda: load_checkpoint(nn.Linear(1, 1), bad),
        lambda: load_checkpoint(nn.Linear(1, 1), 'https://example.com/a.pth'),
        lambda: CheckpointLoader.load_checkpoint('torchvision://resnet50'),
        lambda: CheckpointLoader.load_checkpoint('open-mmlab://resnet50_caffe'),
        lambda: CheckpointLoader.load_checkpoint('mmcls://resnet18'),
        model.init_weights,
        MODELS.build(backbone).init_weights,
        lambda: load_weights(nn.Linear(1, 1), bad),
    ]
    for door in doors:
        with pytest.raises(ValueError, match='cannot be read as a checkpoint'):
            door()
    with pytest.raises(ValueError, match='download the checkpoint'):
        CheckpointLoader.load_checkpoint('pavi://a.pth')
    assert not (tmp_path / 'sign').exists()
    with pytest.raises(FileNotFoundError, match='missing.pth'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'missing.pth'))


@pytest.mark.slow
def test_stock_mmengine_runs_what_a_url_holds(tmp_path: Path, bad: str) -> None:
    """The day that this fails, `load_checkpoints_as_data` has one reason less."""
    program = f"""
import pathlib, torch
from mmengine.optim import MultiStepLR
from mmengine.runner import CheckpointLoader
bad = pathlib.Path({bad!r})
torch.hub.download_url_to_file = lambda url, path, *args, **kwargs: (
    pathlib.Path(path).write_bytes(bad.read_bytes())
)
torch.hub.get_dir = lambda: {str(tmp_path / 'hub')!r}
CheckpointLoader.load_checkpoint('https://example.com/a.pth')
"""
    subprocess.run([sys.executable, '-c', program], capture_output=True, check=True)
    assert (tmp_path / 'sign').exists()


def test_schemes_of_others_stay() -> None:
    CheckpointLoader.register_scheme('s4://', lambda filename, map_location: 's4')
    checkpoint_loading.serve_mmengine()
    assert CheckpointLoader.load_checkpoint('s4://a', logger=None) == 's4'
