"""Time and memory of the motion-specific AP on synthetic detections."""

from __future__ import annotations

from typing import Callable

import numpy as np

from ..evaluation import MOTION_RANGES, VIDMotionEvaluator, motion_iou
from .measuring import Settings, Table, number, peak_memory, timed
from .plain_motion_ap import mean_ap, motion_ap

FRAMES, BOXES, VIDEOS = 176_126, 277_551, 555
"""Of ImageNet VID's validation set."""

DETECTIONS = 100
"""In each frame."""

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


def evaluate(gts: list[dict], dets: list[dict]) -> dict[str, float]:
    """AP50 of all ranges of motion."""
    evaluator = VIDMotionEvaluator(gts, dets, NUM_CLASSES)
    return {
        name: mean_ap(evaluator.average_precision(0.5, limits))
        for name, limits in MOTION_RANGES.items()
    }


def evaluate_plainly(gts: list[dict], dets: list[dict]) -> dict[str, float]:
    """The same, image by image."""
    return {
        name: motion_ap(gts, dets, NUM_CLASSES, 0.5, limits)
        for name, limits in MOTION_RANGES.items()
    }


def tables(settings: Settings) -> list[Table]:
    """Ours at the size of the validation set, and both ways on a part of it."""
    quick = settings.quick
    part, whole = (50, 100) if quick else (3_000, FRAMES)
    rows = [['evaluation', 'frames', 's', 'CPU s', 'us a detection', 'peak MiB']]
    per_frame: dict[str, float] = {}

    def measure(name: str, run: Callable[[], object], frames: int) -> None:
        costs = []
        mib = peak_memory(lambda: costs.append(timed(run, 'cpu')), 'cpu')
        (cost,) = costs
        per_frame[name] = cost.cpu_seconds / frames
        each = 1e6 * cost.cpu_seconds / (frames * DETECTIONS)
        shown = '–' if mib is None else f'{mib:.0f}'
        row = [f'{frames:,}', number(cost.seconds), number(cost.cpu_seconds)]
        rows.append([name, *row, f'{each:.2f}', shown])

    gts, dets = make_dataset(
        part, part * BOXES // FRAMES, DETECTIONS, max(part // 300, 1)
    )
    ours, plain = 'ours', 'image by image'
    found: list[dict[str, float]] = []
    measure(ours, lambda: found.append(evaluate(gts, dets)), part)
    measure(plain, lambda: found.append(evaluate_plainly(gts, dets)), part)
    times = per_frame[plain] / max(per_frame[ours], 1e-9)
    gap = np.nanmax([abs(found[0][name] - found[1][name]) for name in MOTION_RANGES])
    boxes, videos = (150, 2) if quick else (BOXES, VIDEOS)
    gts, dets = make_dataset(whole, boxes, DETECTIONS, videos)
    name = 'ours, all of the val set'
    measure(name, lambda: evaluate(gts, dets), whole)
    times_all = per_frame[plain] / max(per_frame[name], 1e-9)
    return [
        Table(
            f'AP50 by motion speed, four ranges, {DETECTIONS} detections a frame',
            rows,
            '"Image by image": as the published evaluator works, written anew. It '
            f'takes {times:.0f} times as long on {part:,} frames; on {whole:,}, if its '
            f'time grows with their number, {times_all:.0f} times. AP of the two '
            f'differs by at most {gap:.1e}.',
        )
    ]
