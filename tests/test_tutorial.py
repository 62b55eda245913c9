"""The tutorial's commands lead from a video to detections, as they are printed.

Only the model is smaller, and training shorter.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.commands import ROOT, run_command

TEXT = (ROOT / 'docs/own_data.md').read_text()
BACKBONE = 'model.detector.backbone'
SMALLER = [
    *(f'{BACKBONE}.init_cfg=None', f'{BACKBONE}.convert_weights=False'),
    *(f'{BACKBONE}.arch=None', f'{BACKBONE}.embed_dims=16'),
    *(f'{BACKBONE}.depths=(1,1,1,1)', f'{BACKBONE}.num_heads=(2,2,4,8)'),
    *('model.detector.neck.in_channels=[16,32,64,128]', 'load_from=None'),
    *('train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'param_scheduler=None'),
    *('train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False'),
    *('val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False'),
]
STPN = f"""
set -e
stpn() {{
    case $1 in
        train | demo)
            "$PYTHON" -m stpn_command "$@" --cfg-options {shlex.join(SMALLER)} ;;
        *) "$PYTHON" -m stpn_command "$@" ;;
    esac
}}
"""
FRAMES = 6


def write_video(path: Path) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 5, (96, 64))
    for i in range(FRAMES):
        frame = np.full((64, 96, 3), 60, np.uint8)
        cv2.rectangle(frame, (8 + 8 * i, 16), (32 + 8 * i, 40), (0, 200, 250), -1)
        writer.write(frame)
    writer.release()


def write_cvat(path: Path) -> None:
    boxes = ''.join(
        f'<box frame="{i}" keyframe="1" outside="0" occluded="0" '
        f'xtl="{8 + 8 * i}" ytl="16" xbr="{32 + 8 * i}" ybr="40"/>'
        for i in range(FRAMES)
    )
    path.write_text(
        '<annotations><version>1.1</version><meta><task><name>clip</name>'
        f'<size>{FRAMES}</size><source>clip.mp4</source>'
        '<original_size><width>96</width><height>64</height></original_size>'
        f'</task></meta><track id="0" label="box">{boxes}</track></annotations>'
    )


@pytest.mark.slow
def test_tutorial(tmp_path: Path) -> None:
    block = re.search('```shell\n(.*?)```', TEXT, re.S).group(1)
    commands = block.splitlines()
    assert len(commands) == 4
    assert all(command.startswith('stpn ') for command in commands)
    write_video(tmp_path / 'clip.mp4')
    write_video(tmp_path / 'other.mp4')
    write_cvat(tmp_path / 'task.xml')
    run_command('bash', '-c', STPN + block, cwd=tmp_path)
    found = cv2.VideoCapture(str(tmp_path / 'found.mp4'))
    number = 0
    while found.read()[0]:
        number += 1
    assert number == FRAMES
