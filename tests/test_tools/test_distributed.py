"""Two processes on CPU give what one gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from stpn_plugin.evaluation import load_results
from tests.support.commands import ROOT, last_metrics, run_command, run_tool

pytestmark = pytest.mark.slow

# What CUDA_VISIBLE_DEVICES hides from torch is not there for it.
CPU = dict(CUDA_VISIBLE_DEVICES='')


@pytest.fixture(scope='module')
def resumed(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Work dir of a training by two processes, of one epoch and then another."""
    work_dir = tmp_path_factory.mktemp('resumed')
    train = (ROOT / 'tools/dist_train.sh', config, 2, '--work-dir', work_dir)
    options = ('--cfg-options', 'train_cfg.val_interval=2')
    one_epoch = (*train, '--auto-scale-lr', *options, 'train_cfg.max_epochs=1')
    shown = run_command(*one_epoch, cwd=work_dir, **CPU)
    assert 'processes talk over gloo' in shown
    two_epochs = (*train, '--resume', *options, 'train_cfg.max_epochs=2')
    shown = run_command(*two_epochs, cwd=work_dir, **CPU)
    assert 'resumed epoch: 1, iter: 3' in shown
    return work_dir


def test_learning_rate_counts_all_processes(resumed: Path) -> None:
    log = min(resumed.glob('*/vis_data/[0-9]*.json'))
    learning_rate = json.loads(log.read_text().splitlines()[0])['lr']
    assert learning_rate == pytest.approx(2e-3 * 2 * 2 / 8)


def test_resume_goes_on(resumed: Path) -> None:
    assert sorted(path.name for path in resumed.glob('*.pth')) == [
        'epoch_1.pth',
        'epoch_2.pth',
    ]
    first, second = (torch.load(path) for path in sorted(resumed.glob('*.pth')))
    assert (first['meta']['epoch'], second['meta']['epoch']) == (1, 2)
    for saved, iterations in ((first, 3), (second, 6)):
        state = saved['optimizer']['state']
        assert {int(entry['step']) for entry in state.values()} == {iterations}


def test_same_results_as_one_process(
    config: Path, checkpoint: Path, tmp_path: Path
) -> None:
    run_tool(
        *('test.py', config, checkpoint, '--work-dir', tmp_path / 'one'),
        *('--out', tmp_path / 'one.pkl'),
    )
    run_command(
        *(ROOT / 'tools/dist_test.sh', config, checkpoint, 2),
        *('--work-dir', tmp_path / 'two', '--out', tmp_path / 'two.pkl'),
        *('--cfg-options', 'env_cfg.dist_cfg.backend=gloo'),
        cwd=tmp_path,
        **CPU,
    )
    one, two = (last_metrics(tmp_path / name) for name in ('one', 'two'))
    assert one == pytest.approx(two) and one['coco/bbox_mAP_50'] > 0.3
    one, two = (load_results(str(tmp_path / f'{name}.pkl')) for name in ('one', 'two'))
    assert [result['img_id'] for result in one] == [result['img_id'] for result in two]
    for a, b in zip(one, two):
        for key, value in a['pred_det_instances'].items():
            assert torch.allclose(value, b['pred_det_instances'][key], atol=1e-4)


def test_errors_of_users_in_each_process(tmp_path: Path) -> None:
    Path(tmp_path / 'c.py').write_text('model = dict(')
    train = (ROOT / 'tools/dist_train.sh', 'c.py', 2)
    shown = run_command(*train, cwd=tmp_path, status=1, **CPU)
    lines = [line for line in shown.splitlines() if line.startswith('[process ')]
    # The launcher stops the others as soon as one has failed.
    assert 1 <= len(lines) <= 2
    for line in lines:
        assert 'train.py: error: Config c.py cannot be read: SyntaxError' in line
    assert 'exitcode  : 2 ' in shown
    own = shown.split('torch/distributed')[0]  # before what the launcher says
    assert 'Traceback' not in own
