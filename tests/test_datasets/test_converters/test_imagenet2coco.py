"""The programs in ``tools/convert_datasets/ilsvrc``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.ilsvrc_layout import write_ilsvrc

TOOLS = Path(__file__).parents[3] / 'tools/convert_datasets/ilsvrc'
PROGRAMS = {
    'imagenet2coco_vid': ['imagenet_vid_train.json', 'imagenet_vid_val.json'],
    'imagenet2coco_det': ['imagenet_det_30plus1cls.json'],
}


@pytest.fixture(params=list(PROGRAMS))
def program(request: pytest.FixtureRequest) -> ModuleType:
    path = TOOLS / f'{request.param}.py'
    spec = importlib.util.spec_from_file_location(request.param, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_ilsvrc(tmp_path)


def test_converts(program: ModuleType, root: Path, capsys: pytest.CaptureFixture):
    out_dir = root / 'annotations'
    program.main(['-i', str(root), '-o', str(out_dir), '-j', '2', '--strict'])
    names = PROGRAMS[program.__name__]
    assert sorted(path.name for path in out_dir.iterdir()) == sorted(names)
    captured = capsys.readouterr()
    for name in names:
        assert f'{out_dir / name}:\n' in captured.out
        assert f'{name}: 100%' in captured.err
    assert captured.out.count('problems: 0\n') == len(names)


def test_reports_problems_and_goes_on(
    program: ModuleType,
    root: Path,
    capsys: pytest.CaptureFixture,
    caplog: pytest.LogCaptureFixture,
):
    paths = sorted((root / 'Annotations').rglob('*.xml'))
    faulty = [path for path in paths if path.name in ('000001.xml', 'empty_0.xml')]
    for path in faulty:
        path.write_text('<annotation>')
    arguments = ['-i', str(root), '-o', str(root / 'annotations'), '-j', '1']
    program.main(arguments)
    assert 'malformed XML file: ' in capsys.readouterr().out
    part = 'VID' if 'vid' in program.__name__ else 'DET'
    named = [path for path in faulty if any(str(path) in m for m in caplog.messages)]
    assert named == [path for path in faulty if part in path.parts]

    assert program.main([*arguments[:3], str(root / 'new'), '--strict']) == 2
    assert '.xml: ' in capsys.readouterr().err
    assert not any((root / 'new').iterdir())


def test_wrong_input(
    program: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture
):
    arguments = ['-i', str(tmp_path / 'no'), '-o', str(tmp_path)]
    assert program.main(arguments) == 2
    assert str(tmp_path / 'no') in capsys.readouterr().err
    for jobs in ('0', 'all'):
        with pytest.raises(SystemExit) as error:
            program.main([*arguments, '-j', jobs])
        assert error.value.code == 2
