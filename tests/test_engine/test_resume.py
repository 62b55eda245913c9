"""A training that was stopped goes on as if it had not been."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.logging import MMLogger

from stpn_plugin.engine import checkpoints, find_checkpoint
from tests.support.toy_runs import Forker
from tests.support.toy_training import losses

KILL, TERM, INT = int(signal.SIGKILL), int(signal.SIGTERM), int(signal.SIGINT)
LOOPS = [
    dict(loop='epoch'),
    dict(loop='epoch', accumulate=3, ema=True),
    dict(loop='epoch', workers=2, accumulate=2),
    dict(loop='epoch', workers=2, persistent=True, ema=True),
    dict(loop='iter', accumulate=3, ema=True),
    dict(loop='iter', endless_sampler=False),
    dict(loop='iter', workers=2, endless_sampler=False, accumulate=2),
    dict(loop='iter', workers=3, persistent=True, ema=True),
]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob('*.pth'))


def stop_at(number: int, iteration: int, **kwargs: Any) -> dict:
    return dict(type='SignalAt', number=number, iteration=iteration, **kwargs)


@pytest.mark.slow
@pytest.mark.parametrize('how', LOOPS, ids=lambda how: '-'.join(map(str, how.values())))
def test_losses_after_resuming_are_bit_equal(
    how: dict, forker: Forker, tmp_path: Path
) -> None:
    seed = {'randomness.seed': 1}
    assert forker.train(tmp_path / 'whole', override=seed, **how) == [0]
    whole = losses(tmp_path / 'whole')
    assert list(whole) == list(range(21))
    # At the 11th iteration, in the middle of the second epoch.
    for number, status in ((KILL, -KILL), (TERM, 128 + TERM), (INT, 128 + INT)):
        work_dir = tmp_path / str(number)
        stop = (stop_at(number, 10),)
        assert forker.train(work_dir, hooks=stop, override=seed, **how) == [status]
        done = len(losses(work_dir))
        assert done == (10 if number == KILL else 11)
        go_on = {**seed, 'resume': True}
        assert forker.train(work_dir, override=go_on, **how) == [0]
        assert losses(work_dir) == whole
        num_lines = len((work_dir / 'losses.0').read_text().splitlines())
        # Nothing is done twice after a signal that can be caught.
        assert num_lines == 21 if number != KILL else num_lines < 21 + 7


@pytest.mark.slow
@pytest.mark.parametrize('loop', ['epoch', 'iter'])
def test_two_processes(loop: str, forker: Forker, tmp_path: Path) -> None:
    """One of them gets the signal, both end after the same iteration."""
    how: dict[str, Any] = dict(ranks=2, loop=loop, accumulate=3, ema=True)
    seed = {'randomness.seed': 1}
    assert forker.train(tmp_path / 'whole', override=seed, **how) == [0, 0]
    work_dir = tmp_path / 'stopped'
    stop = (stop_at(TERM, 9, rank=1),)
    statuses = forker.train(work_dir, hooks=stop, override=seed, **how)
    assert statuses == [128 + TERM] * 2
    assert len(losses(work_dir, 0)) == len(losses(work_dir, 1)) == 10
    go_on = {**seed, 'resume': True}
    assert forker.train(work_dir, override=go_on, **how) == [0, 0]
    for rank in range(2):
        assert losses(work_dir, rank) == losses(tmp_path / 'whole', rank)


@pytest.mark.slow
def test_another_number_of_processes_or_workers(forker: Forker, tmp_path: Path) -> None:
    stop = (stop_at(TERM, 9),)
    assert forker.train(tmp_path, hooks=stop) == [128 + TERM]
    go_on = {'resume': True}
    assert forker.train(tmp_path, workers=2, hooks=stop, override=go_on) == [0]
    assert '7 batches from 0 workers were a pass' in output(tmp_path)
    assert forker.train(tmp_path, ranks=2, override=go_on) == [0, 0]
    assert '1 processes wrote the checkpoint, now they are 2' in output(tmp_path)


def output(work_dir: Path) -> str:
    return (work_dir / 'output.0').read_text()


@pytest.mark.slow
def test_without_a_seed_of_the_config(forker: Forker, tmp_path: Path) -> None:
    """The order of the data is that of the first start, not a new one."""
    stop = (stop_at(TERM, 9),)
    assert forker.train(tmp_path, hooks=stop, loop='iter') == [128 + TERM]
    assert forker.train(tmp_path, override={'resume': True}, loop='iter') == [0]
    seen = [line.split()[-1] for line in losses(tmp_path).values()]
    for epoch in (seen[:7], seen[7:14], seen[14:]):
        images = ','.join(epoch).split(',')
        assert len(set(images)) == len(images) == 14


@pytest.mark.slow
def test_a_signal_in_validation(forker: Forker, tmp_path: Path) -> None:
    """Training is on the disk by then, whatever the interval of checkpoints."""
    rare = {'randomness.seed': 1, 'default_hooks.checkpoint.interval': 2}
    how: dict[str, Any] = dict(ema=True)
    assert forker.train(tmp_path / 'whole', override=rare, **how) == [0]
    work_dir = tmp_path / 'stopped'
    stop = (stop_at(TERM, 7, where='before_val_iter'),)
    assert forker.train(work_dir, hooks=stop, override=rare, **how) == [128 + TERM]
    assert names(work_dir) == ['interim.pth']
    assert forker.train(work_dir, override={**rare, 'resume': True}, **how) == [0]
    assert losses(work_dir) == losses(tmp_path / 'whole')
    assert names(work_dir) == ['epoch_2.pth', 'epoch_3.pth']


@pytest.mark.slow
@pytest.mark.parametrize('where', ['before_train_iter', 'before_val_iter'])
@pytest.mark.parametrize('number', [TERM, INT])
def test_workers_leave_signals_to_the_process_that_trains(
    number: int, where: str, forker: Forker, tmp_path: Path
) -> None:
    stop = (stop_at(number, 7, where=where, group=True),)
    how: dict[str, Any] = dict(workers=2, persistent=True)
    assert forker.train(tmp_path, hooks=stop, **how) == [128 + number]
    assert 'exited unexpectedly' not in output(tmp_path)
    assert 'killed by signal' not in output(tmp_path)
    assert forker.train(tmp_path, override={'resume': True}, **how) == [0]
    assert list(losses(tmp_path)) == list(range(21))


def test_old_checkpoints_are_removed_last(forker: Forker, tmp_path: Path) -> None:
    keep_one = {
        'default_hooks.checkpoint.max_keep_ckpts': 1,
        'default_hooks.checkpoint.save_best': 'score',
        'default_hooks.checkpoint.rule': 'greater',
    }
    assert forker.train(tmp_path, override=keep_one) == [0]
    assert names(tmp_path) == ['best_score_epoch_3.pth', 'epoch_3.pth']
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_3.pth')


@pytest.mark.parametrize('step', ['first', 'best'])
def test_a_failed_write_keeps_what_was_there(
    step: str, forker: Forker, tmp_path: Path
) -> None:
    """The second checkpoint does not fit on the disk."""
    options = {
        'default_hooks.checkpoint.max_keep_ckpts': 1,
        'default_hooks.checkpoint.save_best': 'score' if step == 'best' else None,
        'default_hooks.checkpoint.rule': 'greater',
    }
    full = (dict(type='FullDisk', save=2 if step == 'first' else 5),)
    assert forker.train(tmp_path, hooks=full, override=options) == [1]
    assert 'pth cannot be written: File too large' in output(tmp_path)
    kept = ['best_score_epoch_1.pth'] if step == 'best' else []
    last = 'epoch_1.pth' if step == 'first' else 'epoch_2.pth'
    assert names(tmp_path) == [*kept, last]
    assert find_checkpoint(str(tmp_path)) == str(tmp_path / last)
    assert not list(tmp_path.glob('.*'))


def test_what_a_killed_write_leaves_is_removed(forker: Forker, tmp_path: Path) -> None:
    stop = (stop_at(KILL, 9),)
    assert forker.train(tmp_path, hooks=stop) == [-KILL]
    left = tmp_path / '.epoch_2.0123abcd.part.pth'
    left.write_bytes(b'half')
    other = tmp_path / '.mine.pth'
    other.write_bytes(b'kept')
    assert forker.train(tmp_path, override={'resume': True}) == [0]
    assert not left.exists() and other.exists()


@pytest.fixture(scope='module')
def finished(forker: Forker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Work dir of a finished training."""
    work_dir = tmp_path_factory.mktemp('finished') / 'work'
    assert forker.train(work_dir) == [0]
    return work_dir


