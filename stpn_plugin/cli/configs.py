"""Options of the commands that read a config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmengine.config import Config

from ..builders import load_config
from .command import BaseOptions, argument, option


def config_argument() -> Any:
    """The field of a config."""
    return argument(
        'config file, or a config of an installed OpenMMLab package such as '
        'mmtrack::vid/dff/dff_faster-rcnn_r50-dc5_8xb1-7e_imagenetvid.py'
    )


def config_overrides() -> Any:
    """The field of ``--cfg-options``."""
    return option(
        'override entries of the config, e.g. train_dataloader.batch_size=2 '
        '\'a.b="[1,2]"\''
    )


@dataclass
class ConfigOptions(BaseOptions):
    """A config, and what to change in it."""

    config: str = config_argument()
    cfg_options: dict[str, Any] | None = config_overrides()

    def read_config(self) -> Config:
        """Read the config.

        Raises:
            FileNotFoundError: It does not exist.
            ConfigError: It cannot be read, or an option does not fit.
        """
        return load_config(self.config, self.cfg_options)
