"""What becomes of losses and weights that are infinite or no numbers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from tests.support.toy_runs import Forker
from tests.support.toy_training import losses

SEED = {'randomness.seed': 1}
BAD_SAMPLE = {**SEED, 'train_dataloader.dataset.bad': 5}
SKIP = {'default_hooks.finite_loss.action': 'skip'}


def output(work_dir: Path, rank: int = 0) -> str:
    return (work_dir / f'output.{rank}').read_text()


def errors(work_dir: Path, rank: int = 0) -> list[str]:
    lines = output(work_dir, rank).splitlines()
    return [line for line in lines if 'the loss is not finite' in line]


def is_finite(work_dir: Path) -> bool:
    weights = torch.load(work_dir / 'epoch_3.pth')['state_dict']
    return all(bool(value.isfinite().all()) for value in weights.values())


def test_training_stops_and_says_where(forker: Forker, tmp_path: Path) -> None:
    assert forker.train(tmp_path, override=BAD_SAMPLE) == [1]
    (last,) = list(losses(tmp_path).items())[-1:]
    iteration, (value, files) = last[0], last[1].split()
    assert math.isnan(float.fromhex(value)) and '005' in files
    (error,) = errors(tmp_path)
    assert f'iteration {iteration + 1}: the loss is not finite: loss_a nan' in error
    assert 'loss_b nan' in error and 'images/005.jpg' in error
    assert 'finite_loss.action=skip' in error
    assert not list(tmp_path.glob('epoch_1.pth'))


def test_all_processes_stop(forker: Forker, tmp_path: Path) -> None:
    assert forker.train(tmp_path, ranks=2, override=BAD_SAMPLE) == [1, 1]
    assert errors(tmp_path, 0) == errors(tmp_path, 1) != []
    assert list(losses(tmp_path, 0)) == list(losses(tmp_path, 1))


@pytest.mark.parametrize('ranks', [1, 2])
def test_updates_are_left_out(ranks: int, forker: Forker, tmp_path: Path) -> None:
    how = dict(ranks=ranks, override={**BAD_SAMPLE, **SKIP})
    assert forker.train(tmp_path, **how) == [0] * ranks
    told = errors(tmp_path)
    assert len(told) == 3  # once an epoch, whatever process has the sample
    assert all('images/005.jpg' in line for line in told)
    assert all('the update is left out' in line for line in told)
    assert is_finite(tmp_path)


def test_gradients_alone(forker: Forker, tmp_path: Path) -> None:
    """Each loss is finite and each update is bad: it is not skipped for ever."""
    bad = {**SEED, **SKIP, 'model.nan_gradient': True}
    assert forker.train(tmp_path, override=bad) == [1]
    told = errors(tmp_path)
    assert len(told) == 10 and 'gradients only, images/' in told[0]
    assert '10 in a row' in told[-1]
    weights = torch.load(tmp_path / 'epoch_1.pth')['state_dict']
    assert all(bool(value.isfinite().all()) for value in weights.values())


def test_bad_weights_are_not_saved(forker: Forker, tmp_path: Path) -> None:
    """The losses were finite until the update that spoiled the weights."""
    bad = {
        **SEED,
        'model.nan_gradient': True,
        'train_dataloader.dataset.length': 2,  # one iteration an epoch
    }
    assert forker.train(tmp_path, override=bad) == [1]
    assert 'epoch_1.pth, not written, has weights that are no finite' in output(
        tmp_path
    )
    assert not list(tmp_path.glob('*.pth'))


def test_an_unknown_action(forker: Forker, tmp_path: Path) -> None:
    unknown = {'default_hooks.finite_loss.action': 'ignore'}
    assert forker.train(tmp_path, override=unknown) == [1]
    assert "action has to be 'stop' or 'skip': 'ignore'" in output(tmp_path)