@pytest.fixture
def work_dir(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, elsewhere."""
    return Path(shutil.copytree(finished, tmp_path / 'moved'))


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == 'cut':
        del content[len(content) // 2 :]
    elif how == 'empty':
        del content[:]
    elif how == 'flipped':
        content[len(content) // 2] ^= 1
    elif how == 'nan':
        saved = torch.load(path)
        next(iter(saved['state_dict'].values()))[0] = float('nan')
        torch.save(saved, path)
        return
    elif how == 'weights only':
        torch.save(dict(state_dict=torch.load(path)['state_dict']), path)
        return
    path.write_bytes(content)


@pytest.mark.parametrize(
    ('how', 'reason'),
    [
        ('cut', 'is cut short'),
        ('empty', 'is empty'),
        ('flipped', 'is damaged'),
        ('nan', 'has weights that are no finite numbers'),
        ('weights only', 'no training state'),
    ],
)
def test_damaged_checkpoints_are_skipped(
    how: str, reason: str, work_dir: Path, tmp_path: Path
) -> None:
    # A logger of its own: that of an earlier run writes to where that run wrote.
    MMLogger.get_instance(f'resume {how}', log_file=str(tmp_path / 'log.txt'))
    damage(work_dir / 'epoch_3.pth', how)
    assert find_checkpoint(str(work_dir)) == str(work_dir / 'epoch_2.pth')
    shown = (tmp_path / 'log.txt').read_text()
    assert 'epoch_3.pth' in shown and reason in shown
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        damage(work_dir / name, how)
    with pytest.raises(ValueError, match='no checkpoint in .* training can go on'):
        find_checkpoint(str(work_dir))


def test_every_flipped_bit_is_found_or_harmless(work_dir: Path) -> None:
    path = work_dir / 'epoch_3.pth'
    content = path.read_bytes()
    good = torch.load(path)['state_dict']
    generator = torch.Generator().manual_seed(0)
    found = 0
    for place in torch.randint(len(content), (100,), generator=generator).tolist():
        broken = bytearray(content)
        broken[place] ^= 1 << (place % 8)
        path.write_bytes(broken)
        if find_checkpoint(str(work_dir)) != str(path):
            found += 1
            continue
        read = torch.load(path)['state_dict']
        assert all(torch.equal(read[name], good[name]) for name in good)
    assert found > 50


def test_the_pointer_is_not_needed(
    work_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    newest = str(work_dir / 'epoch_3.pth')
    assert find_checkpoint(str(work_dir)) == newest  # it names the old place
    for content in (b'', b'gone.pth', b'\xff\xfe', b'../../etc/passwd'):
        (work_dir / 'last_checkpoint').write_bytes(content)
        assert find_checkpoint(str(work_dir)) == newest
    (work_dir / 'last_checkpoint').unlink()
    assert find_checkpoint(str(work_dir)) == newest
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint('moved') == 'moved/epoch_3.pth'
    assert find_checkpoint('nowhere') is None


def test_a_checkpoint_that_the_pointer_does_not_name_yet(work_dir: Path) -> None:
    (work_dir / 'last_checkpoint').write_text('epoch_2.pth')
    os.utime(work_dir / 'epoch_3.pth')
    assert find_checkpoint(str(work_dir)) == str(work_dir / 'epoch_3.pth')


def test_checkpoints_of_an_earlier_training_in_the_same_folder(work_dir: Path) -> None:
    """The last one that was written counts, not the highest number."""
    for name in ('epoch_2.pth', 'epoch_3.pth'):
        os.utime(work_dir / name, (1, 1))
    (work_dir / 'last_checkpoint').write_text('epoch_1.pth')
    assert find_checkpoint(str(work_dir)) == str(work_dir / 'epoch_1.pth')


ORDERS = pytest.mark.parametrize('order', ['equal', 'reversed'])


def copied(work_dir: Path, order: str, iterations: dict[str, int]) -> Path:
    """A folder of checkpoints of some iterations, oldest first, as copying left it."""
    saved = torch.load(work_dir / 'epoch_3.pth')
    folder = work_dir.parent / 'copied'
    folder.mkdir()
    for i, (name, iteration) in enumerate(iterations.items()):
        saved['meta']['iter'] = iteration
        torch.save(saved, folder / name)
        time = 1000 - i if order == 'reversed' else 1000
        os.utime(folder / name, (time, time))
    return folder


@ORDERS
@pytest.mark.parametrize('pointer', ['none', 'damaged', 'good'])
def test_times_of_files_that_tell_nothing(
    pointer: str, order: str, work_dir: Path
) -> None:
    numbers = (5, 10, 15, 20, 21, 100)
    folder = copied(work_dir, order, {f'iter_{n}.pth': n for n in numbers})
    if pointer == 'none':
        damage(folder / 'iter_100.pth', 'cut')
    else:
        number = 100 if pointer == 'damaged' else 21
        damage(folder / 'iter_100.pth', 'flipped')
        (folder / 'last_checkpoint').write_text(f'/elsewhere/iter_{number}.pth')
    assert find_checkpoint(str(folder)) == str(folder / 'iter_21.pth')


@ORDERS
@pytest.mark.parametrize('newest', ['epoch_2.pth', 'iter_9.pth', 'interim.pth'])
def test_names_of_several_kinds(newest: str, order: str, work_dir: Path) -> None:
    iterations = {'epoch_1.pth': 7, 'iter_9.pth': 9, 'interim.pth': 11}
    iterations.update({'mine.pth': 12, 'epoch_2.pth': 14, newest: 30})
    folder = copied(work_dir, order, iterations)
    assert find_checkpoint(str(folder)) == str(folder / newest)


def test_names_spare_reading(work_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ['iter_9.pth', 'iter_10.pth', 'best_AP50_iter_10.pth']
    folder = copied(work_dir, 'reversed', dict.fromkeys(names, 10))
    read = []
    monkeypatch.setattr(checkpoints, 'check_whole', read.append)
    assert find_checkpoint(str(folder)) == str(folder / 'iter_10.pth')
    assert read == [str(folder / 'iter_10.pth')]


def test_stock_loading_reads_them(finished: Path) -> None:
    saved = torch.load(finished / 'epoch_3.pth')
    assert set(saved) >= {'state_dict', 'optimizer', 'param_schedulers', 'meta'}


def test_resuming_never_starts_over_among_checkpoints(
    forker: Forker, work_dir: Path
) -> None:
    for path in work_dir.glob('*.pth'):
        damage(path, 'cut')
    assert forker.train(work_dir, override={'resume': True}) == [1]
    assert 'no checkpoint in' in output(work_dir)
    empty = work_dir.parent / 'empty'
    assert forker.train(empty, override={'resume': True}) == [0]
