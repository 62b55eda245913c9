"""Show what the network sees after the pipeline of a dataset.

Writes a picture for each of some samples, evenly spread over the dataset: the key
frame and its support frames side by side, with their boxes.
"""

from __future__ import annotations

import argparse
import os.path as osp
from typing import Sequence

import numpy as np
from mmengine.config import DictAction
from tqdm import tqdm

import stpn_plugin  # noqa: F401 (adapts the environment before mmtrack is imported)
from stpn_plugin.builders import build_dataset, load_config
from stpn_plugin.visualization import plot_sample, save_figure


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--output-dir', default='browse_dataset', help='folder, default: %(default)s'
    )
    parser.add_argument(
        '--number', type=int, default=20, help='how many samples, default: 20'
    )
    parser.add_argument(
        '--phase', choices=['train', 'val'], default='train', help='default: train'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override entries of the config',
    )
    args = parser.parse_args(argv)
    if args.number < 1:
        parser.error(f'--number has to be at least 1, not {args.number}')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Browse as the command line says."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    dataset = build_dataset(cfg, args.phase)
    spread = np.linspace(0, len(dataset) - 1, min(args.number, len(dataset)))
    for index in tqdm(np.rint(spread).astype(int).tolist(), unit='sample'):
        figure = plot_sample(dataset[index], dataset.metainfo['CLASSES'])
        save_figure(figure, osp.join(args.output_dir, f'{index:06d}.png'))
    print(f'{len(spread)} samples of {len(dataset)} written to {args.output_dir}')


if __name__ == '__main__':
    main()
