from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Sequence

import mmtrack
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmtrack.evaluation import BaseVideoMetric
from mmtrack.registry import METRICS

from stpn_plugin.builders import ConfigError
from stpn_plugin.cli import train
from stpn_plugin.cli.running import run_loop
from stpn_plugin.engine import build_runner
from stpn_plugin.evaluation import MetricError
from tests.support.commands import ROOT, last_metrics, run_command, run_tool
from tests.support.tiny_configs import STOCK_CONFIGS


def train_cfg(*args: object) -> Config:
    """The config that ``tools/train.py`` makes of its arguments."""
    return train.prepare_cfg(train.main.parse([str(arg) for arg in args]))


def test_training_learns(trained: Path) -> None:
    assert last_metrics(trained)['coco/bbox_mAP_50'] > 0.3
    assert (trained / 'stpn.py').is_file()


@pytest.mark.slow
def test_help_as_a_program(tmp_path: Path) -> None:
    shown = run_command(sys.executable, ROOT / 'tools/train.py', '-h', cwd=tmp_path)
    assert '--auto-scale-lr' in shown
    # mim passes GPU counts of its own to scripts whose help has this option.
    assert '--gpus' not in shown


def test_work_dir(config: Path, tmp_path: Path) -> None:
    assert train_cfg(config).work_dir == 'work_dirs/stpn'
    assert train_cfg(config, '--cfg-options', 'work_dir=b').work_dir == 'b'
    assert train_cfg(config, '--work-dir', 'a').work_dir == 'a'


def test_config_of_an_installed_package() -> None:
    cfg = train_cfg(STOCK_CONFIGS['dff'])
    assert cfg.model.type == 'DFF'
    assert cfg.work_dir == 'work_dirs/dff_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid'
    with pytest.raises(FileNotFoundError, match='no-such'):
        train_cfg('mmtrack::vid/dff/no-such.py')


@pytest.mark.parametrize('spelling', ['--local_rank', '--local-rank'])
def test_local_rank(
    spelling: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, 'environ', dict(os.environ))
    train_cfg(config, f'{spelling}=3')
    assert os.environ['LOCAL_RANK'] == '3'


@pytest.mark.slow
@pytest.mark.parametrize('base', [8, 4])
def test_auto_scale_lr(base: int, config: Path, tmp_path: Path) -> None:
    options = ['train_cfg.max_epochs=1', f'auto_scale_lr.base_batch_size={base}']
    args = (config, '--work-dir', tmp_path, '--auto-scale-lr')
    run_tool('train.py', *args, '--cfg-options', *options)
    (log,) = tmp_path.rglob('[0-9]*.json')
    learning_rate = json.loads(log.read_text().splitlines()[0])['lr']
    assert learning_rate == pytest.approx(2e-3 * 2 / base)


def test_auto_scale_lr_of_stock_configs() -> None:
    cfg = train_cfg(STOCK_CONFIGS['selsa'], '--auto-scale-lr')
    assert cfg.auto_scale_lr == dict(enable=True, base_batch_size=8)


def test_resume_restores_epoch_and_optimizer(config: Path, trained: Path) -> None:
    saved = torch.load(trained / 'epoch_3.pth')
    runner = build_runner(train_cfg(config, '--work-dir', trained, '--resume'))
    runner.train()  # all epochs are done
    assert (runner.epoch, runner.iter) == (3, 15)
    restored = runner.optim_wrapper.state_dict()
    assert restored['param_groups'] == saved['optimizer']['param_groups']
    for key, state in saved['optimizer']['state'].items():
        for name, value in state.items():
            assert torch.equal(restored['state'][key][name], value)


def test_what_is_resumed(config: Path, trained: Path, tmp_path: Path) -> None:
    chosen = trained / 'epoch_2.pth'
    load_from = ('--cfg-options', f'load_from={chosen}')
    for args, expected in (
        ((config, '--resume', chosen), (True, str(chosen))),
        (
            (config, '--work-dir', trained, '--resume', *load_from),
            (True, str(trained / 'epoch_3.pth')),
        ),
        # The first start of a job that may be started again.
        (
            (config, '--work-dir', tmp_path, *load_from, '--resume'),
            (False, str(chosen)),
        ),
        ((config, '--work-dir', tmp_path, '--resume'), (False, None)),
    ):
        cfg = train_cfg(*args)
        assert (cfg.resume, cfg.load_from) == expected


@pytest.mark.skipif(torch.cuda.is_available(), reason='about machines without GPU')
def test_what_needs_a_gpu(config: Path) -> None:
    with pytest.raises(ValueError, match='--launcher slurm needs GPUs'):
        train_cfg(config, '--launcher', 'slurm')


