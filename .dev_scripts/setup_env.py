"""Create the environment of this checkout, or bring it up to date.

Usage: ``python3 .dev_scripts/setup_env.py [--compiled]``. Needs nothing but Python
itself. Steps that are done and whose inputs have not changed are skipped.

Without options: ``.venv``, made by the running Python, with mmcv-lite and the operators
of ``projects/mmcv_torchvision_ops``. With ``--compiled``: ``.venv-compiled``, made by a
Python 3.8 to 3.10 of this machine, with mmcv's own operators, compiled once and kept in
the user's cache.
"""

import argparse
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List, Optional, Tuple

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / 'requirements' / 'lock'
BACKEND = ROOT / 'projects' / 'mmcv_torchvision_ops'
MMCV = 'mmcv==2.0.0rc4'
CACHE = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
WHEELS = CACHE / 'stpn_plugin' / 'wheels' / 'torch2.0.1'

# Major and minor version of a Python.
Version = Tuple[int, int]

NO_COMPILER = 'Install a C and C++ compiler (Debian: apt install build-essential).'
# What pip or the compiler says when it fails -> what to do about it.
ADVICE = {
    'No space left on device': 'Free some disk space: an environment takes 7 GB.',
    'ensurepip is not': "Install Python's venv (Debian: apt install python3-venv).",
    'Temporary failure in name resolution': 'Check the network and proxy settings.',
    'Connection': 'Check the network and proxy settings.',
    'Read timed out': 'The package index is slow: run the same command again.',
    'No matching distribution': (
        'No such package for this machine (the lock files are for Linux on x86-64), or '
        'no package index in reach.'
    ),
    'Python.h': "Install Python's headers (Debian: apt install python3-dev).",
    "command 'gcc' failed: No such": NO_COMPILER,
    "command 'g++' failed: No such": NO_COMPILER,
}


class SetupError(Exception):
    """Says for a reader at a terminal what went wrong and what to do."""


