"""Models as folders: published, found and loaded again."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch
import torch
import yaml

from stpn_command import main as stpn
from stpn_plugin.apis import VideoDetector
from stpn_plugin.builders import build_model
from stpn_plugin.utils import MissingPackageError
from stpn_plugin.utils.checkpoint_loading import load_checkpoint_file
from stpn_plugin.weights import publish_folder
from tests.support import swin_names
from tests.support.tiny_data import write_tiny_vid
from tests.support.video_models import make_config, save_weights

NAMES = tuple(f'class {i}' for i in range(30))


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, a config, and a checkpoint as training writes it."""
    root = tmp_path_factory.mktemp('root')
    cfg = make_config(write_tiny_vid(root / 'data', num_frames=3))
    cfg.work_dir = '/home/somebody'
    cfg.dump(str(root / 'config.py'))
    content = torch.load(save_weights(cfg, root / 'stpn.pth'))
    content['meta'] = dict(
        cfg=cfg.pretty_text, dataset_meta=dict(CLASSES=NAMES), iter=1234
    )
    torch.save(content, str(root / 'stpn.pth'))
    return root


@pytest.fixture(scope='module')
def folder(root: Path) -> Path:
    words = ['--license', 'apache-2.0', '--metrics', root / 'metrics.json']
    (root / 'metrics.json').write_text('{"vid/AP50": 0.5123456, "vid/AP": null}')
    publish(root / 'stpn.pth', '-o', root / 'tiny', *words)
    return root / 'tiny'


def publish(*words: object, status: int = 0) -> None:
    assert stpn(['publish', *map(str, words)]) == status


def found_in(detector: VideoDetector, root: Path) -> list[list[dict[str, Any]]]:
    frames = root / 'data/Data/VID/val/ILSVRC2015_val_00000000'
    return [result.objects for result in detector.detect_video(frames)]


def test_folder_is_the_checkpoint(root: Path, folder: Path) -> None:
    detector = VideoDetector.from_pretrained(folder, 'cpu')
    assert detector.classes == NAMES
    expected = VideoDetector(
        str(root / 'config.py'), str(root / 'stpn.pth'), device='cpu'
    )
    assert found_in(detector, root) == found_in(expected, root) != [[], [], []]
    # Also for the commands that take a config and a checkpoint.
    again = VideoDetector(
        str(folder / 'config.py'), str(folder / 'model.safetensors'), 'cpu'
    )
    assert again.classes == NAMES
    assert 'somebody' not in (folder / 'config.py').read_text()


def test_layout_of_the_hub(root: Path, folder: Path) -> None:
    assert sorted(os.listdir(folder)) == [
        *('README.md', 'config.json', 'config.py', 'model.safetensors')
    ]
    _, head, card = (folder / 'README.md').read_text().split('---\n', 2)
    assert yaml.safe_load(head) == dict(
        license='apache-2.0',
        library_name='stpn_plugin',
        pipeline_tag='object-detection',
        tags=['video-object-detection', 'stpn', 'mmtracking'],
    )
    for text in ('class 0, class 1', '| vid/AP50 | 0.5123 |', '1,234 iterations'):
        assert text in card
    assert "from_pretrained('tiny')" in card and 'AP |' not in card
    settings = json.loads((folder / 'config.json').read_text())
    assert settings['id2label']['29'] == 'class 29'
    saved = torch.load(str(root / 'stpn.pth'))['state_dict']
    with open(folder / 'model.safetensors', 'rb') as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), 'little')))
    assert json.loads(header.pop('__metadata__')['classes']) == list(NAMES)
    assert {k: tuple(v['shape']) for k, v in header.items()} == {
        k: tuple(v.shape) for k, v in saved.items()
    }


def test_several_files_in_half_precision(root: Path, tmp_path: Path) -> None:
    source, folder = str(root / 'stpn.pth'), str(tmp_path / 'parts')
    index = publish_folder(source, folder, half=True, max_bytes=200_000)
    assert index == f'{folder}/model.safetensors.index.json'
    parts = sorted(Path(folder).glob('model-*.safetensors'))
    assert len(parts) > 2 and parts[0].name.startswith('model-00001-of-0000')
    weights = load_checkpoint_file(index)['state_dict']
    saved = torch.load(source)['state_dict']
    assert set(weights) == set(saved)
    for name, value in saved.items():
        wanted = value.half() if value.is_floating_point() else value
        assert torch.equal(weights[name], wanted)
    VideoDetector.from_pretrained(folder, 'cpu')


def test_safetensors_of_others(root: Path, folder: Path, tmp_path: Path) -> None:
    theirs = safetensors.torch.load_file(str(folder / 'model.safetensors'))
    saved = torch.load(str(root / 'stpn.pth'))['state_dict']
    assert all(torch.equal(theirs[name], value) for name, value in saved.items())
    safetensors.torch.save_file(saved, str(tmp_path / 'a.safetensors'))
    read = load_checkpoint_file(tmp_path / 'a.safetensors')['state_dict']
    assert all(torch.equal(read[name], value) for name, value in saved.items())


