"""A model as a folder: weights, config and card, in the layout of Hugging Face."""

from __future__ import annotations

import os.path as osp
from typing import Any, NamedTuple

from .literal_configs import parse_literal_config
from .safetensors_files import INDEX_SUFFIX, SUFFIX

WEIGHTS, CONFIG, SETTINGS, CARD = 'model', 'config.py', 'config.json', 'README.md'


class ModelFolder(NamedTuple):
    """What a folder holds.

    Attributes:
        config: Values of the config.
        weights: The file of the weights, or the index of several.
    """

    config: dict[str, Any]
    weights: str


def read_model_folder(folder: str) -> ModelFolder:
    """Find weights and config in a folder that ``stpn publish`` wrote.

    Nothing of it is run: the config is read as data.

    Args:
        folder: The folder.

    Returns:
        What it holds.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The config is none, or is more than data.
    """
    config = osp.join(folder, CONFIG)
    found = [osp.join(folder, WEIGHTS + suffix) for suffix in (SUFFIX, INDEX_SUFFIX)]
    weights = next((path for path in found if osp.isfile(path)), None)
    if weights is None or not osp.isfile(config):
        missing = osp.basename(found[0]) if weights is None else CONFIG
        raise FileNotFoundError(
            f'{folder} has no {missing}; a folder that stpn publish wrote is needed'
        )
    with open(config, encoding='utf-8', errors='replace') as file:
        return ModelFolder(parse_literal_config(file.read(), config), weights)
