"""Saved predictions next to their ground truth, for analysis."""

from __future__ import annotations

import argparse
import os.path as osp
from typing import NamedTuple

from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmtrack.registry import DATASETS, METRICS
from mmtrack.utils import register_all_modules

from ..builders import load_config
from ..evaluation import load_results
from ..utils import classes_in, name_runs
from .evaluators import as_list, select_evaluators


class SavedRun(NamedTuple):
    """Predictions of a test run and what they should have been.

    Attributes:
        name (str): What to call the run in figures.
        classes (tuple[str, ...]): Names of the classes.
        gts (list[dict]): Ground truth per image, in the order of the annotation file:
            ``bboxes`` (n, 4) as ``x1, y1, x2, y2``, ``labels`` (n, ),
            ``motion_ious`` (n, ) and ``has_objects``. If only a part of the file was
            tested, of that part.
        dets (list[dict]): Detections of the same images: ``bboxes`` (m, 4), ``labels``
            (m, ) and ``scores`` (m, ).
        img_paths (list[str | None]): Files of the images, where the predictions name
            them.
    """

    name: str
    classes: tuple[str, ...]
    gts: list[dict]
    dets: list[dict]
    img_paths: list[str | None]


def load_saved_run(cfg: Config, results_file: str, name: str | None = None) -> SavedRun:
    """Read predictions and their ground truth.

    Args:
        cfg (Config): Config of the test run. Its ``VIDMotionMetric``, or else another
            evaluator or the test dataset, names the annotation file.
        results_file (str): File that ``tools/test.py --out`` wrote.
        name (str, optional): What to call the run. Defaults to the name of the file
            without its ending.

    Returns:
        SavedRun: The run.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a file is not what it should be, or they do not fit together.
    """
    register_all_modules(init_default_scope=False)
    init_default_scope(cfg.get('default_scope', 'mmtrack'))
    dataset_cfg = cfg.test_dataloader.dataset
    evaluators = as_list(cfg.get('test_evaluator'))
    metric = METRICS.build(select_evaluators(evaluators, ['motion'], dataset_cfg)[0])
    metainfo = DATASETS.build({**dataset_cfg, 'lazy_init': True}).metainfo
    metric.dataset_meta = metainfo

    predictions = load_results(results_file)
    try:
        metric.process({}, predictions)
        path_of = {p['img_id']: p.get('img_path') for p in predictions}
    except KeyError as error:
        raise ValueError(
            f'a prediction in {results_file} has no {error}; it should be a file that '
            'tools/test.py --out wrote for a video object detector'
        ) from error
    truth, dets = metric.scored_part(metric.results)
    if truth.gts is None:
        raise ValueError(f'{metric.ann_file} has no annotations to compare with')
    return SavedRun(
        name=name or osp.splitext(osp.basename(results_file))[0],
        classes=classes_in(metainfo) or (),
        gts=truth.gts,
        dets=dets,
        img_paths=[path_of[image_id] for image_id in truth.image_ids],
    )


def add_saved_run_arguments(parser: argparse.ArgumentParser, several: bool) -> None:
    """Add what tools need that analyse saved predictions.

    Args:
        parser (argparse.ArgumentParser): Parser to extend, in place.
        several (bool): Whether the tool compares several results files.
    """
    parser.add_argument('config', help='config file of the test run')
    parser.add_argument(
        'results',
        nargs='+' if several else 1,
        help='file that tools/test.py --out wrote (.npz or .pkl)'
        + (', or several of one data set' if several else ''),
    )
    if several:
        parser.add_argument(
            '--names', nargs='+', help='names for the legend, default: the file names'
        )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override entries of the config',
    )


def iou(text: str) -> float:
    """Read an IoU from a command line, where 50 may be meant as 50 %."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f'{text} is not in (0, 1]')
    return value


def load_saved_runs(args: argparse.Namespace) -> list[SavedRun]:
    """Read the runs that a command line names.

    Args:
        args (argparse.Namespace): Arguments of :func:`add_saved_run_arguments`.

    Returns:
        list[SavedRun]: A run per results file.

    Raises:
        ValueError: If the runs cannot be told apart by their names, see
            :func:`~stpn_plugin.utils.name_runs`; see also :func:`load_saved_run`.
    """
    names = name_runs(args.results, getattr(args, 'names', None))
    cfg = load_config(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    return [load_saved_run(cfg, *pair) for pair in zip(args.results, names)]