def test_from_the_authors_file_in_one_command(root: Path, tmp_path: Path) -> None:
    """A state dict alone, under other names, with a Swin as its authors have it."""
    saved = torch.load(str(root / 'stpn.pth'))['state_dict']
    swin = 'detector.backbone.'
    backbone = {k[len(swin) :]: v for k, v in saved.items() if k.startswith(swin)}
    theirs = {k: v for k, v in saved.items() if not k.startswith(swin)}
    theirs.update({swin + k: v for k, v in swin_names.authors(backbone).items()})
    theirs = {f'module.{k}': v for k, v in theirs.items()}
    torch.save(dict(state_dict=theirs, optimizer={}), str(tmp_path / 'authors.pth'))
    publish(
        *(tmp_path / 'authors.pth', '-o', tmp_path / 'released'),
        *('--config', root / 'config.py'),
    )
    detector = VideoDetector.from_pretrained(tmp_path / 'released', 'cpu')
    assert detector.classes[:2] == ('airplane', 'antelope')  # by their number
    state = detector.model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in saved.items())


def test_what_cannot_be_published(
    root: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    cfg = make_config(root / 'data')
    weights = build_model(cfg).state_dict()
    torch.save(dict(state_dict=weights, meta={}), str(tmp_path / 'bare.pth'))
    weights.pop('detector.neck.lateral_convs.0.conv.weight')
    torch.save(dict(state_dict=weights), str(tmp_path / 'part.pth'))
    meta = dict(cfg='import os\nmodel = dict()')
    torch.save(dict(state_dict=weights, meta=meta), str(tmp_path / 'code.pth'))
    out = tmp_path / 'out'
    for words, said in (
        ([tmp_path / 'bare.pth', '-o', out], 'bare.pth has no config.*--config'),
        ([tmp_path / 'bare.pth'], 'give either -o FOLDER, or the name'),
        ([tmp_path / 'bare.pth', 'a.pth', '--half'], 'all options but .* are for -o'),
        ([root / 'stpn.pth', '-o', folder], 'tiny exists'),
        ([tmp_path / 'code.pth', '-o', out], r'code.pth, line 1: only plain values'),
        (
            [tmp_path / 'part.pth', '-o', out, '--config', root / 'config.py'],
            r'part.pth does not fit .*1 weights missing.*lateral_convs.0',
        ),
    ):
        publish(*words, status=2)
        error = capsys.readouterr().err
        assert len(error.splitlines()) == 1
        assert re.search(said, error), error
    assert not out.exists()


def spoil(folder: Path, copy: Path, name: str, content: bytes) -> Path:
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / name).write_bytes(content)
    return copy


@pytest.mark.parametrize(
    'line',
    [
        'import os',
        'a = open("ran", "w")',
        'a = [1 for _ in (1, 2)]',
        'a = dict(**{})',
        'a = {[]: 1}',
        'a.b = 1',
        'model = dict(type="os.system", command="touch ran")',
        'model = dict(type="mmengine.load", file="a.pkl")',
        'a = ' + '[' * 5000,
    ],
)
def test_configs_of_folders_are_not_run(
    folder: Path, tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = (folder / 'config.py').read_text() + f'\n{line}\n'
    bad_folder = spoil(folder, tmp_path / 'bad', 'config.py', bad.encode())
    with pytest.raises(ValueError, match=r'bad/config\.py'):
        VideoDetector.from_pretrained(bad_folder)
    assert not (tmp_path / 'ran').exists()


def header(**entries: Any) -> bytes:
    text = json.dumps(entries).encode()
    return len(text).to_bytes(8, 'little') + text


WEIGHT = dict(dtype='F32', shape=[2], data_offsets=[0, 8])


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'\xff' * 8 + b'{}',
        (4).to_bytes(8, 'little') + b'[1]}',
        header(a=WEIGHT),
        header(a=dict(WEIGHT, shape=[3])) + bytes(8),
        header(a=dict(WEIGHT, shape=[1 << 40, 1 << 40])) + bytes(8),
        header(a=dict(WEIGHT, dtype='F8')) + bytes(8),
        header(a=WEIGHT, b=WEIGHT) + bytes(8),
        header(a=7) + bytes(8),
        header(__metadata__=[1], a=WEIGHT) + bytes(8),
    ],
)
def test_damaged_weights(folder: Path, tmp_path: Path, content: bytes) -> None:
    bad = spoil(folder, tmp_path / 'bad', 'model.safetensors', content)
    with pytest.raises(ValueError, match=r'bad/model\.safetensors cannot be read'):
        VideoDetector.from_pretrained(bad)


def test_index_leads_nowhere_else(folder: Path, tmp_path: Path) -> None:
    text = json.dumps(dict(weight_map=dict(a='../model.safetensors')))
    bad = spoil(folder, tmp_path / 'b', 'model.safetensors.index.json', text.encode())
    (bad / 'model.safetensors').unlink()
    with pytest.raises(ValueError, match='is no index'):
        VideoDetector.from_pretrained(bad)


def test_what_is_not_there(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError, match='no folder nowhere with a model'):
        VideoDetector.from_pretrained('nowhere')
    with pytest.raises(FileNotFoundError, match='has no model.safetensors'):
        VideoDetector.from_pretrained(tmp_path)
    monkeypatch.setitem(sys.modules, 'huggingface_hub', None)  # as if not installed
    with pytest.raises(MissingPackageError, match=r'no folder a/b; .*\[hub\]'):
        VideoDetector.from_pretrained('a/b')
    asked = []

    def snapshot_download(name: str, **options: Any) -> str:
        asked.append((name, options['revision']))
        if name == 'a/c':
            raise RuntimeError('404')
        return str(folder)

    hub = SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, 'huggingface_hub', hub)
    detector = VideoDetector.from_pretrained('a/b', 'cpu', revision='v1')
    assert asked == [('a/b', 'v1')] and detector.classes == NAMES
    with pytest.raises(ValueError, match='a/c is no folder, and cannot be had.*404'):
        VideoDetector.from_pretrained('a/c')
