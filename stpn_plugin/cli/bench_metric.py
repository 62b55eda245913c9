"""Measure time and memory of the motion-specific AP on synthetic detections.

Without options, it does so for the size of ImageNet VID's validation set: 176,126
frames with 277,551 boxes in 555 videos, and 100 detections a frame.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass

from ..benchmarks.motion_metric import NUM_CLASSES, make_dataset
from ..evaluation import MOTION_RANGES, VIDMotionEvaluator
from .command import BaseOptions, Command, option
from .values import count, positive


def peak_memory() -> float:
    """Highest resident memory of this process so far, in GiB."""
    unit = 1 if sys.platform == 'darwin' else 1024  # bytes or KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


@dataclass
class Options(BaseOptions):
    """Size of the data set."""

    frames: int = option('default: %(default)s', default=176_126, type=positive)
    boxes: int = option('about how many, default: %(default)s', 277_551, type=count)
    videos: int = option('default: %(default)s', default=555, type=positive)
    dets_per_frame: int = option('default: %(default)s', default=100, type=count)
    repeat: int = option('report the best of so many', default=1, type=positive)


def run(options: Options) -> None:
    """Run the benchmark."""
    gts, dets = make_dataset(
        options.frames, options.boxes, options.dets_per_frame, options.videos
    )
    num_boxes = sum(len(gt['labels']) for gt in gts)
    num_dets = sum(len(det['labels']) for det in dets)
    print(f'{len(gts):,} frames, {num_boxes:,} boxes, {num_dets:,} detections')
    print(f'memory with the data set: {peak_memory():.2f} GiB')

    prepared, at_50, at_all = [], [], []
    for _ in range(options.repeat):
        start = time.perf_counter()
        evaluator = VIDMotionEvaluator(gts, dets, NUM_CLASSES)
        prepared.append(time.perf_counter() - start)
        for limits in MOTION_RANGES.values():
            evaluator.average_precision(0.5, limits)
        at_50.append(time.perf_counter() - start)
        for percent in range(55, 100, 5):
            for limits in MOTION_RANGES.values():
                evaluator.average_precision(percent / 100, limits)
        at_all.append(time.perf_counter() - start)
    print(f'sorting and IoUs:                      {min(prepared):8.3f} s')
    print(f'... and AP50 of the four ranges:       {min(at_50):8.3f} s')
    print(f'... and AP at 0.55 to 0.95 of them:    {min(at_all):8.3f} s')
    print(f'peak memory:                           {peak_memory():8.2f} GiB')


main = Command(__doc__, Options, run)
