"""What gets distributed: wheel and sdist carry the package, and its `.mim` for real."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import yaml

from stpn_plugin import __version__
from tests.support.commands import ROOT
from tests.support.packages import OFFLINE, run


def mim_files(root: Path) -> set[str]:
    """Names of all that mim may look for, below `.mim`."""
    files = {
        path.relative_to(root).as_posix()
        for folder in ('configs', 'tools')
        for path in (root / folder).rglob('*')
        if path.is_file() and path.suffix in ('.py', '.sh', '.yml')
        if path.parent != root / 'tools/dev'
    }
    return files | {'model-index.yml'}


def test_wheel(source: Path, wheel: Path) -> None:
    assert wheel.name == f'stpn_plugin-{__version__}-py3-none-any.whl'
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert not any(info.external_attr >> 28 == 0xA for info in archive.infolist())
        prefix = 'stpn_plugin/.mim/'
        packed = {name[len(prefix) :] for name in names if name.startswith(prefix)}
        assert packed == mim_files(source)
        for name in packed:
            assert archive.read(prefix + name) == (source / name).read_bytes()
    modules = {
        path.relative_to(source).as_posix()
        for suffix in ('*.py', '*.html', 'pretrained/*/*')
        for path in (source / 'stpn_plugin').rglob(suffix)
        if '.mim' not in path.parts
    }
    assert modules <= names
    info = f'stpn_plugin-{__version__}.dist-info'
    tops = {name.split('/')[0] for name in names}
    assert tops == {'stpn_plugin', 'stpn_command.py', info}


def test_sdist(source: Path, sdist: Path) -> None:
    assert sdist.name == f'stpn_plugin-{__version__}.tar.gz'
    prefix = f'{sdist.name[: -len(".tar.gz")]}/stpn_plugin/.mim/'
    with tarfile.open(sdist) as archive:
        members = [m for m in archive.getmembers() if m.name.startswith(prefix)]
    assert not any(member.issym() or member.islnk() for member in members)
    packed = {member.name[len(prefix) :] for member in members if member.isfile()}
    assert packed == mim_files(source)


def test_install_from_sdist(sdist: Path, tmp_path: Path) -> None:
    target = tmp_path / 'site'
    run('-m', 'pip', 'install', *OFFLINE, '--target', str(target), str(sdist))
    code = (
        'import sys; sys.path.insert(0, sys.argv[1])\n'
        'import stpn_plugin\n'
        'print(stpn_plugin.__file__, stpn_plugin.__version__)'
    )
    printed = run('-c', code, str(target), cwd=tmp_path)
    assert printed.split()[-2:] == [
        str(target / 'stpn_plugin' / '__init__.py'),
        __version__,
    ]
    code = (
        'import sys; sys.path.insert(0, sys.argv[1])\n'
        'import stpn_command\n'
        'print(stpn_command.__file__)\n'
        'stpn_command.main(["--help"])'
    )
    printed = run('-c', code, str(target), cwd=tmp_path)
    assert printed.startswith(str(target)) and '\n  convert ilsvrc-vid ' in printed
    info = target / f'stpn_plugin-{__version__}.dist-info'
    assert 'stpn = stpn_command:main' in (info / 'entry_points.txt').read_text()
    assert (target / 'bin/stpn').is_file()


def test_model_index() -> None:
    """What mim needs: files that exist, lower-case names, weights of some model."""
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    models = []
    for metafile in index['Import']:
        models += yaml.safe_load((ROOT / metafile).read_text())['Models']
    assert models
    for model in models:
        assert model['Name'] == model['Name'].lower()
        assert (ROOT / model['Config']).is_file(), model['Config']
    assert any('Weights' in model for model in models)


def test_config_names_are_unique() -> None:
    """Mim looks configs up by their file name alone."""
    names = [path.name for path in (ROOT / 'configs').rglob('*.py')]
    assert len(names) == len(set(names))


def test_versions_agree() -> None:
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert citation['version'] == __version__
    assert f'## {__version__}\n' in (ROOT / 'CHANGELOG.md').read_text()


def test_workflow_runs_what_has_to_pass_on_all_pythons() -> None:
    jobs = yaml.safe_load((ROOT / '.github/workflows/ci.yml').read_text())['jobs']
    steps = jobs['all']['steps']
    assert '.ci/run' in [step.get('run') for step in steps]
    tested = {
        step['with']['python-version'] for step in steps if 'python-v' in str(step)
    }
    tested.update(jobs['other-pythons']['strategy']['matrix']['python-version'])
    locks = (ROOT / 'requirements/lock').glob('py3?*.txt')
    assert tested == {
        f'3.{path.stem[3:]}' for path in locks if 'compiled' not in path.name
    }
