"""What mim and a reader of the model page find out about the configs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Dict

import pytest
import yaml
from mmengine.config import Config

from stpn_plugin.weights import build_model
from tests.test_packaging import OFFLINE, run, source, wheel  # noqa: F401 (fixtures)
from tests.test_tools.conftest import run_command

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / 'configs/vid/stpn'
PAGE = (FOLDER / 'README.md').read_text()


def load_models() -> Dict[str, dict]:
    """Models of all files that the model index imports, by name."""
    models: Dict[str, dict] = {}
    for name in yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']:
        content = yaml.safe_load((ROOT / name).read_text())
        collections = {collection['Name'] for collection in content['Collections']}
        for model in content['Models']:
            assert model['In Collection'] in collections
            assert model['Name'] not in models
            models[model['Name']] = model
    return models


MODELS = load_models()


def test_every_recipe_is_indexed() -> None:
    recipes = {path.stem for path in FOLDER.glob('*_imagenetvid.py')}
    assert set(MODELS) == recipes


@pytest.mark.parametrize('name', list(MODELS))
def test_entry(name: str) -> None:
    model = MODELS[name]
    assert name == name.lower()  # mim turns what it is asked for to lower case
    assert model['Config'] == f'configs/vid/stpn/{name}.py'
    assert (ROOT / model['Config']).is_file()
    cfg = Config.fromfile(ROOT / model['Config'])
    assert model['Metadata']['Epochs'] == cfg.train_cfg.max_epochs
    # A result without weights could not be checked by anyone.
    assert ('Results' in model) == ('Weights' in model)


def test_some_weights_can_be_downloaded() -> None:
    """Otherwise ``mim download`` fails for every config."""
    weights = [model['Weights'] for model in MODELS.values() if 'Weights' in model]
    assert weights
    assert all(re.fullmatch(r'https://\S+\.pth', url) for url in weights)


def test_index_loads_as_in_mim() -> None:
    load = pytest.importorskip('modelindex.load_model_index').load
    index = load(str(ROOT / 'model-index.yml'))
    index.check(silent=False)
    assert {model.name for model in index.models} == set(MODELS)


def test_page_lists_every_config() -> None:
    configs = {path.name for path in FOLDER.glob('*.py')}
    demo = {name for name in configs if name.startswith('tiny_')}
    assert set(re.findall(r'\]\(([\w.-]+\.py)\)', PAGE)) == configs - demo


def test_page_links_exist() -> None:
    links = re.findall(r'\]\(([^)]+)\)', PAGE)
    local = [link for link in links if '://' not in link]
    assert len(local) > len(MODELS)
    assert not [link for link in local if not (FOLDER / link).is_file()]


@pytest.mark.parametrize(
    'name',
    [
        'stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid',
        'stpn_faster-rcnn_swin-t_fpn_mixer_8xb1-9e_imagenetvid',
        'vpt-deep_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid',
    ],
)
def test_numbers_of_parameters(name: str) -> None:
    model = build_model(Config.fromfile(FOLDER / f'{name}.py'))
    count = sum(parameter.numel() for parameter in model.parameters())
    assert MODELS[name]['Metadata']['Parameters'] == count
    row = next(line for line in PAGE.splitlines() if f'({name}.py)' in line)
    assert f' {count / 1e6:.2f} ' in row


def test_page_and_index_agree() -> None:
    for name, model in MODELS.items():
        row = next(line for line in PAGE.splitlines() if f'({name}.py)' in line)
        assert f' {model["Metadata"]["Parameters"] / 1e6:.2f} ' in row
        for result in model.get('Results', []):
            for value in result['Metrics'].values():
                assert f'{value}*' in row
        assert model.get('Weights', '') in row


@pytest.mark.slow
def test_mim_finds_the_models(wheel: Path, tmp_path: Path) -> None:  # noqa: F811
    pytest.importorskip('mim')
    site = tmp_path / 'site'
    run('-m', 'pip', 'install', *OFFLINE, '--target', str(site), str(wheel))

    def mim(*args: object) -> str:
        command = (sys.executable, '-m', 'mim', *args)
        return run_command(*command, cwd=tmp_path, PYTHONPATH=str(site))

    found = tmp_path / 'found.json'
    mim('search', 'stpn_plugin', '--model', 'stpn', '--json', found)
    listed = json.loads(found.read_text())
    assert set(listed['config']) == set(MODELS)
    released = 'stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid'
    assert listed['imagenet vid/ap50_fast'][released] == 64.06
    # The weights seem to be there already, so that nothing is downloaded.
    (tmp_path / MODELS[released]['Weights'].split('/')[-1]).touch()
    mim('download', 'stpn_plugin', '--config', released, '--dest', tmp_path)
    cfg = Config.fromfile(tmp_path / f'{released}.py')
    assert cfg.model.prompt_predictor.type == 'AttentionPromptPredictor'
