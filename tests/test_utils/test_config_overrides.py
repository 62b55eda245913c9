"""A setting that nothing reads is refused, in child configs and on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hub import get_config
from mmtrack.registry import DATASETS

from stpn_plugin.builders import load_config
from stpn_plugin.cli.train import main, prepare_cfg
from tests.support.tiny_data import write_tiny_vid

ROOT = Path(__file__).parents[2]
STPN = ROOT / 'configs/vid/stpn/stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid.py'
CUSTOM = ROOT / 'configs/vid/stpn/stpn_faster-rcnn_swin-t_fpn_8xb1-9e_custom.py'


@pytest.fixture(autouse=True)
def in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work dirs are tried there."""
    monkeypatch.chdir(tmp_path)


def train(config: Path, *options: str) -> Config:
    """The config that ``tools/train.py`` makes."""
    return prepare_cfg(main.parse([str(config), '--cfg-options', *options]))


def inherit(tmp_path: Path, base: Path, text: str) -> Path:
    child = tmp_path / 'child.py'
    child.write_text(f"_base_ = ['{base}']\n{text}\n")
    return child


@pytest.mark.slow
@pytest.mark.parametrize(
    'base, text, where',
    [
        (CUSTOM, "data_root = 'data/other/'", '_custom.py'),
        (CUSTOM, "classes = ('a', 'b', 'c')", '_custom.py'),
        (CUSTOM, "val_ann_file = 'annotations/other.json'", '_custom.py'),
        (STPN, "data_root = 'data/other/'", 'imagenet_vid_fgfa_style.py'),
        (STPN, 'train_pipeline = []', 'imagenet_vid_stpn_style.py'),
        (STPN, 'multi_scale = None', 'imagenet_vid_stpn_style.py'),
        (STPN, 'vis_backends = []', 'default_runtime.py'),
    ],
)
def test_child_config(base: Path, text: str, where: str, tmp_path: Path) -> None:
    name = text.split()[0]
    with pytest.raises(ValueError, match=f'child.py sets "{name}".*{where}'):
        load_config(str(inherit(tmp_path, base, text)))
    with pytest.raises(ValueError, match=f'{name} changes nothing: .*{where}'):
        train(base, text.replace(' = ', '='))


def test_a_child_that_uses_what_it_sets(tmp_path: Path) -> None:
    text = """
data_root = 'data/other/'
val_dataloader = dict(dataset=dict(data_root=data_root))
model = dict(detector=dict(backbone=dict(drop_path_rate=0.5)))
"""
    cfg = load_config(str(inherit(tmp_path, STPN, text)))
    assert cfg.val_dataloader.dataset.data_root == 'data/other/'
    assert cfg.model.detector.backbone.drop_path_rate == 0.5


def test_no_such_entry() -> None:
    """Also the number that configs once had at their top, without effect."""
    with pytest.raises(ValueError, match='no entry "num_support_frames"'):
        train(STPN, 'num_support_frames=4')
    with pytest.raises(ValueError, match='no entry "optim_wraper"'):
        train(STPN, 'optim_wraper.optimizer.lr=1')
    assert train(STPN, 'load_from=' + str(STPN)).load_from == str(STPN)


def test_every_tool_reads_configs_in_one_way() -> None:
    with pytest.raises(ValueError, match='data_root changes nothing'):
        load_config(str(STPN), dict(data_root='data/other/'))
    cfg = load_config(str(STPN), {'val_dataloader.batch_size': 4})
    assert cfg.val_dataloader.batch_size == 4
    merging = 'merge_from_dict'
    sources = [*ROOT.glob('stpn_plugin/**/*.py'), *ROOT.glob('tools/**/*.py')]
    assert [path.name for path in sources if merging in path.read_text()] == [
        'builders.py'
    ]


def test_shipped_configs_are_taken_as_they_are() -> None:
    """This one sets a ``dataset_type`` that its base has used up."""
    name = 'vis/mask2former/mask2former_r50_8xb2-8e_youtubevis2021.py'
    load_config(f'mmtrack::{name}')
    load_config(get_config(f'mmtrack::{name}').filename)


@pytest.mark.slow
@pytest.mark.parametrize('way', ['command line', 'child config'])
def test_numbers_of_support_frames(way: str, tmp_path: Path) -> None:
    write_tiny_vid(tmp_path, num_frames=8)
    if way == 'command line':
        key = 'ref_img_sampler.num_ref_imgs'
        cfg = train(
            STPN,
            *(f'train_dataloader.dataset.datasets.{i}.{key}=6' for i in (0, 1)),
            f'val_dataloader.dataset.{key}=3',
        )
    else:
        text = """
vid_train, det_train = _base_.train_dataloader.dataset.datasets
vid_train.ref_img_sampler.update(num_ref_imgs=6)
det_train.ref_img_sampler.update(num_ref_imgs=6)
train_dataloader = dict(dataset=dict(datasets=[vid_train, det_train]))
val_dataloader = dict(dataset=dict(ref_img_sampler=dict(num_ref_imgs=3)))
"""
        cfg = load_config(str(inherit(tmp_path, STPN, text)))
    for dataset in (*cfg.train_dataloader.dataset.datasets, cfg.val_dataloader.dataset):
        dataset.data_root = str(tmp_path)
    train_set = DATASETS.build(cfg.train_dataloader.dataset)
    for index in (0, 7, len(train_set) - 1):  # the ends of a video, and a still image
        assert train_set[index]['inputs']['ref_img'].shape[0] == 6
    val_set = DATASETS.build(cfg.val_dataloader.dataset)
    for first in (0, 8):  # both videos
        assert val_set[first]['inputs']['ref_img'].shape[0] == 3
    assert 'ref_img' not in val_set[1]['inputs']
