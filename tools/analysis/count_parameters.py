"""Count the parameters of models, also those of the prompt predictor alone."""

from __future__ import annotations

import argparse
import os.path as osp
from typing import Sequence

from torch import nn

import stpn_plugin  # noqa: F401 (adapts the environment before mmtrack is imported)
from stpn_plugin.builders import build_model, load_config


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='config files')
    return parser.parse_args(argv)


def count(module: nn.Module) -> int:
    """Number of parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def main(argv: Sequence[str] | None = None) -> None:
    """Count as the command line says."""
    configs = parse_args(argv).configs
    print(f'{"all":>12} {"prompts":>9}  config')
    for config in configs:
        model = build_model(load_config(config))
        prompts = count(getattr(model, 'prompt_predictor', nn.Identity()))
        # Models take seconds to build: each line is shown as soon as it is known.
        print(f'{count(model):12,} {prompts:9,}  {osp.basename(config)}', flush=True)


if __name__ == '__main__':
    main()
