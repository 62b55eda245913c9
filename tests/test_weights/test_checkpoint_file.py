from __future__ import annotations

import collections
import contextlib
import os
import pickle
import subprocess
import time
import zipfile
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer

from stpn_plugin.weights import (
    convert_checkpoint,
    publish_checkpoint,
    read_checkpoint,
    write_checkpoint,
)

WEIGHT = torch.arange(6.0).view(2, 3)
FORMATS = pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])


class Call:
    """Pickles as the call of a function."""

    def __init__(self, function: Callable, *args: Any) -> None:
        self.call = (function, args)

    def __reduce__(self) -> tuple:
        return self.call

    def __call__(self) -> None:
        """Only what can be called is pickled as a function to call."""


class Foreign(dict):
    """A class of the code that wrote the checkpoint."""


def save(path: Path, content: Any, zipped: bool = True) -> str:
    torch.save(content, str(path), _use_new_zipfile_serialization=zipped)
    return str(path)


def attacks(sign: Path) -> dict:
    """Calls that leave a sign when they are run."""
    touch = f'touch {sign}'
    stored = pickle.dumps(Call(os.system, touch))
    return dict(
        system=Call(os.system, touch),
        popen=Call(subprocess.Popen, touch.split()),
        evaluated=Call(eval, f'__import__("os").system("{touch}")'),
        executed=Call(exec, f'import os; os.system("{touch}")'),
        nested=Call(pickle.loads, stored),
        storage=Call(torch.UntypedStorage().__reduce__()[0], stored),
        attribute=Call(Call(getattr, Call(__import__, 'os'), 'system'), touch),
    )


ATTACKS = pytest.mark.parametrize('name', list(attacks(Path('sign'))))


@FORMATS
@ATTACKS
def test_nothing_is_run(tmp_path: Path, name: str, zipped: bool) -> None:
    sign = tmp_path / 'sign'
    attack = attacks(sign)[name]
    for content in (
        dict(state_dict=dict(weight=WEIGHT), meta=dict(config=attack)),
        dict(state_dict=dict(weight=WEIGHT, other=attack)),
        dict(optimizer=attack, state_dict=dict(weight=WEIGHT)),
    ):
        checkpoint = read_checkpoint(save(tmp_path / 'a.pth', content, zipped))
        assert torch.equal(checkpoint.weights['weight'], WEIGHT)
        assert list(checkpoint.weights) == ['weight']
        assert not sign.exists()
    with pytest.raises(ValueError, match='a.pth holds no dict'):
        read_checkpoint(save(tmp_path / 'a.pth', attack, zipped))
    assert not sign.exists()


@FORMATS
@ATTACKS
def test_attacks_work(tmp_path: Path, name: str, zipped: bool) -> None:
    """Otherwise the test above could not fail."""
    sign = tmp_path / 'sign'
    path = save(tmp_path / 'a.pth', attacks(sign)[name], zipped)
    with contextlib.suppress(RuntimeError):  # what was run returned no storage
        torch.load(path, weights_only=False)
    for _ in range(100):  # a process of its own may take its time
        if sign.exists():
            break
        time.sleep(0.05)
    assert sign.exists()


@FORMATS
def test_foreign_objects_are_left_out(tmp_path: Path, zipped: bool) -> None:
    """As in checkpoints of mmdet 2.x and of mmengine."""
    buffer = HistoryBuffer()
    buffer.update(1.0)
    weights = collections.OrderedDict(weight=WEIGHT, half=WEIGHT.half())
    weights['parameter'] = torch.nn.Parameter(WEIGHT)
    weights['view'] = WEIGHT.t()
    weights['index'] = torch.arange(3)
    weights['mask'] = torch.tensor([True, False])
    weights['bfloat16'] = WEIGHT.bfloat16()
    meta = dict(
        CLASSES=('a', 'b'),
        epoch=9,
        config='text',
        cfg=ConfigDict(a=1),
        best_score=np.float64(0.5),
        hooks=[Foreign(a=1), {1, 2}, 'kept'],
        buffer=buffer,
        shape=torch.Size([1]),
    )
    content = dict(
        meta=meta,
        state_dict=weights,
        optimizer=dict(state={0: dict(step=np.int64(3))}),
        message_hub=dict(log_scalars=dict(loss=buffer)),
    )
    checkpoint = read_checkpoint(save(tmp_path / 'a.pth', content, zipped))
    assert list(checkpoint.weights) == list(weights)
    for name, value in weights.items():
        assert torch.equal(checkpoint.weights[name], value)
        assert checkpoint.weights[name].dtype == value.dtype
    assert checkpoint.meta['CLASSES'] == ('a', 'b')
    assert checkpoint.meta['epoch'] == 9
    assert checkpoint.meta['hooks'] == ['kept']
    assert not {'cfg', 'best_score', 'buffer'} & set(checkpoint.meta)
    assert checkpoint.dropped == ['optimizer', 'message_hub']


