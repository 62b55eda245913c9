"""``stpn init``: a config of a data set of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mmengine.config import Config

from stpn_command import main as stpn
from stpn_plugin.cli.init import fit_recipe
from stpn_plugin.datasets.set_statistics import SetStatistics, measure_set
from tests.support.commands import run_tool
from tests.support.tiny_data import write_tiny_vid

SMALL = SetStatistics(('a',), 4, 600, 600, (1920, 1080), (30.0, 90.0, 300.0))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_tiny_vid(tmp_path / 'vid', num_frames=4)
    return tmp_path / 'vid/annotations'


def test_a_small_set_learns() -> None:
    recipe = fit_recipe(SMALL, batch_size=1)
    assert recipe.interval == 1
    assert recipe.max_iters == 7200
    assert recipe.warmup <= recipe.max_iters / 10
    assert recipe.val_interval * 10 == recipe.max_iters
    assert recipe.scale == (1000, 562)
    assert fit_recipe(SMALL._replace(num_annotated=9), 1).max_iters == 1000
    assert fit_recipe(SMALL._replace(num_annotated=9), 1).warmup == 100


def test_a_large_set_skips_frames() -> None:
    large = SMALL._replace(num_videos=3000, num_annotated=900_000, num_frames=900_000)
    recipe = fit_recipe(large, batch_size=2)
    assert recipe.interval == 20
    assert recipe.max_iters == 90_000


@pytest.mark.parametrize('smallest, scale', [(200, 8), (30, 4), (3, 2)])
def test_anchors_fit_small_boxes(smallest: float, scale: int) -> None:
    boxes = (smallest, 2 * smallest, 4 * smallest)
    assert fit_recipe(SMALL._replace(box_sizes=boxes), 1).anchor_scale == scale


def test_only_classes_with_objects(files: Path) -> None:
    content = json.loads((files / 'imagenet_vid_train.json').read_text())
    stats = measure_set(content, 'set.json')
    used = {a['category_id'] for a in content['annotations']}
    names = {c['id']: c['name'] for c in content['categories']}
    assert set(stats.classes) == {names[i] for i in used}
    with pytest.raises(ValueError, match='set.json has no objects'):
        measure_set(dict(content, annotations=[]), 'set.json')


@pytest.mark.slow
def test_config_trains_and_takes_options(files: Path) -> None:
    train, val = files / 'imagenet_vid_train.json', files / 'imagenet_vid_val.json'
    words = ['init', train, '--val', val, '--images', 'vid/Data/VID', '-o', 'own.py']
    assert stpn([str(word) for word in words]) == 0
    cfg = Config.fromfile('own.py')
    number = len(cfg.metainfo.CLASSES)
    assert cfg.model.detector.roi_head.bbox_head.num_classes == number
    backbone = 'model.detector.backbone'
    options = [
        *(f'{backbone}.init_cfg=None', f'{backbone}.convert_weights=False'),
        *(f'{backbone}.arch=None', f'{backbone}.embed_dims=16'),
        *(f'{backbone}.depths=(1,1,1,1)', f'{backbone}.num_heads=(2,2,4,8)'),
        'model.detector.neck.in_channels=[16,32,64,128]',
        'train_cfg.max_iters=2',
        'train_cfg.val_interval=2',
        'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
        'val_dataloader.num_workers=0',
        'val_dataloader.persistent_workers=False',
        'param_scheduler=None',
    ]
    run_tool('train.py', 'own.py', '--work-dir', 'work', '--cfg-options', *options)
    assert list(Path('work').glob('best_vid_AP50_iter_*.pth'))
    assert (Path('work') / 'iter_2.pth').exists()


def test_an_edited_config_stays(files: Path, capsys: pytest.CaptureFixture) -> None:
    Path('own.py').write_text('edited = True')
    words = ['init', str(files / 'imagenet_vid_train.json'), '-o', 'own.py']
    assert stpn(words) == 2
    assert 'own.py exists' in capsys.readouterr().err
    assert Path('own.py').read_text() == 'edited = True'


def test_names_are_not_code(files: Path) -> None:
    name = 'a\nraise SystemExit(7)\n.json'
    Path(name).write_bytes((files / 'imagenet_vid_train.json').read_bytes())
    assert stpn(['init', name, '--images', "vid'}/x"]) == 0
    cfg = Config.fromfile('stpn_config.py')
    assert cfg.train_dataloader.dataset.ann_file == name
    assert cfg.train_dataloader.dataset.data_prefix.img_path == "vid'}/x"


def test_bad_files(files: Path, capsys: pytest.CaptureFixture) -> None:
    Path('broken.json').write_text('{')
    for words in (['broken.json'], ['missing.json']):
        assert stpn(['init', *words]) == 2
        assert words[0] in capsys.readouterr().err
    assert not Path('stpn_config.py').exists()