class Environment:
    """A virtual environment that is set up step by step.

    Args:
        path (Path): Its folder.
        python (str): The interpreter that it is made with.
    """

    def __init__(self, path: Path, python: str) -> None:
        self.path = path
        self.python = python
        self.bin = path / 'bin'
        self.log = path / 'setup.log'
        self.done_file = path / 'setup_steps.json'
        self.changed = False

    @property
    def done(self) -> Dict[str, str]:
        """The fingerprints of the steps done so far, by title."""
        if not self.done_file.exists():
            return {}
        return json.loads(self.done_file.read_text())

    def step(
        self, title: str, fingerprint: str, *commands: List[str], **variables: str
    ) -> None:
        """Run a step's commands unless it was done with the same fingerprint.

        Args:
            title (str): What is being done, for the reader.
            fingerprint (str): Changes when the step has to be done anew.
            commands (list[str]): What to run.
            variables (str): Environment variables for the commands.

        Raises:
            SetupError: If a command fails.
        """
        if self.done.get(title) == fingerprint:
            return
        self.changed = True
        start = time.monotonic()
        self._say(f'{title} ...')
        for command in commands:
            self._run(title, command, variables)
        self.done_file.write_text(json.dumps({**self.done, title: fingerprint}))
        self._say(f'{title}: {time.monotonic() - start:.0f} s')

    def pip(self, *arguments: str) -> List[str]:
        """Return the command that runs this environment's pip."""
        return [str(self.bin / 'python'), '-m', 'pip', *arguments]

    def install(self, *arguments: str) -> List[str]:
        """Return the command that installs packages just as they are named."""
        return self.pip('install', '--no-deps', '--no-build-isolation', *arguments)

    def _say(self, text: str) -> None:
        print(f'[{self.path.name}] {text}', flush=True)

    def _run(self, title: str, command: List[str], variables: Dict[str, str]) -> None:
        process = subprocess.Popen(
            command,
            cwd=str(ROOT),
            env={**os.environ, 'PIP_DISABLE_PIP_VERSION_CHECK': '1', **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        lines = []
        packages = 0
        for line in process.stdout:
            lines.append(line)
            if line.startswith('Collecting '):
                packages += 1
                if packages % 20 == 0:
                    self._say(f'    {packages} packages, {line.split()[1]}')
            elif line.startswith('Installing collected'):
                self._say('    unpacking')
        output = ''.join(lines)
        if self.path.exists():
            with self.log.open('a') as log:
                log.write(f'$ {" ".join(command)}\n{output}\n')
        if process.wait() != 0:
            tail = ''.join(lines[-20:])
            advice = [text for sign, text in ADVICE.items() if sign in output]
            raise SetupError(
                f'step failed: {title}\n$ {" ".join(command)}\n{tail}\n'
                + ''.join(f'{text}\n' for text in advice[:1])
                + f'The whole log is in {self.log}. The same command, run again, goes '
                'on from this step.'
            )


def fingerprint(*paths: Path) -> str:
    """Hash the names and contents of files, and of the files in folders."""
    digest = hashlib.sha256()
    for path in paths:
        files = sorted(path.rglob('*')) if path.is_dir() else [path]
        for file in files:
            generated = {'build', '__pycache__'} & set(file.parts)
            if file.is_file() and not generated and '.egg-info' not in str(file):
                digest.update(str(file.relative_to(ROOT)).encode() + b'\0')
                digest.update(file.read_bytes())
    return digest.hexdigest()


def lock_file(version: Version, compiled: bool) -> Path:
    """Return the path of the lock file for ``version``, a (major, minor) pair."""
    suffix = '-compiled' if compiled else ''
    return LOCKS / f'py{version[0]}{version[1]}{suffix}.txt'


def find_python_for_compiling() -> Optional[Tuple[str, Version]]:
    """Look for a Python that torch 2.0.1 has wheels for, with its C headers.

    Returns:
        tuple: Path of the interpreter and its (major, minor) version; None if this
            machine has none.
    """
    check = (
        'import ensurepip, os, sys, sysconfig, venv;'
        'header = os.path.join(sysconfig.get_path("include"), "Python.h");'
        'print(sys.executable if os.path.exists(header) else "")'
    )
    pyenv = os.environ.get('PYENV_ROOT') or str(Path.home() / '.pyenv')
    for minor in (10, 9, 8):
        candidates = [shutil.which(f'python3.{minor}')]
        candidates += glob.glob(f'{pyenv}/versions/3.{minor}.*/bin/python3')
        for candidate in filter(None, candidates):
            # A shim of pyenv may be on PATH and yet not lead to an interpreter.
            result = subprocess.run(
                [candidate, '-c', check],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            if result.returncode == 0 and result.stdout.strip():
                return result.stdout.strip(), (3, minor)
    return None


def set_up(env: Environment, version: Version, compiled: bool) -> None:
    """Run all steps.

    Args:
        env (Environment): The environment to set up.
        version (Version): Version of its Python.
        compiled (bool): Whether to build mmcv with its operators.

    Raises:
        SetupError: If a step fails.
    """
    if env.path.exists() and not env.done:
        raise SetupError(
            f'{env.path} is there, but was not made by this set-up, or not to its end. '
            'Move it away or remove it, and run the same command again.'
        )
    lock = lock_file(version, compiled)
    tools = [
        line.strip()
        for line in lock.read_text().splitlines()
        if line.startswith(('ninja==', 'setuptools==', 'wheel=='))
    ]
    env.step(
        'create the environment',
        f'{env.path} {env.python} {version}',  # a moved one does not work
        [env.python, '-m', 'venv', '--clear', str(env.path)],
    )
    env.step(
        f'install the packages of {lock.relative_to(ROOT)}',
        fingerprint(lock),
        env.install(*tools),
        env.install('-r', str(lock)),
    )
    if compiled:
        install_compiled_mmcv(env, version)
    env.step(
        'install the operators for mmcv-lite',
        fingerprint(BACKEND),
        env.install('--force-reinstall', str(BACKEND)),
    )
    names = ('setup.cfg', 'pyproject.toml', 'requirements', 'stpn_plugin/version.py')
    env.step(
        'install stpn_plugin, editable',
        fingerprint(*(ROOT / name for name in names)),
        env.install('-e', str(ROOT)),
    )


def install_compiled_mmcv(env: Environment, version: Version) -> None:
    """Build a wheel of mmcv with its operators, unless the cache has it; install it."""
    pattern = f'{MMCV.replace("==", "-")}-cp{version[0]}{version[1]}-*.whl'
    if not list(WHEELS.glob(pattern)):
        if not any(map(shutil.which, filter(None, [os.environ.get('CXX'), 'c++']))):
            raise SetupError(f'building {MMCV} needs a C++ compiler. {NO_COMPILER}')
        folder = env.path / 'wheels'
        env.step(
            f'compile {MMCV} (about 10 minutes, once)',
            '',
            env.pip(
                *('wheel', '--no-deps', '--no-build-isolation', '--no-binary', 'mmcv'),
                *('--wheel-dir', str(folder), MMCV),
            ),
            MMCV_WITH_OPS='1',
            FORCE_CUDA='0',
            CUDA_VISIBLE_DEVICES='',
            MAX_JOBS=os.environ.get('MAX_JOBS', str(os.cpu_count())),
            PATH=f'{env.bin}{os.pathsep}{os.environ["PATH"]}',  # for ninja
        )
        WHEELS.mkdir(parents=True, exist_ok=True)
        for wheel in folder.glob(pattern):
            partial = WHEELS / f'{wheel.name}.partial'
            shutil.copyfile(str(wheel), str(partial))
            partial.rename(WHEELS / wheel.name)
    wheel = next(WHEELS.glob(pattern))
    env.step(f'install the compiled {MMCV}', wheel.name, env.install(str(wheel)))


def main() -> None:
    """Set up the environment that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--compiled', action='store_true', help='set up .venv-compiled')
    compiled = parser.parse_args().compiled
    start = time.monotonic()

    if compiled:
        found = find_python_for_compiling()
        if found is None:
            print(
                'SKIPPED: neither PATH nor pyenv has a Python 3.8 to 3.10 with venv '
                "and C headers; mmcv's compiled operators are not tested here."
            )
            return
        python, version = found
        env = Environment(ROOT / '.venv-compiled', python)
    else:
        version = sys.version_info[:2]
        if not lock_file(version, compiled).exists():
            raise SetupError(
                f'{sys.executable} is a Python {version[0]}.{version[1]}, which is not '
                'supported. Take one from 3.8 to 3.12, for example: '
                'make PYTHON=python3.10 test'
            )
        # Not sys.executable: it may belong to the very environment to be set up.
        python = f'{sys.base_prefix}/bin/python{version[0]}.{version[1]}'
        env = Environment(ROOT / '.venv', python)

    set_up(env, version, compiled)
    if env.changed:
        print(f'[{env.path.name}] ready after {time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    try:
        main()
    except SetupError as error:
        sys.exit(f'\nSet-up: {error}')
