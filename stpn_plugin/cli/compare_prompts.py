"""Show what a detector finds with its prompts and with the prompts withheld.

The detector was trained with prompts: this shows how much it relies on them, not what
they gain over a detector trained without.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..visualization import compare_prompts, plot_prompt_comparison, save_figure
from .command import Command, option
from .values import score
from .videos import VideoOptions


@dataclass
class Options(VideoOptions):
    """What to draw, and where to."""

    score_thr: float = option(
        'draw detections of this score or more, default: %(default)s',
        default=0.3,
        type=score,
    )
    out: str = option(
        'picture, default: %(default)s', default='compare_prompts.png', output=True
    )


def run(options: Options) -> None:
    """Compare."""
    model, dataset, video, frames = options.open()
    classes = dataset.metainfo['CLASSES']
    comparison = compare_prompts(model, dataset, video, frames, len(classes))
    figure = plot_prompt_comparison(comparison, video, classes, options.score_thr)
    save_figure(figure, options.out)
    print(
        f'Mean frame score: {comparison.prompted_scores.mean():.3f} with prompts, '
        f'{comparison.withheld_scores.mean():.3f} without'
    )
    print(f'Figure written to {options.out}')


main = Command(__doc__, Options, run)
