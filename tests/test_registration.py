"""``custom_imports`` makes everything known to mmtrack's registries."""

from __future__ import annotations

import subprocess
import sys

import pytest

CONFIG = 'configs/vid/stpn/stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py'

BUILD = f"""
from mmengine.config import Config
cfg = Config.fromfile('{CONFIG}')
from mmengine.registry import init_default_scope
init_default_scope(cfg.default_scope)
from mmtrack.registry import MODELS, TRANSFORMS
for name in ('STPN', 'STPNSwinTransformer', 'AttentionPromptPredictor'):
    assert MODELS.get(name).__module__.startswith('stpn_plugin'), name
assert TRANSFORMS.get('PadFramesToLargest')
"""

TWICE = """
import importlib, sys
import stpn_plugin
importlib.import_module('stpn_plugin')
importlib.reload(sys.modules['stpn_plugin'])
"""

STOCK_FIRST = """
from mmtrack.utils import register_all_modules
register_all_modules(init_default_scope=True)
"""

WORKER = """
import numpy as np
import torch
import stpn_plugin
from mmtrack.registry import TRANSFORMS

class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 2
    def __getitem__(self, i):
        cfg = dict(type='mmtrack.PadFramesToLargest')
        return TRANSFORMS.build(cfg)(dict(img=[np.full((2, 2, 3), i)]))['img'][0].mean()

if __name__ == '__main__':
    loader = torch.utils.data.DataLoader(
        Data(), num_workers=1, collate_fn=list, batch_size=2,
        multiprocessing_context='{context}')
    assert list(loader) == [[0, 1]]
"""


def run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    'code',
    [BUILD, TWICE + BUILD, STOCK_FIRST + BUILD, BUILD + STOCK_FIRST + TWICE],
    ids=['config', 'twice', 'after mmtrack', 'before mmtrack'],
)
def test_import(code: str) -> None:
    run(code)


@pytest.mark.slow
@pytest.mark.parametrize('context', ['fork', 'spawn'])
def test_data_loader_workers(tmp_path, context: str) -> None:
    script = tmp_path / 'worker.py'
    script.write_text(WORKER.format(context=context))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
