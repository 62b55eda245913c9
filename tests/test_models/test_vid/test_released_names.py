"""Released checkpoints load strictly: same names, same shapes, nothing else."""

from __future__ import annotations

import json

import pytest
from mmengine.config import Config
from mmtrack.registry import MODELS

from tests.support.golden import ROOT

CONFIGS = 'configs/vid'
RELEASED = json.loads((ROOT / 'official_swint_keys.json').read_text())


@pytest.mark.parametrize(
    'config, released',
    [
        (
            'stpn/stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py',
            'dvp_fasterrcnn_swint_att_9x_cocopretrains',
        ),
        (
            'stpn/stpn_faster-rcnn_swin-t_fpn_avg_8xb1-9e_imagenetvid.py',
            'dvp_fasterrcnn_swint_avg_9x_cocopretrains',
        ),
        (
            'stpn_selsa/stpn-selsa_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py',
            'dvp_selsa_swint_att_9x_cocopretrains',
        ),
        (
            'stpn/stpn_faster-rcnn_swin-b_fpn_8xb1-9e_imagenetvid.py',
            'dvp_fasterrcnn_swinb_att_9x_cocopretrains',
        ),
    ],
)
def test_names_and_shapes(config: str, released: str) -> None:
    model = MODELS.build(Config.fromfile(f'{CONFIGS}/{config}').model)
    ours = {name: list(value.shape) for name, value in model.state_dict().items()}
    assert ours == dict(RELEASED[released])
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == RELEASED[f'{released}__num_parameters']


def test_swin_s_parameters() -> None:
    config = 'stpn/stpn_faster-rcnn_swin-s_fpn_8xb1-9e_imagenetvid.py'
    model = MODELS.build(Config.fromfile(f'{CONFIGS}/{config}').model)
    assert sum(p.numel() for p in model.parameters()) == 66_324_528


def test_predictor_parameters() -> None:
    """Count given in the paper's secondary sources for Swin-T."""
    predictor = MODELS.build(
        dict(type='AttentionPromptPredictor', in_channels=768, prompt_dims=96)
    )
    assert sum(p.numel() for p in predictor.parameters()) == 111_552
