"""Count the parameters of models, also those of the prompt predictor alone."""

from __future__ import annotations

import os.path as osp
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..builders import build_model, load_config
from .command import BaseOptions, Command, argument
from .configs import config_overrides


@dataclass
class Options(BaseOptions):
    """Which models."""

    configs: list[str] = argument('config files', metavar='CONFIG')
    cfg_options: dict[str, Any] | None = config_overrides()


def count(module: nn.Module) -> int:
    """Number of parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def run(options: Options) -> None:
    """Count."""
    print(f'{"all":>12} {"prompts":>9}  config')
    for config in options.configs:
        model = build_model(load_config(config, options.cfg_options))
        prompts = count(getattr(model, 'prompt_predictor', nn.Identity()))
        # Models take seconds to build: each line is shown as soon as it is known.
        print(f'{count(model):12,} {prompts:9,}  {osp.basename(config)}', flush=True)


main = Command(__doc__, Options, run)
