"""Show where the prompts of a detector look, and which patches look at them.

Writes ``support.png``, the attention of the prompts over the support frames (if they
are predicted by attention), and ``stages.png``, what part of their attention the
patches of some frames pay to the prompts, stage by stage.
"""

from __future__ import annotations

import os.path as osp
from dataclasses import dataclass

from ..visualization import plot_prompt_attention, save_figure
from .command import Command, option
from .videos import VideoOptions


@dataclass
class Options(VideoOptions):
    """Where the pictures go."""

    out_dir: str = option('folder for the pictures, default: this one', default='.')


def run(options: Options) -> None:
    """Draw."""
    for name, figure in plot_prompt_attention(*options.open()).items():
        path = osp.join(options.out_dir, f'{name}.png')
        save_figure(figure, path)
        print(f'Figure written to {path}')


main = Command(__doc__, Options, run)
