"""What mim and a reader of the model page find out about the configs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from stpn_plugin.builders import build_model
from tests.support.commands import run_command
from tests.support.packages import OFFLINE, run

ROOT = Path(__file__).parents[1]
FOLDERS = [
    ROOT / 'configs/mot',
    ROOT / 'configs/vis',
    *(ROOT / 'configs/vid').iterdir(),
]
PAGES = {folder: (folder / 'README.md').read_text() for folder in FOLDERS}

RELEASED = 'stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid'


def load_models() -> dict[str, dict]:
    """Models of all files that the model index imports, by name."""
    models: dict[str, dict] = {}
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
    recipes = {path.stem for folder in PAGES for path in folder.glob('*.py')}
    own_data = {name for name in recipes if name.endswith('_custom')}
    assert own_data and set(MODELS) == recipes - own_data


@pytest.mark.slow
@pytest.mark.parametrize('name', list(MODELS))
def test_entry(name: str) -> None:
    model = MODELS[name]
    assert name == name.lower()  # mim turns what it is asked for to lower case
    assert re.fullmatch(rf'configs/(vid/\w+|mot|vis)/{name}\.py', model['Config'])
    assert (ROOT / model['Config']).is_file()
    cfg = Config.fromfile(ROOT / model['Config'])
    loop = cfg.get('train_cfg') or {}
    assert model['Metadata'].get('Epochs') == loop.get('max_epochs')
    assert model['Metadata'].get('Iterations') == loop.get('max_iters')
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


@pytest.mark.slow
def test_pages_and_metafiles_are_what_the_script_writes() -> None:
    script = ROOT / '.dev_scripts/generate_model_pages.py'
    run_command(sys.executable, script, '--check', cwd=ROOT)


@pytest.mark.slow
def test_a_stale_page_is_found(tmp_path: Path) -> None:
    for name in ('configs', '.dev_scripts', 'model-index.yml'):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    script = tmp_path / '.dev_scripts/generate_model_pages.py'
    config = tmp_path / f'configs/vid/stpn/{RELEASED}.py'
    text = config.read_text()
    config.write_text(text.replace('# Released as ', '# Known as ', 1))
    done = subprocess.run(
        [sys.executable, script, '--check'], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert 'differs: configs/vid/stpn/README.md' in done.stdout
    run_command(sys.executable, script, cwd=tmp_path)
    assert 'Known as' in (config.parent / 'README.md').read_text()
    config.rename(config.with_name('new_recipe.py'))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.returncode and 'new_recipe' in done.stderr


@pytest.mark.parametrize('folder', list(PAGES), ids=lambda folder: folder.name)
def test_page_links(folder: Path) -> None:
    """Every config of the folder is there, and every local link leads somewhere."""
    links = re.findall(r'\]\(([^)]+)\)', PAGES[folder])
    local = [link for link in links if '://' not in link]
    assert {path.name for path in folder.glob('*.py')} <= set(local)
    assert not [link for link in local if not (folder / link).is_file()]


@pytest.mark.slow
@pytest.mark.parametrize(
    'name',
    [
        'stpn_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid',
        'stpn_faster-rcnn_swin-t_fpn_mixer_8xb1-9e_imagenetvid',
        'vpt-deep_faster-rcnn_swin-t_fpn_8xb1-9e_imagenetvid',
        'stpn-deep_faster-rcnn_swin-t_fpn_last-block_8xb1-3e_imagenetvid',
        'stpn-qdtrack_faster-rcnn_swin-t_fpn_8xb2-4e_mot17halftrain_test-mot17halfval',
        'stpn-minvis_swin-t_8xb4-6k_youtubevis2019',
    ],
)
def test_numbers_of_parameters(name: str) -> None:
    model = build_model(Config.fromfile(ROOT / MODELS[name]['Config']))
    count = sum(parameter.numel() for parameter in model.parameters())
    assert MODELS[name]['Metadata']['Parameters'] == count


def test_page_and_index_agree() -> None:
    for name, model in MODELS.items():
        page = PAGES[(ROOT / model['Config']).parent]
        row = next(line for line in page.splitlines() if f'({name}.py)' in line)
        assert f' {model["Metadata"]["Parameters"] / 1e6:.2f} ' in row
        for result in model.get('Results', []):
            for value in result['Metrics'].values():
                assert f'{value}*' in row
        assert model.get('Weights', '') in row


@pytest.mark.slow
def test_mim_finds_the_models(wheel: Path, tmp_path: Path) -> None:
    pytest.importorskip('mim')
    site = tmp_path / 'site'
    run('-m', 'pip', 'install', *OFFLINE, '--target', str(site), str(wheel))

    def mim(*args: object) -> str:
        command = (sys.executable, '-m', 'mim', *args)
        return run_command(*command, cwd=tmp_path, PYTHONPATH=str(site))

    found = tmp_path / 'found.json'
    mim('search', 'stpn_plugin', '--json', found)
    assert set(json.loads(found.read_text())['config']) == set(MODELS)
    mim('search', 'stpn_plugin', '--model', 'stpn', '--json', found)
    listed = json.loads(found.read_text())
    assert set(listed['config']) == {
        name for name, model in MODELS.items() if model['In Collection'] == 'STPN'
    }
    assert listed['imagenet vid/ap50_fast'][RELEASED] == 64.06
    # The weights seem to be there already, so that nothing is downloaded.
    (tmp_path / MODELS[RELEASED]['Weights'].split('/')[-1]).touch()
    mim('download', 'stpn_plugin', '--config', RELEASED, '--dest', tmp_path)
    cfg = Config.fromfile(tmp_path / f'{RELEASED}.py')
    assert cfg.model.prompt_predictor.type == 'AttentionPromptPredictor'
