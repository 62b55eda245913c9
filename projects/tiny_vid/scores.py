"""Score saved predictions on tiny_vid: all, sharp and deteriorated frames.

Beside the AP stands that of a guesser: the same boxes and scores, with a class
drawn at random for each box. What a detector earns above it, it
earns by telling classes apart.

Example:
    $ python -m projects.tiny_vid.scores CONFIG results.pkl
"""

from __future__ import annotations

import argparse
import json
import os.path as osp
from typing import Sequence

import numpy as np
from mmengine.config import Config

from projects.tiny_vid.generate import MARKER
from stpn_plugin.evaluation import (
    MOTION_RANGES,
    SavedRun,
    load_saved_run,
    vid_motion_ap,
)
from stpn_plugin.utils import name_runs, text_table

NUM_GUESSES = 10


def deteriorations(data_root: str, img_paths: Sequence[str | None]) -> list[str | None]:
    """Look up what is wrong with val frames.

    Args:
        data_root: Folder that the generator wrote.
        img_paths: Files of val frames.

    Returns:
        The kind of deterioration of each frame, or None.

    Raises:
        FileNotFoundError: The folder is none of the generator's.
    """
    with open(osp.join(data_root, MARKER)) as file:
        kinds = json.load(file)['deterioration']
    found = []
    for path in img_paths:
        folder, name = osp.split(str(path))
        video = osp.join('val', osp.basename(folder))
        found.append(kinds[video][int(osp.splitext(name)[0])])
    return found


def ap50(run: SavedRun, frames: np.ndarray | None = None) -> dict[str, float]:
    """AP50 in percent by motion speed: ``all``, ``fast``, ``medium``, ``slow``.

    Args:
        run: Predictions and ground truth.
        frames: (number of frames,) bool, which to score.
    """
    picks = range(len(run.gts)) if frames is None else np.flatnonzero(frames)
    scores = vid_motion_ap(
        [run.gts[i] for i in picks], [run.dets[i] for i in picks], len(run.classes)
    )
    return {name: 100 * scores[name]['map'] for name in MOTION_RANGES}


def guess(run: SavedRun, seed: int) -> SavedRun:
    """The same boxes and scores with classes drawn at random."""
    rng = np.random.default_rng(seed)
    dets = [
        dict(det, labels=rng.integers(len(run.classes), size=len(det['labels'])))
        for det in run.dets
    ]
    return run._replace(dets=dets)


def score(run: SavedRun, data_root: str) -> dict[str, float]:
    """AP50 in percent of a run.

    Args:
        run: Predictions on the val videos, and ground truth.
        data_root: Folder that the generator wrote.

    Returns:
        ``all``, ``fast``, ``medium``, ``slow``; ``sharp`` and ``deteriorated``, on
        these frames alone; and ``guess``, of boxes with classes drawn at random, the
        mean of ten draws.
    """
    kinds = deteriorations(data_root, run.img_paths)
    bad = np.array([kind is not None for kind in kinds])
    guesses = [ap50(guess(run, seed))['all'] for seed in range(NUM_GUESSES)]
    return dict(
        ap50(run),
        sharp=ap50(run, ~bad)['all'],
        deteriorated=ap50(run, bad)['all'],
        guess=float(np.mean(guesses)),
    )


def print_scores(scores: dict[str, dict[str, float]]) -> None:
    """Print scores as a table, a row for each run.

    Args:
        scores: Scores by name of the run.
    """
    columns = list(next(iter(scores.values())))
    rows = [['run', *columns]]
    for name, values in scores.items():
        rows.append([name, *(f'{values[column]:.1f}' for column in columns)])
    print('AP50 on the val videos of tiny_vid')
    print(text_table(rows))


def main(argv: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config', help='config of the test run')
    parser.add_argument('results', nargs='+', help='what tools/test.py --out wrote')
    parser.add_argument('--names', nargs='+', help='of the runs, default: of the files')
    args = parser.parse_args(argv)
    cfg = Config.fromfile(args.config)
    data_root = cfg.test_dataloader.dataset.data_root
    names = name_runs(args.results, args.names)
    runs = [load_saved_run(cfg, *pair) for pair in zip(args.results, names)]
    print_scores({run.name: score(run, data_root) for run in runs})


if __name__ == '__main__':
    main()