@pytest.mark.gpu
def test_amp(config: Path, tmp_path: Path) -> None:
    args = (config, '--amp', '--work-dir', tmp_path)
    assert train_cfg(*args).optim_wrapper.type == 'AmpOptimWrapper'
    run_tool('train.py', *args)


def test_amp_of_a_wrapper_that_it_does_not_know(config: Path) -> None:
    with pytest.raises(ValueError, match='OtherWrapper'):
        train_cfg(config, '--amp', '--cfg-options', 'optim_wrapper.type=OtherWrapper')


def test_amp_on_a_cpu(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, 'get_device', lambda: 'cpu')
    fp16 = ['optim_wrapper.type=AmpOptimWrapper', 'optim_wrapper.loss_scale=512']
    for changed in ([], fp16):
        cfg = train_cfg(config, '--amp', '--cfg-options', 'train_cfg=None', *changed)
        assert cfg.optim_wrapper.type == 'CPUAmpOptimWrapper'
        assert 'loss_scale' not in cfg.optim_wrapper


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason='it trains on the CPU')
def test_amp_trains_on_a_cpu(config: Path, tmp_path: Path) -> None:
    run_tool('train.py', config, '--amp', '--work-dir', tmp_path)
    assert last_metrics(tmp_path)['coco/bbox_mAP_50'] > 0.3


def test_missing_files(config: Path) -> None:
    with pytest.raises(FileNotFoundError, match='Config file no.py does not exist'):
        train_cfg('no.py')
    with pytest.raises(FileNotFoundError, match='no.pth does not exist'):
        train_cfg(config, '--resume', 'no.pth')
    with pytest.raises(FileNotFoundError, match='no.pth does not exist'):
        train_cfg(config, '--cfg-options', 'load_from=no.pth')
    with pytest.raises(FileNotFoundError, match='is a folder'):
        train_cfg(config, '--resume', config.parent)
    nobody = 'http://127.0.0.1:9/no.pth'  # the port is reserved
    with pytest.raises(ValueError, match=f'{nobody} cannot be read'):
        run_tool('train.py', config, '--cfg-options', f'load_from={nobody}')


@pytest.fixture(scope='session')
def three_classes(checkpoint: Path) -> Path:
    """The trained checkpoint as if it were of three classes, and a bit more."""
    saved = torch.load(checkpoint)
    weights = saved['state_dict']
    head = 'detector.roi_head.bbox_head.'
    for kind in ('weight', 'bias'):
        weights[f'{head}fc_cls.{kind}'] = weights[f'{head}fc_cls.{kind}'][:4]
        weights[f'{head}fc_reg.{kind}'] = weights[f'{head}fc_reg.{kind}'][:12]
    del weights['prompt_predictor.query']
    weights['other.weight'] = torch.zeros(2)
    path = checkpoint.with_name('three_classes.pth')
    torch.save(saved, path)
    return path


def check_start_from_three_classes(work_dir: Path, source: Path) -> None:
    """Training with a learning rate of zero kept what it started from."""
    start = torch.load(source)['state_dict']
    weights = torch.load(work_dir / 'epoch_1.pth')['state_dict']
    head = 'detector.roi_head.bbox_head.'
    other = {f'{head}fc_{a}.{b}' for a in ('cls', 'reg') for b in ('weight', 'bias')}
    lacking = other | {'prompt_predictor.query'}
    assert weights[f'{head}fc_cls.weight'].shape == (31, 64)
    for name, value in weights.items():
        assert name in lacking or torch.equal(value, start[name]), name
    assert 0 < weights[f'{head}fc_cls.weight'].abs().max() < 0.1  # initial values
    (log,) = work_dir.rglob('*.log')
    logged = log.read_text()
    assert logged.count('Training starts from') == 1
    assert f'{head}fc_cls.weight: (4, 64) in the checkpoint, (31, 64) in' in logged
    assert '4 of another shape' in logged
    assert '1 that the checkpoint lacks:\n  prompt_predictor.query\n' in logged
    assert '1 that the model lacks:\n  other.weight\n' in logged


ONE_STILL_EPOCH = (
    *('train_cfg.max_epochs=1', 'train_cfg.val_interval=2'),
    'optim_wrapper.optimizer.lr=0.0',
)


def test_start_from_a_checkpoint_of_other_classes(
    config: Path, three_classes: Path, tmp_path: Path
) -> None:
    # Runs that start in one second share a logger, hence the first one's log file,
    # unless their names differ.
    run_tool(
        *('train.py', config, '--work-dir', tmp_path, '--cfg-options'),
        *(f'load_from={three_classes}', 'experiment_name=start', *ONE_STILL_EPOCH),
    )
    check_start_from_three_classes(tmp_path, three_classes)


