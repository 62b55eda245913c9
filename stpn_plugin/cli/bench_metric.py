"""Measure time and memory of the motion-specific AP on synthetic detections.

Without options, it does so for the size of ImageNet VID's validation set: 176,126
frames with 277,551 boxes in 555 videos, and 100 detections a frame.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass

import numpy as np

from ..evaluation import MOTION_RANGES, VIDMotionEvaluator, motion_iou
from .command import BaseOptions, Command, option
from .values import count, positive

NUM_CLASSES = 30
WIDTH, HEIGHT = 1280, 720


def make_dataset(
    num_frames: int, num_boxes: int, dets_per_frame: int, num_videos: int, seed: int = 0
) -> tuple[list[dict], list[dict]]:
    """Make videos of moving boxes, and detections like a detector's.

    A video shows objects of one class that move at a speed of their own. In frames with
    objects, half of the detections are spread around them, of which most have the right
    class; the others lie anywhere.

    Args:
        num_frames: Number of frames.
        num_boxes: About how many ground-truth boxes there are in all.
        dets_per_frame: Number of detections in every frame.
        num_videos: Number of videos.
        seed: Seed of the random numbers.

    Returns:
        Ground truth, with motion IoUs, and detections of every frame.
    """
    rng = np.random.default_rng(seed)
    per_frame = num_boxes / num_frames
    gts, dets = [], []
    for frames in np.array_split(np.arange(num_frames), num_videos):
        label = rng.integers(NUM_CLASSES)
        # 1 object at least, and the given number on average.
        num_objects = 1 + rng.poisson(max(per_frame - 1, 0))
        shown = rng.random((len(frames), num_objects)) < min(per_frame, 1)
        frame_ids, instance_ids = np.nonzero(shown)
        sides = rng.uniform(50, 400, (num_objects, 2))
        start = rng.uniform(0, (WIDTH - 400, HEIGHT - 400), (num_objects, 2))
        speed = rng.exponential(3, (num_objects, 1)) * rng.choice([-1, 1], 2)
        corners = start[instance_ids] + speed[instance_ids] * frame_ids[:, None]
        bboxes = np.hstack([corners, corners + sides[instance_ids]]).round()
        motion_ious = motion_iou(bboxes, frame_ids, instance_ids)
        ends = np.cumsum(shown.sum(axis=1))[:-1]
        for boxes, ious in zip(np.split(bboxes, ends), np.split(motion_ious, ends)):
            labels = np.full(len(boxes), label)
            gts.append(
                dict(bboxes=boxes.astype(np.float32), labels=labels, motion_ious=ious)
            )
            dets.append(_detect(rng, boxes, label, dets_per_frame))
    return gts, dets


def _detect(
    rng: np.random.Generator, gt_bboxes: np.ndarray, label: int, number: int
) -> dict:
    corners = rng.uniform(0, (WIDTH - 400, HEIGHT - 400), (number, 2))
    bboxes = np.hstack([corners, corners + rng.uniform(20, 400, (number, 2))])
    labels = rng.integers(0, NUM_CLASSES, number)
    if len(gt_bboxes):
        near = number // 2
        chosen = gt_bboxes[rng.integers(0, len(gt_bboxes), near)]
        bboxes[:near] = chosen + rng.normal(0, 30, (near, 4))
        labels[:near] = np.where(rng.random(near) < 0.7, label, labels[:near])
    return dict(
        bboxes=bboxes.astype(np.float32),
        labels=labels,
        scores=rng.random(number).astype(np.float32),
    )


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
