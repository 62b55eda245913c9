"""The commands with mim in docs/start.md run the plugin's tools, and mmtrack's own."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Callable

import pytest

from tests.support.commands import ROOT, last_metrics, run_command

pytest.importorskip('mim')
pytestmark = pytest.mark.slow

Mim = Callable[..., str]


def readme_commands() -> list[str]:
    """Lines of docs/start.md that call mim."""
    return re.findall('^mim .*$', (ROOT / 'docs/start.md').read_text(), re.M)


@pytest.fixture(scope='module')
def mim(
    source: Path,
    config: Path,
    checkpoint: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Mim:
    """Run a command of docs/start.md in the environment of ``make mim``.

    It runs in a folder with ``config.py``.
    """
    shutil.copytree(ROOT / '.dev_scripts', source / '.dev_scripts', dirs_exist_ok=True)
    (source / '.venv').symlink_to(sys.prefix)
    run_command(sys.executable, '.dev_scripts/setup_env.py', '--mim', cwd=source)
    folder = tmp_path_factory.mktemp('mim')
    (folder / 'config.py').write_text(
        f"_base_ = '{config}'\n"
        "custom_imports = dict(imports=['stpn_plugin'])\n"
        'train_cfg = dict(max_epochs=1, val_interval=2)\n'
    )
    environ = dict(
        PATH=f'{source}/.venv-mim/bin:{os.environ["PATH"]}',
        PYTHONPATH='',
        CUDA_VISIBLE_DEVICES='',
    )

    def mim(start: str, *more: object) -> str:
        (command,) = (line for line in readme_commands() if line.startswith(start))
        command = command.split('#')[0].replace('$CONFIG', 'config.py')
        command = command.replace('CHECKPOINT', str(checkpoint))
        command = command.replace('--gpus 8', '--gpus 2')
        words = [*command.split(), *more]
        if '--cfg-options' in words:  # it takes all that follows
            at = words.index('--cfg-options')
            words = [*words[:at], *more, *words[at : len(words) - len(more)]]
        return run_command(*words, cwd=folder, **environ)

    mim.folder = folder
    return mim


def test_search(mim: Mim) -> None:
    assert 'configs/vid/' in mim('mim search stpn_plugin')


def test_tools_of_the_plugin(mim: Mim) -> None:
    shown = mim('mim train stpn_plugin', '--work-dir', 'two')
    assert '.venv-mim' in shown and 'stpn_plugin/.mim/tools/train.py' in shown
    assert (mim.folder / 'two/epoch_1.pth').is_file()
    options = ('--work-dir', 'two', '--eval', 'bbox', '--out', 'two.pkl')
    mim('mim test stpn_plugin', *options)
    assert last_metrics(mim.folder / 'two')['coco/bbox_mAP_50'] > 0.3
    assert (mim.folder / 'two.pkl').is_file()


def test_tools_of_mmtrack(mim: Mim) -> None:
    mim('mim train mmtrack', '--work-dir', 'stock')
    assert (mim.folder / 'stock/epoch_1.pth').is_file()
    mim('mim test mmtrack', '--work-dir', 'stock')
    assert last_metrics(mim.folder / 'stock')['coco/bbox_mAP_50'] > 0.3


def test_config_names_are_unique() -> None:
    """Otherwise mim refuses to find a config by its name."""
    names = [path.name for path in (ROOT / 'configs').rglob('*.py')]
    assert len(set(names)) == len(names)
