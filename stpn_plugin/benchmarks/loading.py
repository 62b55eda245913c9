"""Images a second that one worker of the data loader reads and transforms."""

from __future__ import annotations

import copy
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmtrack.registry import TRANSFORMS

from ..builders import load_config, scope_of
from ..datasets.collate import collate_frames
from .detectors import STPN
from .measuring import Settings, Table

COLLATE = 'collate_frames'


def write_frames(folder: Path, size: tuple[int, int], count: int) -> list[str]:
    """Write JPEG files with as much detail as photographs have."""
    rng = np.random.default_rng(0)
    height, width = size
    paths = []
    for i in range(count):
        coarse = rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8)
        img = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        noise = rng.integers(0, 12, img.shape, np.uint8)
        paths.append(str(folder / f'{i:06d}.JPEG'))
        cv2.imwrite(paths[-1], cv2.add(img, noise))
    return paths


def _sample(paths: list[str], size: tuple[int, int]) -> dict[str, Any]:
    """What a video dataset hands to its pipeline: one entry for each frame."""
    height, width = size
    box = [0.2 * width, 0.2 * height, 0.7 * width, 0.7 * height]
    instance = dict(bbox=box, bbox_label=0, ignore_flag=0, instance_id=1)
    frame = dict(
        img_id=1,
        video_id=1,
        video_length=len(paths),
        height=height,
        width=width,
        is_video_data=True,
        frame_stride=-1,
        num_left_ref_imgs=-1,
    )
    results: dict[str, Any] = {
        key: [value] * len(paths) for key, value in frame.items()
    }
    results.update(
        img_path=list(paths),
        frame_id=list(range(len(paths))),
        instances=[[dict(instance)] for _ in paths],
    )
    return results


def pipeline_steps(pipeline: list[dict[str, Any]]) -> list[tuple[str, BaseTransform]]:
    """The transforms of a pipeline one by one, those inside a broadcaster too."""
    steps = []
    for cfg in pipeline:
        if cfg['type'] == 'TransformBroadcaster':
            for inner in cfg['transforms']:
                single = TRANSFORMS.build(dict(cfg, transforms=[inner]))
                steps.append((inner['type'], single))
        else:
            steps.append((cfg['type'], TRANSFORMS.build(dict(cfg))))
    return steps


def measure(phase: str, num_frames: int, repeats: int, size: tuple[int, int]) -> Table:
    """Time the steps of a phase's pipeline.

    Args:
        phase: 'train' or 'test'.
        num_frames: Frames of a sample: the key frame and its support frames.
        repeats: Number of samples.
        size: (H, W) of the files.
    """
    cfg = load_config(STPN)
    dataset = cfg[f'{phase}_dataloader'].dataset
    pipeline = dataset.datasets[0].pipeline if phase == 'train' else dataset.pipeline
    spent: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = write_frames(Path(folder), size, num_frames)
        sample = _sample(paths, size)
        with scope_of(cfg):
            steps = pipeline_steps(pipeline)
            for _ in range(repeats):
                results: Any = copy.deepcopy(sample)
                for name, step in steps:
                    start = time.process_time()
                    results = step(results)
                    took = time.process_time() - start
                    spent[name] = spent.get(name, 0) + took
                start = time.process_time()
                collate_frames([results])
                took = time.process_time() - start
                spent[COLLATE] = spent.get(COLLATE, 0) + took
    images = repeats * num_frames
    total = max(sum(spent.values()), 1e-9)
    rows = [['step', 'CPU ms an image', 'share']]
    for name, seconds in spent.items():
        rows.append([name, f'{1e3 * seconds / images:.2f}', f'{seconds / total:.0%}'])
    rows.append(['all', f'{1e3 * total / images:.2f}', '100%'])
    return Table(
        f'Loading in {phase}ing: {images / total:.0f} images a second for each worker',
        rows,
        f'JPEG files of {size[1]}x{size[0]}, {num_frames} frames a sample; '
        f'{repeats} samples.',
    )


def tables(settings: Settings) -> list[Table]:
    """All about loading."""
    cv2.setNumThreads(0)  # as in the workers
    size = (72, 128) if settings.quick else (720, 1280)
    repeats = settings.repeats(8)
    return [measure('test', 1, 2 * repeats, size), measure('train', 3, repeats, size)]
