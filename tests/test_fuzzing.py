"""Mutated files and command lines end as they should; see tests/support/fuzzing.py."""

from __future__ import annotations

import random
import runpy
from pathlib import Path

import pytest

from tests.support.commands import ROOT
from tests.support.fuzzing import Target, fuzz, mutate, targets

INPUTS = 20_000
NAMES = (
    *('xml', 'list', 'cocovid', 'checkpoint', 'checkpoint-parts', 'checkpoint-torch'),
    *('results-npz', 'results-pkl', 'mat', 'log', 'options'),
)


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return targets(tmp_path_factory.mktemp('inputs'))


def test_every_target_is_run(made: dict[str, Target]) -> None:
    assert sorted(made) == sorted(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_mutated_inputs(made: dict[str, Target], name: str) -> None:
    assert fuzz(made[name], 0, 0, INPUTS // len(NAMES) + 1) == []


def test_whole_inputs_are_read(made: dict[str, Target], tmp_path: Path) -> None:
    for target in made.values():
        if target.name in ('list', 'cocovid', 'options', 'results-npz'):
            continue  # parts of a whole
        for content in target.inputs:
            folder = tmp_path / target.name
            folder.mkdir(exist_ok=True)
            path = folder / 'a'
            if target.name.startswith('checkpoint-'):
                content = target.packed(content, None)  # type: ignore[arg-type]
            path.write_bytes(content)
            target.read(str(path))


def test_mutated_inputs_are_no_whole_ones(made: dict[str, Target]) -> None:
    for target in made.values():
        for number in range(200):
            assert mutate(target, random.Random(number)) not in target.inputs


@pytest.mark.parametrize('seed', [b'abc', b'0', b'[]'])
def test_seeds_of_any_kind_are_mutated(seed: bytes) -> None:
    target = Target('any', [seed], bytes, [])
    assert all(mutate(target, random.Random(i)) != seed for i in range(500))


def test_no_fewer_inputs_than_asked_for() -> None:
    inputs_of = runpy.run_path(str(ROOT / 'tools/dev/fuzz.py'))['inputs_of']
    for inputs in (1, 100, 1_000_000):
        assert inputs <= sum(inputs_of(NAMES, inputs).values()) < inputs + len(NAMES)


def test_what_is_found() -> None:
    """Readers that do what they may not."""

    def found(read: object) -> str:
        target = Target('bad', [b'abc'], read, [])  # type: ignore[arg-type]
        return fuzz(target, 0, 0, 1)[0].error

    def run(path: str) -> None:
        import subprocess

        subprocess.run(['true'])

    def fill(path: str) -> None:
        bytearray(1 << 34)

    def nameless(path: str) -> None:
        int('a')

    def foreign(path: str) -> None:
        [][1]

    def litter(path: str) -> None:
        Path(path).with_name('more').touch()

    assert 'subprocess.Popen' in found(run)
    assert 'MemoryError' in found(fill)
    assert 'names no file' in found(nameless)
    assert 'IndexError' in found(foreign)
    assert 'left files' in found(litter)
