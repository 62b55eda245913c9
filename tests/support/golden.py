"""Reference vectors computed with the authors' code.

``tests/data/golden/manifest.json`` tells how each file was made and how close
an implementation must come.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

ROOT = Path(__file__).parents[1] / 'data' / 'golden'
MANIFEST = json.loads((ROOT / 'manifest.json').read_text())['files']


class Golden(NamedTuple):
    """One case: constructor arguments, weights, inputs, expected outputs."""

    cfg: dict[str, Any]
    model: dict[str, Any]
    weights: dict[str, Tensor]
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    tolerance: dict[str, Any]


def _read(filename: str, prefix: str) -> dict[str, Tensor]:
    with np.load(ROOT / filename, allow_pickle=False) as arrays:
        return {
            name[len(prefix) :]: torch.from_numpy(np.asarray(arrays[name]))
            for name in arrays.files
            if name.startswith(prefix)
        }


def load_golden(name: str) -> Golden:
    """Load a case, weights and inputs that it shares with others included."""
    filename = f'{name}.npz'
    with np.load(ROOT / filename, allow_pickle=False) as arrays:
        cfg = json.loads(str(arrays['cfg']))
    weights: dict[str, Tensor] = {}
    inputs: dict[str, Tensor] = {}
    for shared in cfg.get('weights', []):
        weights.update(_read(shared, 'sd/'))
    for shared in cfg.get('inputs', []):
        inputs.update(_read(shared, 'in/'))
    weights.update(_read(filename, 'sd/'))
    inputs.update(_read(filename, 'in/'))
    model = dict(cfg.get('model') or {})
    model.pop('type', None)
    return Golden(
        cfg,
        model,
        weights,
        inputs,
        _read(filename, 'out/'),
        MANIFEST[filename]['tolerance'],
    )


def load_weights(module: torch.nn.Module, weights: dict[str, Tensor]) -> None:
    """Load a case's weights; only index buffers may be missing."""
    missing, unexpected = module.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(key.endswith('relative_position_index') for key in missing), missing


def unmatched(
    found: Tensor, expected: Tensor, score_atol: float, box_atol: float
) -> int:
    """Number of detections without a partner in a one-to-one matching.

    Args:
        found: (N, 6) or (N, 5): x1, y1, x2, y2, score[, label].
        expected: (M, 6) or (M, 5).
        score_atol: Largest difference of scores in a pair.
        box_atol: Largest difference of box coordinates in a pair, in pixels.
    """
    from scipy.optimize import linear_sum_assignment

    diff = (found[:, None] - expected[None]).abs()
    fits = (diff[..., :4].amax(-1) <= box_atol) & (diff[..., 4] <= score_atol)
    fits &= (diff[..., 5:] == 0).all(-1)
    rows, columns = linear_sum_assignment(~fits.numpy())
    matched = int(fits[rows, columns].sum())
    return max(len(found), len(expected)) - matched
