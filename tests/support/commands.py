"""Tools and other commands, run as a user runs them."""

from __future__ import annotations

import json
import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from mmengine.visualization import Visualizer

ROOT = Path(__file__).parents[2]


def run_tool(name: str, *args: object) -> None:
    """Run a tool of ``tools/`` in this process; its errors are raised."""
    _forget_visualizers(Visualizer)
    main = runpy.run_path(str(ROOT / 'tools' / name))['main']
    main.run(main.parse([str(arg) for arg in args]))


def _forget_visualizers(cls: Any) -> None:
    """Let the next run make its own visualizer, with its own folder.

    Runs in one process otherwise share the first one of each class, and mmengine has no
    public way to forget it.
    """
    cls._instance_dict.clear()
    for subclass in cls.__subclasses__():
        _forget_visualizers(subclass)


def run_command(*command: object, cwd: Path, status: int = 0, **environ: str) -> str:
    """Run a command of its own process, which ends with a status; what it wrote."""
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
    assert done.returncode == status, done.stdout[-5000:]
    return done.stdout


def last_metrics(work_dir: Path) -> dict[str, float]:
    """Metrics that the last run in a work dir logged last."""
    log = max(work_dir.rglob('[0-9]*.json'), key=lambda path: path.stat().st_mtime)
    metrics = json.loads(log.read_text().splitlines()[-1])
    return {key: value for key, value in metrics.items() if 'time' not in key}
