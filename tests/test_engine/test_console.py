"""What a training says on the console, and what only its log file has."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger, print_log

from stpn_plugin.cli.command import BaseOptions, Command
from stpn_plugin.engine import RunSummaryHook
from tests.support.commands import ROOT, run_tool
from tests.support.tiny_configs import stpn_config
from tests.support.tiny_data import write_tiny_vid

LONG = ('Config:', 'System environment:', 'paramwise_options', 'is skipped since')
USELESS = ('FileClient', 'HardDiskBackend')  # logged once in a process


@pytest.fixture
def said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> str:
    """Console of a training of one iteration, with an option for each parameter."""
    write_tiny_vid(tmp_path)
    cfg = stpn_config(tmp_path)
    cfg.optim_wrapper.paramwise_cfg = dict(bias_lr_mult=2.0)
    cfg.model.detector.backbone.frozen_stages = 2
    cfg.dump(str(tmp_path / 'stpn.py'))
    monkeypatch.chdir(tmp_path)
    options = ['train_cfg.max_epochs=1', 'randomness.seed=0']
    run_tool('train.py', 'stpn.py', '--work-dir', 'run', '--cfg-options', *options)
    return capsys.readouterr().out


@pytest.mark.slow
def test_long_messages_are_in_the_log_file_only(said: str, tmp_path: Path) -> None:
    before, _, _ = said.partition('Epoch(train)')
    assert not [text for text in (*LONG, *USELESS) if text in before]
    assert len(before.splitlines()) < 30  # where there were hundreds
    (log,) = tmp_path.glob('run/*/*.log')
    written = log.read_text()
    assert not [text for text in LONG if text not in written]
    assert written.count('paramwise_options') > 20


def test_commands_without_a_runner_are_as_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(MMLogger, '_instance_dict', {})

    def run(options: BaseOptions) -> None:
        for name in USELESS:
            print_log(f'"{name}" will be deprecated', 'current', logging.WARNING)
            print_log(f'"{name}" is the alias', 'current', logging.WARNING)
        print_log('something new', 'current', logging.WARNING)

    assert Command(None, BaseOptions, run)([]) == 0
    printed = capsys.readouterr()
    printed = printed.out + printed.err
    assert 'something new' in printed
    assert '"FileClient" will be' not in printed
    assert '"HardDiskBackend" is the' not in printed


@pytest.mark.slow
def test_ends_with_what_came_out_and_what_to_do_next(said: str, tmp_path: Path) -> None:
    block = said.split('-' * 60)[-2]
    assert 'trained ' in block and 'best AP50  ' in block
    checkpoint = tmp_path / 'run' / 'epoch_1.pth'
    assert f'checkpoint {checkpoint.relative_to(tmp_path)}' in block
    (command,) = [line for line in block.splitlines() if line.startswith('next')]
    _, python, tool, config, weights = shlex.split(command)
    assert python == 'python' and (ROOT / tool).is_file()
    assert Path(config).is_file() and Path(weights).is_file()


def test_the_best_outlives_a_resume(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As the best checkpoint does, whose AP50 it is."""
    logger = logging.getLogger('summary')

    def runner(name: str, **parts: Any) -> SimpleNamespace:
        cfg = Config(dict())
        hub = MessageHub.get_instance(f'{name}_{tmp_path}')
        return SimpleNamespace(
            message_hub=hub, work_dir=str(tmp_path), cfg=cfg, logger=logger, **parts
        )

    first = runner('first', iter=10)
    hook = RunSummaryHook()
    hook.before_train(first)
    hook.after_val_epoch(first, {'vid/AP50': 0.9})
    resumed = runner('resumed', iter=20)
    resumed.message_hub.load_state_dict(first.message_hub.state_dict())
    hook = RunSummaryHook()
    hook.before_train(resumed)
    hook.after_val_epoch(resumed, {'vid/AP50': 0.5})
    with caplog.at_level(logging.INFO):
        hook.after_train(resumed)
    assert 'best AP50  90.0 %, at iteration 10' in caplog.text
