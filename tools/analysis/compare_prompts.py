"""Show what a detector finds with its prompts and with the prompts withheld.

The detector was trained with prompts: this shows how much it relies on them, not what
they gain over a detector trained without.
"""

from __future__ import annotations

import argparse
from typing import Sequence

import stpn_plugin  # noqa: F401 (adapts the environment before mmtrack is imported)
from stpn_plugin.visualization import (
    compare_prompts,
    plot_prompt_comparison,
    save_figure,
)
from stpn_plugin.visualization.video_runs import add_video_arguments, open_video


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_video_arguments(parser)
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.3,
        help='draw detections of this score or more, default: 0.3',
    )
    parser.add_argument(
        '--out', default='compare_prompts.png', help='picture, default: %(default)s'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Compare as the command line says."""
    args = parse_args(argv)
    model, dataset, video, frames = open_video(args)
    classes = dataset.metainfo['CLASSES']
    comparison = compare_prompts(model, dataset, video, frames, len(classes))
    figure = plot_prompt_comparison(comparison, video, classes, args.score_thr)
    save_figure(figure, args.out)
    print(
        f'Mean frame score: {comparison.prompted_scores.mean():.3f} with prompts, '
        f'{comparison.withheld_scores.mean():.3f} without'
    )
    print(f'Figure written to {args.out}')


if __name__ == '__main__':
    main()
