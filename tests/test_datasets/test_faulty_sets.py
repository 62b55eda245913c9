"""Faulty data sets work in training and testing, or end in one line with a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmtrack.registry import DATASETS
from torch.utils.data import DataLoader

from stpn_plugin.builders import build_dataset
from stpn_plugin.datasets import ImageError, SampleError
from tests.support import faulty_sets
from tests.support.fault_trials import try_layout, try_set
from tests.support.faulty_sets import Case, image_files
from tests.support.tiny_configs import stpn_config
from tests.support.tiny_data import write_tiny_vid


@pytest.mark.slow
@pytest.mark.parametrize('case', faulty_sets.SETS, ids=lambda case: case.name)
def test_sets(case: Case, tmp_path: Path) -> None:
    outcomes = try_set(case, tmp_path)
    assert outcomes['train'].kind == case.train, outcomes['train']
    assert outcomes['test'].kind == case.test, outcomes['test']


@pytest.mark.parametrize('case', faulty_sets.LAYOUTS, ids=lambda case: case.name)
def test_annotations_before_conversion(case: Case, tmp_path: Path) -> None:
    outcomes = try_layout(case, tmp_path)
    assert outcomes['train'].kind == case.train, outcomes['train']
    assert outcomes['test'].kind == case.test, outcomes['test']


def test_bad_samples_are_skipped_and_counted_if_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cfg = stpn_config(write_tiny_vid(tmp_path, num_stills=1))
    (videos,) = cfg.train_dataloader.dataset.datasets[:1]
    good, bad = image_files(tmp_path, 'train')[:2]
    bad.write_bytes(bad.read_bytes()[:200])
    cfg.train_dataloader.dataset = videos
    with pytest.raises(ImageError, match=f'image {bad}: it is cut short'):
        list(build_dataset(cfg, 'train'))
    cfg.train_dataloader.dataset = dict(type='SkipBadSamples', dataset=videos)
    dataset = build_dataset(cfg, 'train')
    loader = DataLoader(dataset, num_workers=2, collate_fn=pseudo_collate)
    assert sum(len(batch['data_samples']) for batch in loader) == len(dataset)
    assert 1 <= dataset.num_skipped < len(dataset)
    assert dataset.get_data_info(0)['img_path'] == str(good)
    with caplog.at_level('WARNING'):
        dataset[1]
    assert dataset.metainfo == DATASETS.build({**videos, 'lazy_init': True}).metainfo
    for path in tmp_path.rglob('*.JPEG'):
        path.unlink()
    with pytest.raises(SampleError, match='100 samples in a row'):
        dataset[0]


def test_a_worker_names_the_file(tmp_path: Path) -> None:
    cfg = stpn_config(write_tiny_vid(tmp_path, num_stills=1))
    bad = image_files(tmp_path, 'val')[0]
    bad.write_bytes(b'')
    loader = DataLoader(
        build_dataset(cfg, 'test'), num_workers=1, collate_fn=pseudo_collate
    )
    with pytest.raises(ImageError, match=f'image {bad}: it is empty'):
        list(loader)


@pytest.mark.slow
def test_images_are_decoded_as_before(tmp_path: Path) -> None:
    root = write_tiny_vid(tmp_path, num_stills=1)
    sample = build_dataset(stpn_config(root), 'test')[0]
    assert sample['inputs']['img'].dtype == torch.uint8
