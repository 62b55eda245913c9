"""What the module offers, what it refuses, and how it installs."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.machinery import PathFinder
from pathlib import Path

import mmcv
import mmcv.ops
import pytest
import torch
from mmcv.utils import collect_env

OPS_DIR = Path(mmcv.ops.__file__).parent
REQUIRED = {
    'nms',
    'softnms',
    'nms_match',
    'roi_align_forward',
    'roi_align_backward',
    'roi_pool_forward',
    'roi_pool_backward',
    'deform_conv_forward',
    'deform_conv_backward_input',
    'deform_conv_backward_parameters',
    'modulated_deform_conv_forward',
    'modulated_deform_conv_backward',
    'sigmoid_focal_loss_forward',
    'sigmoid_focal_loss_backward',
    'softmax_focal_loss_forward',
    'softmax_focal_loss_backward',
    'ms_deform_attn_forward',
    'ms_deform_attn_backward',
}


def _names_mmcv_asks_for() -> list[str]:
    names = set()
    for path in OPS_DIR.glob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, 'attr', '') == 'load_ext'
            ):
                names |= set(ast.literal_eval(node.args[1]))
    return sorted(names)


NAMES = _names_mmcv_asks_for()


def test_mmcv_asks_for_what_is_required():
    assert set(NAMES) >= REQUIRED
    assert len(NAMES) > 100


@pytest.mark.parametrize('name', NAMES)
def test_every_name_is_an_operator_or_a_clear_error(backend, name):
    assert hasattr(backend, name)
    if name in backend.__all__:
        assert inspect.isfunction(getattr(backend, name))
        return
    assert name not in REQUIRED
    with pytest.raises(
        NotImplementedError, match=f"'{name}'.*mim install .mmcv=="
    ) as e:
        getattr(backend, name)(torch.zeros(1), size=3)
    assert 'pip uninstall -y mmcv-torchvision-ops mmcv-lite' in str(e.value)


def test_unsupported_operator_through_mmcv():
    boxes = torch.rand(3, 5)
    with pytest.raises(NotImplementedError, match="'nms_rotated'"):
        mmcv.ops.nms_rotated(boxes, torch.rand(3), 0.5)


@pytest.mark.parametrize('name', ['_private', '__wrapped__', '__path__'])
def test_private_names_are_missing(backend, name):
    assert not hasattr(backend, name)
    with pytest.raises(AttributeError, match=name):
        getattr(backend, name)


def test_arguments_are_those_of_the_extension(backend):
    """Same names in the same order as in the bindings, which mmcv ships."""
    bindings = (OPS_DIR / 'csrc' / 'pytorch' / 'pybind.cpp').read_text()
    for name in REQUIRED:
        definition = re.search(rf'm\.def\(\s*"{name}".*?;', bindings, re.DOTALL).group()
        expected = re.findall(r'py::arg\("(\w+)"\)', definition)
        assert list(inspect.signature(getattr(backend, name)).parameters) == expected


def test_collect_env_works():
    env = collect_env()
    assert 'mmcv-torchvision-ops' in env['MMCV Compiler']
    assert 'mmcv-torchvision-ops' in env['MMCV CUDA Compiler']


def test_operators_come_from_this_project(backend, project):
    for name in REQUIRED:
        source = Path(inspect.getsourcefile(getattr(backend, name)))
        assert source.parent == project / 'mmcv_torchvision_ops'


def test_compiled_extension_wins(project, tmp_path):
    """Over a module; a package ``_ext`` would win over the compiled one."""
    shutil.copytree(project / 'mmcv', tmp_path, dirs_exist_ok=True)
    assert PathFinder.find_spec('_ext', [str(tmp_path)]).origin.endswith('_ext.py')
    compiled = tmp_path / f'_ext{sysconfig.get_config_var("EXT_SUFFIX")}'
    compiled.touch()
    sys.path_importer_cache.pop(str(tmp_path), None)
    assert PathFinder.find_spec('_ext', [str(tmp_path)]).origin == str(compiled)


def modules_of(project: Path) -> list[str]:
    """The modules that the project installs, relative to site-packages."""
    return [
        'mmcv/_ext.py',
        *sorted(
            f'{path.parent.name}/{path.name}'
            for path in (project / 'mmcv_torchvision_ops').glob('*.py')
        ),
    ]


def test_installed_modules_are_these(project):
    origin = Path(importlib.util.find_spec('mmcv._ext').origin)
    if origin.suffix != '.py':
        pytest.skip('mmcv is compiled')
    site_packages = origin.parents[1]
    for module in modules_of(project):
        installed = site_packages / module
        assert (
            installed.is_file()
            and installed.read_text() == (project / module).read_text()
        ), f'{installed} is out of date: make setup'


@pytest.mark.slow
def test_wheel_holds_what_is_needed(project, tmp_path):
    source = tmp_path / 'source'
    shutil.copytree(project, source)
    subprocess.run(
        [sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation']
        + ['--quiet', '--wheel-dir', str(tmp_path), str(source)],
        check=True,
    )
    (wheel,) = tmp_path.glob('mmcv_torchvision_ops-*.whl')
    files = zipfile.ZipFile(wheel).namelist()
    assert [name for name in files if '.dist-info/' not in name] == modules_of(project)
