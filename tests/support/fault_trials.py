"""Training and testing with faulty data sets, and converting them, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, NamedTuple

from mmengine.config import Config
from mmengine.runner import set_random_seed
from mmtrack.registry import METRICS

from stpn_plugin.builders import build_dataset, dataset_meta, scope_of
from stpn_plugin.cli.command import is_foreseen, one_line
from stpn_plugin.datasets.converters import convert_det, convert_vid
from tests.support.faulty_sets import FAILS, WORKS, Case, write_layout
from tests.support.tiny_configs import stpn_config
from tests.support.tiny_data import write_tiny_vid

FOREIGN = 'foreign'


class Outcome(NamedTuple):
    """How a trial ended.

    Attributes:
        kind: ``works``; ``fails`` with an error that a command tells in one line with
            the name of a file of the set; ``foreign`` for any other error.
        message: What the error says.
    """

    kind: str
    message: str = ''


def attempt(trial: Callable[[], Any], root: Path) -> Outcome:
    """Try something with a faulty set in a folder."""
    try:
        trial()
    except Exception as error:
        message = one_line(error)
        names_file = str(root) in message or '/dev/zero' in message
        is_clear = is_foreseen(error) and names_file and '\n' not in message
        kind = FAILS if is_clear else FOREIGN
        return Outcome(kind, message if is_clear else f'{type(error)}: {message}')
    return Outcome(WORKS)


def try_set(case: Case, root: Path) -> dict[str, Outcome]:
    """Load and use all samples of a faulty set, and its ground truth."""
    write_tiny_vid(root, num_train_videos=2, num_val_videos=2, num_stills=1)
    case.spoil(root)
    cfg = stpn_config(root)
    return dict(
        train=attempt(lambda: _train(cfg), root), test=attempt(lambda: _test(cfg), root)
    )


def _train(cfg: Config) -> None:
    # Of the videos alone, each sample once.
    cfg.train_dataloader.dataset = cfg.train_dataloader.dataset.datasets[0]
    dataset = build_dataset(cfg, 'train')
    set_random_seed(0)  # which frames meet in a sample, and how they are cut
    for index in range(len(dataset)):
        dataset[index]


def _test(cfg: Config) -> None:
    dataset = build_dataset(cfg, 'test')
    for index in range(len(dataset)):
        dataset[index]
    ann_file = dataset.ann_file
    with scope_of(cfg):
        metric = METRICS.build(dict(type='VIDMotionMetric', ann_file=ann_file))
    metric.dataset_meta = dataset_meta(cfg)
    metric.load_ground_truth()


def try_layout(case: Case, root: Path) -> dict[str, Outcome]:
    """Convert faulty annotations of ILSVRC: VID as ``train``, DET as ``test``."""
    write_layout(root)
    case.spoil(root)
    out = str(root / 'out')
    return dict(
        train=attempt(lambda: convert_vid(str(root), out), root),
        test=attempt(lambda: convert_det(str(root), out), root),
    )
