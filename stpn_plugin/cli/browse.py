"""Show what the network sees after the pipeline of a dataset.

Writes a picture for each of some samples, evenly spread over the dataset: the key
frame and its support frames side by side, with their boxes.
"""

from __future__ import annotations

import os.path as osp
from dataclasses import dataclass

import numpy as np

from ..builders import build_dataset, packed_sample
from ..utils import ProgressBar
from ..visualization import plot_sample, save_figure
from .command import Command, option
from .configs import ConfigOptions
from .values import positive


@dataclass
class Options(ConfigOptions):
    """Which samples, and where to."""

    output_dir: str = option('folder, default: %(default)s', default='browse_dataset')
    number: int = option(
        'how many samples, default: %(default)s', default=20, type=positive
    )
    phase: str = option(
        'default: %(default)s', default='train', choices=['train', 'val']
    )


def run(options: Options) -> None:
    """Draw the samples."""
    dataset = build_dataset(options.read_config(), options.phase)
    spread = np.linspace(0, len(dataset) - 1, min(options.number, len(dataset)))
    for index in ProgressBar(np.rint(spread).astype(int).tolist(), unit='sample'):
        sample = packed_sample(dataset, index)
        figure = plot_sample(sample, dataset.metainfo['CLASSES'])
        save_figure(figure, osp.join(options.output_dir, f'{index:06d}.png'))
    print(f'{len(spread)} samples of {len(dataset)} written to {options.output_dir}')


main = Command(__doc__, Options, run)