@pytest.mark.parametrize(
    'content, dropped',
    [
        (dict(weight=WEIGHT), []),
        (dict(state_dict=dict(weight=WEIGHT)), []),
        (dict(model=dict(weight=WEIGHT), epoch=3), ['epoch']),
        # timm averages apart, mmengine swaps before it saves
        (
            dict(
                state_dict=dict(weight=WEIGHT + 1), state_dict_ema=dict(weight=WEIGHT)
            ),
            ['state_dict'],
        ),
        (
            dict(
                state_dict=dict(weight=WEIGHT),
                ema_state_dict={'module.weight': WEIGHT + 1, 'steps': 3},
            ),
            ['ema_state_dict'],
        ),
    ],
    ids=['bare', 'state_dict', 'model', 'timm EMA', 'mmengine EMA'],
)
def test_where_weights_are(tmp_path: Path, content: dict, dropped: list) -> None:
    checkpoint = read_checkpoint(save(tmp_path / 'a.pth', content))
    assert torch.equal(checkpoint.weights.pop('weight'), WEIGHT)
    assert not checkpoint.weights
    assert checkpoint.dropped == dropped


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    with pytest.raises(FileNotFoundError, match='a.pth'):
        read_checkpoint(str(path))
    path.write_bytes(b'<html>not found</html>')
    with pytest.raises(ValueError, match='a.pth cannot be read'):
        read_checkpoint(str(path))
    path.write_bytes(pickle.dumps(dict(a=1)))
    with pytest.raises(ValueError, match='a.pth cannot be read'):
        read_checkpoint(str(path))
    whole = Path(save(path, dict(weight=torch.zeros(1000)))).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match='a.pth cannot be read'):
        read_checkpoint(str(path))
    with pytest.raises(ValueError, match='a.pth has no weights'):
        read_checkpoint(save(path, dict(state_dict=dict(a=1))))
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('archive/constants.pkl', b'')
    with pytest.raises(ValueError, match='a.pth .*TorchScript'):
        read_checkpoint(str(path))


def test_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'new' / 'a.pth'
    write_checkpoint(str(path), dict(weight=WEIGHT), dict(epoch=1))
    before = path.read_bytes()

    def fail(content: dict, file: Any) -> None:
        file.write(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(torch, 'save', fail)
    with pytest.raises(OSError, match='disk full'):
        write_checkpoint(str(path), dict(weight=WEIGHT + 1), {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_written_files_are_clean(tmp_path: Path) -> None:
    large = torch.zeros(1000, 1000)
    weights = dict(row=torch.nn.Parameter(large)[:1], column=large[:, 0])
    path = write_checkpoint(str(tmp_path / 'a.pth'), weights, dict(epoch=1))
    assert os.path.getsize(path) < 20_000
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint['meta'] == dict(epoch=1)
    assert {k: tuple(v.shape) for k, v in checkpoint['state_dict'].items()} == dict(
        row=(1, 1000), column=(1000,)
    )
    assert not any(v.requires_grad for v in checkpoint['state_dict'].values())


@pytest.mark.parametrize('link', [False, True])
def test_output_that_is_the_input(tmp_path: Path, link: bool) -> None:
    path = save(tmp_path / 'a.pth', dict(state_dict=dict(weight=WEIGHT)))
    before = Path(path).read_bytes()
    output = str(tmp_path / 'link.pth') if link else path
    if link:
        os.symlink(path, output)
    for function in (convert_checkpoint, publish_checkpoint):
        with pytest.raises(ValueError, match='itself: give it another name'):
            function(path, output)
    # A published file's name follows from its content.
    published = publish_checkpoint(path, str(tmp_path / 'b.pth'))
    with pytest.raises(ValueError, match='itself: give it another name'):
        publish_checkpoint(published, str(tmp_path / 'b.pth'))
    assert Path(path).read_bytes() == before
