"""Show where the prompts of a detector look, and which patches look at them.

Writes ``support.png``, the attention of the prompts over the support frames (if they
are predicted by attention), and ``stages.png``, what part of their attention the
patches of some frames pay to the prompts, stage by stage.
"""

from __future__ import annotations

import argparse
import os.path as osp
from typing import Sequence

import stpn_plugin  # noqa: F401 (adapts the environment before mmtrack is imported)
from stpn_plugin.visualization import plot_prompt_attention, save_figure
from stpn_plugin.visualization.video_runs import add_video_arguments, open_video


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_video_arguments(parser)
    parser.add_argument(
        '--out-dir', default='.', help='folder for the pictures, default: this one'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Draw as the command line says."""
    args = parse_args(argv)
    for name, figure in plot_prompt_attention(*open_video(args)).items():
        path = osp.join(args.out_dir, f'{name}.png')
        save_figure(figure, path)
        print(f'Figure written to {path}')


if __name__ == '__main__':
    main()
