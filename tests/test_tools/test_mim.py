"""mim runs the tools of an installed wheel, and mmtrack's own where they can."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable

import pytest

from tests.test_packaging import OFFLINE, run, source, wheel  # noqa: F401 (fixtures)
from tests.test_tools.conftest import ROOT, last_metrics, run_command

pytest.importorskip('mim')
pytestmark = pytest.mark.slow

Mim = Callable[..., str]


@pytest.fixture(scope='module')
def mim(
    wheel: Path,  # noqa: F811
    config: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Mim:
    """Run mim where the plugin is installed, in a folder with ``config.py``."""
    folder = tmp_path_factory.mktemp('mim')
    site = folder / 'site'
    run('-m', 'pip', 'install', *OFFLINE, '--target', str(site), str(wheel))
    (folder / 'config.py').write_text(
        f"_base_ = '{config}'\n"
        "custom_imports = dict(imports=['stpn_plugin'])\n"
        'train_cfg = dict(max_epochs=1, val_interval=2)\n'
    )

    def mim(*args: object) -> str:
        return run_command(
            *(sys.executable, '-m', 'mim', *args),
            cwd=folder,
            PYTHONPATH=str(site),
            CUDA_VISIBLE_DEVICES='',
        )

    mim.folder = folder
    return mim


def test_tools_of_the_plugin(mim: Mim, checkpoint: Path) -> None:
    shown = mim('train', 'stpn_plugin', 'config.py', '--work-dir', 'one')
    assert str(mim.folder / 'site/stpn_plugin/.mim/tools/train.py') in shown
    assert (mim.folder / 'one/epoch_1.pth').is_file()
    test = ('test', 'stpn_plugin', 'config.py', '--checkpoint', checkpoint)
    mim(*test, '--work-dir', 'one', '--eval', 'bbox', '--out', 'one.pkl')
    assert last_metrics(mim.folder / 'one')['coco/bbox_mAP_50'] > 0.3
    assert (mim.folder / 'one.pkl').is_file()


def test_two_processes(mim: Mim, checkpoint: Path) -> None:
    two = ('--work-dir', 'two', '--launcher', 'pytorch', '--gpus', 2)
    mim('train', 'stpn_plugin', 'config.py', *two)
    assert (mim.folder / 'two/epoch_1.pth').is_file()
    mim('test', 'stpn_plugin', 'config.py', '--checkpoint', checkpoint, *two)
    assert last_metrics(mim.folder / 'two')['coco/bbox_mAP_50'] > 0.3


def test_tools_of_mmtrack(mim: Mim, checkpoint: Path) -> None:
    mim('train', 'mmtrack', 'config.py', '--work-dir', 'stock')
    assert (mim.folder / 'stock/epoch_1.pth').is_file()
    # mmtrack's test.py forgets the checkpoint that mim passes and "load_from".
    weights = (
        'model.init_cfg.type=Pretrained',
        f'model.init_cfg.checkpoint={checkpoint}',
    )
    options = ('--work-dir', 'stock', '--cfg-options', *weights)
    mim('test', 'mmtrack', 'config.py', *options)
    assert last_metrics(mim.folder / 'stock')['coco/bbox_mAP_50'] > 0.3


def test_config_names_are_unique() -> None:
    """Otherwise mim refuses to find a config by its name."""
    names = [path.name for path in (ROOT / 'configs').rglob('*.py')]
    assert len(set(names)) == len(names)
