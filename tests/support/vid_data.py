"""A small CocoVID set and detections on it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

CLASSES = ('zebra', 'antelope', 'bear')


def write_cocovid(path: Path, num_videos: int = 3, num_frames: int = 14) -> dict:
    """Write an annotation file; categories and images in no special order.

    Objects are slow in the first video, fast in the third, and in between in the
    second; every third frame is empty.
    """
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for video_id in range(1, num_videos + 1):
        speed = (0.25, 1.25, 6)[(video_id - 1) % 3]  # pixels a frame
        for frame_id in range(num_frames):
            image_id = 1000 - 100 * video_id + frame_id
            images.append(
                dict(
                    id=image_id,
                    video_id=video_id,
                    frame_id=frame_id,
                    file_name=f'val/{video_id}/{frame_id:06d}.JPEG',
                    height=240,
                    width=320,
                )
            )
            if frame_id % 3 == 2:
                continue
            for instance in range(video_id):
                annotations.append(
                    dict(
                        id=int(rng.integers(10**9)),
                        image_id=image_id,
                        video_id=video_id,
                        category_id=(30, 10, 20)[(video_id + instance) % 3],
                        instance_id=10 * video_id + instance,
                        bbox=[speed * frame_id, 60 * instance, 60, 50],
                        area=3000,
                        iscrowd=False,
                    )
                )
    content = dict(
        categories=[
            dict(id=10, name='antelope'),
            dict(id=20, name='bear'),
            dict(id=30, name='zebra'),
            dict(id=40, name='other_categories'),
        ],
        videos=[dict(id=i, name=f'val/{i}') for i in range(1, num_videos + 1)],
        images=images,
        annotations=[annotations[i] for i in rng.permutation(len(annotations))],
    )
    path.write_text(json.dumps(content))
    return content


def make_predictions(content: dict, seed: int = 0) -> list[dict]:
    """Predictions as an evaluator hands them to metrics, one per image."""
    rng = np.random.default_rng(seed)
    label_of = {30: 0, 10: 1, 20: 2}
    predictions = []
    for image in content['images']:
        rows = []
        for ann in content['annotations']:
            if ann['image_id'] != image['id'] or rng.random() < 0.2:
                continue
            x, y, w, h = ann['bbox']
            box = np.array([x, y, x + w, y + h]) + rng.normal(0, 6, 4)
            label = label_of[ann['category_id']]
            if rng.random() < 0.2:
                label = int(rng.integers(3))
            rows.append((box, label))
        for _ in range(rng.integers(0, 3)):
            corner = rng.random(2) * 100
            rows.append((np.hstack([corner, corner + 50]), int(rng.integers(3))))
        count = len(rows)
        boxes = np.array([box for box, _ in rows]).reshape(-1, 4)
        predictions.append(
            dict(
                img_id=image['id'],
                ori_shape=(240, 320),
                pred_det_instances=dict(
                    bboxes=torch.tensor(boxes, dtype=torch.float32),
                    labels=torch.tensor([label for _, label in rows]).long(),
                    scores=torch.tensor(rng.random(count), dtype=torch.float32),
                ),
            )
        )
    return predictions


def image(*rows: tuple) -> dict:
    """Rows of (box, label) or (box, label, score)."""
    made = dict(
        bboxes=np.array([row[0] for row in rows], np.float32).reshape(-1, 4),
        labels=np.array([row[1] for row in rows], np.int64),
    )
    made['scores'] = np.array([row[-1] for row in rows], np.float32)
    made['motion_ious'] = np.ones(len(rows))
    return made


def random_set(seed: int, num_images: int = 60, num_classes: int = 4) -> tuple:
    rng = np.random.default_rng(seed)

    def boxes(n: int) -> np.ndarray:
        corners = rng.uniform(0, 60, (n, 2))
        return np.hstack([corners, corners + rng.uniform(20, 80, (n, 2))])

    gts, dets = [], []
    for _ in range(num_images):
        gt = boxes(rng.integers(0, 4))
        labels = rng.integers(0, num_classes - 1, len(gt))
        repeats = rng.integers(0, 4, len(gt))
        det = np.repeat(gt, repeats, axis=0)
        det = det + rng.normal(0, 8, det.shape)
        det_labels = np.repeat(labels, repeats)
        other = rng.random(len(det)) < 0.3
        det_labels[other] = rng.integers(0, num_classes, other.sum())
        noise = boxes(rng.integers(0, 3))
        noise_labels = rng.integers(0, num_classes, len(noise))
        det, det_labels = np.vstack([det, noise]), np.append(det_labels, noise_labels)
        gts.append(image(*zip(gt, labels)))
        dets.append(image(*zip(det, det_labels, rng.random(len(det)))))
    return gts, dets
