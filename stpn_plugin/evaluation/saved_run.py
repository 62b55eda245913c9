"""Saved predictions next to their ground truth, for analysis."""

from __future__ import annotations

import os.path as osp
from typing import NamedTuple

from mmengine.config import Config
from mmtrack.registry import METRICS

from ..builders import dataset_meta, entry, scope_of
from ..utils import classes_in
from .evaluator_configs import as_list, select_evaluators
from .result_files import check_results, load_results


class SavedRun(NamedTuple):
    """Predictions of a test run and what they should have been.

    Attributes:
        name: What to call the run in figures.
        classes: Names of the classes.
        gts: Ground truth per image, in the order of the annotation file: ``bboxes`` (n,
            4) as ``x1, y1, x2, y2``, ``labels`` (n, ), ``motion_ious`` (n, ) and
            ``has_objects``. If only a part of the file was tested, of that part.
        dets: Detections of the same images: ``bboxes`` (m, 4), ``labels`` (m, ) and
            ``scores`` (m, ).
        img_paths: Files of the images, where the predictions name them.
    """

    name: str
    classes: tuple[str, ...]
    gts: list[dict]
    dets: list[dict]
    img_paths: list[str | None]


def load_saved_run(cfg: Config, results_file: str, name: str | None = None) -> SavedRun:
    """Read predictions and their ground truth.

    Args:
        cfg: Config of the test run. Its ``VIDMotionMetric``, or else another evaluator
            or the test dataset, names the annotation file.
        results_file: File that ``tools/test.py --out`` wrote.
        name: What to call the run. Defaults to the name of the file without its ending.

    Returns:
        The run.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file is not what it should be, or they do not fit together.
    """
    dataset = entry(cfg, 'test_dataloader.dataset')
    evaluators = as_list(cfg.get('test_evaluator'))
    with scope_of(cfg):
        metric = METRICS.build(select_evaluators(evaluators, ['motion'], dataset)[0])
    metainfo = dataset_meta(cfg)
    metric.dataset_meta = metainfo

    predictions = load_results(results_file)
    check_results(predictions, results_file)
    try:
        metric.process({}, predictions)
        path_of = {p['img_id']: p.get('img_path') for p in predictions}
    except KeyError as error:
        raise ValueError(
            f'a prediction in {results_file} has no {error}; it should be a file that '
            'tools/test.py --out wrote for a video object detector'
        ) from error
    try:
        truth, dets = metric.scored_part(metric.results)
    except ValueError as error:  # its text tells of a detection or of an image
        raise ValueError(
            f'{results_file} against {metric.ann_file}: {error}'
        ) from error
    if truth.gts is None:
        raise ValueError(f'{metric.ann_file} has no annotations to compare with')
    return SavedRun(
        name=name or osp.splitext(osp.basename(results_file))[0],
        classes=classes_in(metainfo) or (),
        gts=truth.gts,
        dets=dets,
        img_paths=[path_of[image_id] for image_id in truth.image_ids],
    )