def test_start_from_other_classes_by_the_stock_script(
    config: Path, three_classes: Path, tmp_path: Path
) -> None:
    runtime = Config.fromfile(str(ROOT / 'configs/_base_/default_runtime.py'))
    derived = tmp_path / 'derived.py'
    derived.write_text(
        f"_base_ = '{config}'\n"
        "custom_imports = dict(imports=['stpn_plugin'])\n"
        f'default_hooks = dict({runtime.default_hooks.to_dict()!r})\n'
        "custom_hooks = [dict(type='EMAHook')]\n"
    )
    script = Path(mmtrack.__file__).parent / '.mim/tools/train.py'
    run_command(
        *(sys.executable, script, derived, '--work-dir', tmp_path / 'work'),
        *('--cfg-options', f'load_from={three_classes}', *ONE_STILL_EPOCH),
        cwd=tmp_path,
    )
    check_start_from_three_classes(tmp_path / 'work', three_classes)


def test_weights_that_fit_in_nothing(config: Path, tmp_path: Path) -> None:
    torch.save(dict(state_dict={'conv1.weight': torch.zeros(3)}), 'other.pth')
    with pytest.raises(ValueError, match='other.pth has no weight that the model'):
        run_tool('train.py', config, '--cfg-options', 'load_from=other.pth')


def test_resume_and_test_need_all_weights(config: Path, three_classes: Path) -> None:
    needed = 'three_classes.pth does not fit'
    with pytest.raises(ValueError, match=needed):
        run_tool('train.py', config, '--resume', three_classes)
    with pytest.raises(ValueError, match=needed):
        run_tool('test.py', config, three_classes)
    # By the runner itself, as stock scripts do.
    with pytest.raises(ValueError, match=needed):
        build_runner(train_cfg(config, '--resume', three_classes)).load_or_resume()
    options = ('--cfg-options', f'load_from={three_classes}')
    with pytest.raises(ValueError, match=needed):
        build_runner(train_cfg(config, *options)).test()


def test_work_dir_is_tried_first(config: Path) -> None:
    Path('file').touch()
    with pytest.raises(OSError, match='file/work'):
        train_cfg(config, '--work-dir', 'file/work')


@pytest.mark.slow
def test_validation_goes_on_without_a_failing_metric(
    config: Path, tmp_path: Path
) -> None:
    derived = tmp_path / 'derived.py'
    derived.write_text(
        f"_base_ = '{config}'\n"
        "val_evaluator = [dict(type='FailingInTraining'), {{_base_.val_evaluator}}]\n"
    )
    options = ('train_cfg.max_epochs=1', 'train_cfg.val_interval=1')
    with pytest.raises(MetricError, match='FailingInTraining') as raised:
        run_tool('train.py', derived, '--cfg-options', *options)
    assert 'coco/bbox_mAP_50' in raised.value.metrics


@METRICS.register_module()
class FailingInTraining(BaseVideoMetric):
    """Raises at the first prediction."""

    default_prefix = 'failing'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        raise KeyError('no such prediction')

    def compute_metrics(self, results: list) -> dict:
        return {}


def test_resume_refuses_a_checkpoint_without_training_state(
    config: Path, checkpoint: Path, tmp_path: Path
) -> None:
    weights = tmp_path / 'weights.pth'
    torch.save(dict(state_dict=torch.load(checkpoint)['state_dict']), weights)
    with pytest.raises(ValueError, match='no training state'):
        run_tool('train.py', config, '--resume', weights)


@pytest.mark.slow
def test_a_model_that_cannot_do_a_step(config: Path) -> None:
    wrong = 'model.detector.neck.in_channels=[1,2,3,4]'
    told = r'stpn\.py: the first step of .* fails: RuntimeError: .* \(--debug shows'
    with pytest.raises(ConfigError, match=told):
        run_tool('train.py', config, '--cfg-options', wrong)


def test_errors_of_later_steps_stay_what_they_are() -> None:
    hooks: list[Hook] = []
    runner: Any = SimpleNamespace(
        cfg=SimpleNamespace(filename='c.py'), register_hook=hooks.append
    )

    def fail() -> None:
        raise KeyError('of a layer')

    def fail_later() -> None:
        hooks[-1].after_train_iter(runner, 0)
        fail()

    with pytest.raises(ConfigError, match='first step .* KeyError: of a layer'):
        run_loop(runner, fail)
    with pytest.raises(KeyError, match='of a layer'):
        run_loop(runner, fail_later)
