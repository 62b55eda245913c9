"""Samples that cannot be made: told with their files, or left out of a training."""

from __future__ import annotations

import contextlib
import copy
import logging
from typing import Any, Iterator

import torch
from mmengine.dataset import BaseDataset, force_full_init
from mmengine.logging import print_log
from mmtrack.registry import DATASETS
from torch.utils.data import get_worker_info

from .checks import AnnotationError
from .image_files import ImageError


class SampleError(ValueError):
    """A sample cannot be made of its frames."""


@contextlib.contextmanager
def naming_frames(dataset: Any, index: int) -> Iterator[None]:
    """Name the key frame in errors that name no file.

    Args:
        dataset: A video dataset.
        index: Index of the sample.

    Raises:
        SampleError: In the place of other errors than those below.
        OSError: An image cannot be read.
        ImageError: An image cannot be used.
    """
    try:
        yield
    except (OSError, ImageError, SampleError):
        raise
    except Exception as error:  # of any transform of the pipeline
        path = dataset.get_data_info(index).get('img_path')
        raise SampleError(
            f'the sample of frame {path} in {dataset.ann_file} cannot be made: '
            f'{type(error).__name__}: {error}'
        ) from error


@contextlib.contextmanager
def check_not_empty(dataset: Any) -> Iterator[None]:
    """Raise if a video dataset has nothing when it has loaded its file.

    Args:
        dataset: The dataset.

    Raises:
        AnnotationError: It has no sample, or an assertion about its file does not hold.
    """
    try:
        yield
    except AssertionError as error:
        raise AnnotationError(f'{dataset.ann_file}: {error}') from error
    if dataset.valid_data_indices:
        return
    why = 'it has no frames'
    if not dataset.test_mode:
        classes = ', '.join(map(str, dataset.metainfo['CLASSES'] or ()))
        why = (
            'none of its images can be trained on. They need a box of one of the '
            f'classes ({classes:.200}), at least 32 pixels on each side, and what '
            'filter_cfg and key_img_sampler ask for'
        )
    raise AnnotationError(f'{dataset.ann_file}: {why}')


#: Counters of samples that were skipped: one for each process that loads data.
_MOST_WORKERS = 1024


@DATASETS.register_module()
class SkipBadSamples:
    """Trains on without samples whose images cannot be used; counts and names them.

    In the place of such a sample comes the next one that can be made. By default, that
    is without this wrapper, the first such sample ends the training.

    In a config, as ``train_dataloader.dataset``:
    ``dict(type='SkipBadSamples', dataset=...)``.

    Args:
        dataset: The dataset, or its config.
        max_in_a_row: After so many bad samples in a row something else is wrong, such
            as the path of the images. Defaults to 100.
        lazy_init: As in mmengine's datasets. Defaults to False.

    Raises:
        OSError: The images of too many samples in a row cannot be read.
        SampleError: They cannot be used.
    """

    def __init__(
        self,
        dataset: BaseDataset | dict,
        max_in_a_row: int = 100,
        lazy_init: bool = False,
    ) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.max_in_a_row = max_in_a_row
        # Each worker counts in a place of its own, which all of them see.
        self._skipped = torch.zeros(1 + _MOST_WORKERS, dtype=torch.int64)
        self._skipped.share_memory_()
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """The metainfo of the dataset."""
        return copy.deepcopy(self.dataset.metainfo)

    @property
    def num_skipped(self) -> int:
        """How many samples were skipped so far, in all processes that load data."""
        return int(self._skipped.sum())

    def full_init(self) -> None:
        """Load the annotations."""
        self.dataset.full_init()
        self._fully_initialized = True

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """The annotations of a sample."""
        return self.dataset.get_data_info(idx)

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """The classes in a sample."""
        return self.dataset.get_cat_ids(idx)

    @force_full_init
    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, idx: int) -> Any:
        for step in range(self.max_in_a_row):
            try:
                return self.dataset[(idx + step) % len(self)]
            except (OSError, ImageError, SampleError) as error:
                last = error
                self._count(error)
        raise SampleError(
            f'{self.max_in_a_row} samples in a row cannot be used, the last one '
            f'because of: {last}'
        ) from last

    def _count(self, error: Exception) -> None:
        worker = get_worker_info()
        self._skipped[0 if worker is None else 1 + worker.id % _MOST_WORKERS] += 1
        print_log(
            f'skipped a sample, {self.num_skipped:,} so far: {error}',
            logger='current',
            level=logging.WARNING,
        )
