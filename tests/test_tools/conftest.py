from __future__ import annotations

import json
import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path
from typing import Dict

import pytest
from mmengine.visualization import Visualizer
from mmtrack.visualization import DetLocalVisualizer

from tests.test_tools.tiny_configs import stpn_config
from tests.tiny_data import write_tiny_vid

ROOT = Path(__file__).parents[2]


def run_tool(name: str, *args: object) -> None:
    """Run a tool of ``tools/`` in this process."""
    # Runs in one process otherwise share the first one's visualizer, with its log.
    for visualizer in (Visualizer, DetLocalVisualizer):
        visualizer._instance_dict.clear()
    main = runpy.run_path(str(ROOT / 'tools' / name))['main']
    main([str(arg) for arg in args])


def run_command(*command: object, cwd: Path, **environ: str) -> str:
    """Run a command of its own process; returns what it wrote."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    environ = {
        **os.environ,
        'PORT': port,
        'PYTHON': sys.executable,
        'PYTHONPATH': str(ROOT),
        'OMP_NUM_THREADS': '1',
        **environ,
    }
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding='utf-8',
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


def last_metrics(work_dir: Path) -> Dict[str, float]:
    """Metrics that the last run in a work dir logged last."""
    log = max(work_dir.rglob('[0-9]*.json'), key=lambda path: path.stat().st_mtime)
    metrics = json.loads(log.read_text().splitlines()[-1])
    return {key: value for key, value in metrics.items() if 'time' not in key}


@pytest.fixture(scope='session')
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_vid(tmp_path_factory.mktemp('tiny_vid'))


@pytest.fixture(scope='session')
def config(data_root: Path) -> Path:
    """File with the tiny STPN config."""
    path = data_root / 'stpn.py'
    stpn_config(data_root).dump(str(path))
    return path


@pytest.fixture(scope='session')
def trained(config: Path) -> Path:
    """Work dir of a finished training of the tiny STPN."""
    work_dir = config.parent / 'trained'
    run_tool('train.py', config, '--work-dir', work_dir)
    return work_dir


@pytest.fixture(scope='session')
def checkpoint(trained: Path) -> Path:
    return trained / 'epoch_3.pth'


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tools write to the current folder unless they are told otherwise."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('LOCAL_RANK', raising=False)
