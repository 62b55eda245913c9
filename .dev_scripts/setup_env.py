"""Create the environment of this checkout, or bring it up to date.

Usage: ``python3 .dev_scripts/setup_env.py [--compiled | --mim]``. Needs nothing but
Python itself. Steps that are done and whose inputs have not changed are skipped. An
environment that is there is never replaced by one of another Python.

Without options: ``.venv``, made by the running Python, with mmcv-lite and the operators
of ``projects/mmcv_torchvision_ops``. ``--torch`` takes another torch than the lock
file's (see ``torch_builds.py``), which stays until another is asked for; ``--folder``
another place; ``--plan`` only tells what would be run. With ``--compiled``:
``.venv-compiled``, made by a
Python 3.8 to 3.10 of this machine, with mmcv's own operators, compiled once and kept in
the user's cache. With ``--mim``: ``.venv-mim``, which has all that ``.venv`` has, and
this package as its users install it, because mim does not find an editable one.
"""

import argparse
import glob
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import mmcv_lite_wheel
import torch_builds

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / 'requirements' / 'lock'
BACKEND = ROOT / 'projects' / 'mmcv_torchvision_ops'
MMCV = 'mmcv==2.0.0rc4'
# What an installed package depends on, beside its modules.
PACKAGING = ('setup.cfg', 'pyproject.toml', 'requirements', 'stpn_plugin/version.py')
CACHE = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache')
WHEELS = CACHE / 'stpn_plugin' / 'wheels'
COMPILED_WHEELS = WHEELS / 'torch2.0.1'
# Pythons that lock files are made for.
PYTHONS = ((3, 8), (3, 14))

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
        'No such package for this machine (the lock files are for Linux on x86-64) or '
        'this Python (each torch is built for some of them), or no package index in '
        'reach.'
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
        path: Its folder.
        python: The interpreter that it is made with.
        version: Version of the interpreter.
        plan: Whether to tell what would be run, and to run nothing.
    """

    def __init__(
        self, path: Path, python: str, version: Version, plan: bool = False
    ) -> None:
        self.path = path
        self.plan = plan
        self.python = python
        self.version = version
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
            title: What is being done, for the reader.
            fingerprint: Changes when the step has to be done anew.
            commands: What to run.
            variables: Environment variables for the commands.

        Raises:
            SetupError: If a command fails.
        """
        if self.done.get(title) == fingerprint:
            return
        if self.plan:
            self._say(title)
            for command in commands:
                print(f'    $ {" ".join(map(shlex.quote, command))}')
            return
        self.changed = True
        start = time.monotonic()
        self._say(f'{title} ...')
        for command in commands:
            self._run(title, command, variables)
        self.done_file.write_text(json.dumps({**self.done, title: fingerprint}))
        self._say(f'{title}: {time.monotonic() - start:.0f} s')

    def create(self, *options: str) -> None:
        """Make the environment, unless it is there.

        Args:
            options: Options of ``python -m venv``.

        Raises:
            SetupError: If another is there in its place, or it cannot be made.
        """
        title = 'create the environment'
        # Its scripts name its path: a moved one does not work.
        fingerprint = f'{self.path} {self.python} {self.version}'
        if self.path.exists() and self.done.get(title) != fingerprint:
            raise SetupError(self._conflict(self.done.get(title)))
        command = [self.python, '-m', 'venv', *options, str(self.path)]
        self.step(title, fingerprint, command)

    def _conflict(self, made: Optional[str]) -> str:
        away = f'Move it away or remove it (rm -rf {shlex.quote(str(self.path))})'
        if made is None:
            return (
                f'{self.path} is there, but was not made by this set-up, or not to its '
                f'end. {away}, and run the same command again.'
            )
        if not made.startswith(f'{self.path} '):
            return (
                f'{self.path} was moved here, and does not work at this place. {away}, '
                'and run the same command again.'
            )
        older = made[len(f'{self.path} ') :].rsplit(' (', 1)[0]
        return (
            f'{self.path} is there, made by another Python, {older}, and stays as it '
            f'is; this one is {self.python}. To use what is there: '
            f'make PYTHON={shlex.quote(older)} ... Or, to have one of this Python in '
            f'its place: {away[0].lower()}{away[1:]}, and run the same command again.'
        )

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


def find_python(minor: int, headers: bool = False) -> Optional[str]:
    """Look for a Python on PATH and in pyenv.

    Args:
        minor: X of Python 3.X.
        headers: Whether it has to come with its C headers.

    Returns:
        Path of the interpreter; None if this machine has none.
    """
    check = (
        'import ensurepip, os, sys, sysconfig, venv;'
        f'path = sysconfig.get_path("include") if {headers} else "";'
        'there = not path or os.path.exists(os.path.join(path, "Python.h"));'
        f'print(sys.executable if sys.version_info[1] == {minor} and there else "")'
    )
    pyenv = os.environ.get('PYENV_ROOT') or str(Path.home() / '.pyenv')
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
            return result.stdout.strip()
    return None


def find_python_for_compiling() -> Optional[Tuple[str, Version]]:
    """Look for a Python that torch 2.0.1 has wheels for, with its C headers.

    Returns:
        Path of the interpreter and its (major, minor) version; None if this machine has
        none.
    """
    for minor in (10, 9, 8):
        python = find_python(minor, headers=True)
        if python is not None:
            return python, (3, minor)
    return None


def set_up(
    env: Environment,
    compiled: bool,
    torch: Optional[str] = None,
    index: Optional[str] = None,
) -> None:
    """Run all steps.

    Args:
        env: The environment to set up.
        compiled: Whether to build mmcv with its operators.
        torch: Which torch to take, as :mod:`torch_builds` has it; by default what the
            environment has been asked for before.
        index: URL of the index to take it from.

    Raises:
        SetupError: If a step fails, or there is no such torch.
    """
    lock = lock_file(env.version, compiled)
    build = _parse_torch(torch, index, lock)
    tools = [
        line.strip()
        for line in lock.read_text().splitlines()
        if line.startswith(('ninja==', 'setuptools==', 'wheel=='))
    ]
    env.create()
    asked = env.path / 'setup_torch.json'
    if torch is None and asked.exists():
        build = torch_builds.TorchBuild(**json.loads(asked.read_text()))
    commands, options = [env.install(*tools)], []
    if env.version >= (3, 13):
        script = str(Path(mmcv_lite_wheel.__file__))
        commands += [[str(env.bin / 'python'), script, str(WHEELS)]]
        options = ['--find-links', str(WHEELS)]
    if build is None:
        mark = fingerprint(lock)
        if asked.exists():
            # pip takes another build of the same version for the one of the lock file.
            commands += [env.pip('uninstall', '--yes', 'torch', 'torchvision')]
        commands += [env.install(*options, '-r', str(lock))]
    else:
        mark = f'{fingerprint(LOCKS)} {build}'
        rest = env.path / 'setup_rest.txt'
        commands += torch_builds.commands(build, lock, rest, env.pip, options)
        if not env.plan:
            asked.write_text(json.dumps(build._asdict()))
            rest.write_text(torch_builds.without_torch(lock))
    env.step(f'install the packages of {lock.relative_to(ROOT)}', mark, *commands)
    if build is None and asked.exists() and not env.plan:
        asked.unlink()
    if compiled:
        install_compiled_mmcv(env)
    env.step(
        'install the operators for mmcv-lite',
        fingerprint(BACKEND),
        env.install('--force-reinstall', str(BACKEND)),
    )
    env.step(
        'install stpn_plugin, editable',
        fingerprint(*(ROOT / name for name in PACKAGING)),
        env.install('-e', str(ROOT)),
    )


def _parse_torch(
    torch: Optional[str], index: Optional[str], lock: Path
) -> Optional[torch_builds.TorchBuild]:
    """Read what the command line says of torch; None for what the lock file says."""
    if torch in (None, 'lock'):
        if index is not None:
            raise SetupError('TORCH_INDEX needs a version or build, TORCH=..., beside.')
        return None
    try:
        return torch_builds.parse(torch, index, lock)
    except ValueError as error:
        raise SetupError(str(error)) from error


def set_up_mim() -> Environment:
    """Make an environment for mim on top of ``.venv``.

    Returns:
        The environment.

    Raises:
        SetupError: If there is no ``.venv``, or a step fails.
    """
    base = ROOT / '.venv' / 'bin' / 'python'
    if not base.exists():
        raise SetupError(f'there is no {base}: run make setup first')
    ask = 'import sys; print(*sys.version_info[:2]); print(sys.base_prefix)'
    numbers, prefix = _output(str(base), ask)
    major, minor = map(int, numbers.split())
    python = f'{prefix}/bin/python{major}.{minor}'
    env = Environment(ROOT / '.venv-mim', python, (major, minor))
    env.create('--without-pip')
    ask = 'import sysconfig; print(sysconfig.get_path("purelib"))'
    (own,), (shared,) = (_output(str(p), ask) for p in (env.bin / 'python', base))
    # A line with a path: the .pth files there, of which one is that of the editable
    # install, are not read.
    # What mmengine needs of setuptools' is done here: `distutils`, gone in Python 3.12.
    Path(own, 'shared.pth').write_text(f'{shared}\nimport _distutils_hack.override\n')
    content = (
        *('stpn_plugin', 'stpn_command.py', 'configs', 'tools'),
        *('model-index.yml', 'README.md'),
    )
    env.step(
        'install stpn_plugin',
        fingerprint(*(ROOT / name for name in (*PACKAGING, *content))),
        # What an earlier build left would be packed again, if renamed since.
        [python, '-c', 'import shutil; shutil.rmtree("build", ignore_errors=True)'],
        env.install('--no-index', '--force-reinstall', str(ROOT)),
    )
    mim = env.bin / 'mim'
    mim.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m mim "$@"\n')
    mim.chmod(0o755)
    return env


def _output(python: str, code: str) -> List[str]:
    """Lines that a Python prints."""
    done = subprocess.run(
        [python, '-c', code], stdout=subprocess.PIPE, check=True, text=True
    )
    return done.stdout.splitlines()


def install_compiled_mmcv(env: Environment) -> None:
    """Build a wheel of mmcv with its operators, unless the cache has it; install it."""
    pattern = '{}-cp{}{}-*.whl'.format(MMCV.replace('==', '-'), *env.version)
    if not list(COMPILED_WHEELS.glob(pattern)):
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
        COMPILED_WHEELS.mkdir(parents=True, exist_ok=True)
        for wheel in folder.glob(pattern):
            partial = COMPILED_WHEELS / f'{wheel.name}.partial'
            shutil.copyfile(str(wheel), str(partial))
            partial.rename(COMPILED_WHEELS / wheel.name)
    wheel = next(COMPILED_WHEELS.glob(pattern))
    env.step(f'install the compiled {MMCV}', wheel.name, env.install(str(wheel)))


def main() -> None:
    """Set up the environment that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument('--compiled', action='store_true', help='set up .venv-compiled')
    kind.add_argument(
        '--mim', action='store_true', help='set up .venv-mim on top of .venv'
    )
    kind.add_argument(
        '--folder', type=Path, default=ROOT / '.venv', help='instead of .venv'
    )
    parser.add_argument('--torch', help='2.6.0, cpu, cu126, 2.6.0+cpu or lock')
    parser.add_argument('--torch-index', metavar='URL', help='index to take it from')
    parser.add_argument(
        '--plan', action='store_true', help='tell what would be run, and run nothing'
    )
    args = parser.parse_args()
    if (args.compiled or args.mim) and (args.torch or args.torch_index or args.plan):
        parser.error('--compiled and --mim take no other option')
    start = time.monotonic()

    if args.mim:
        env = set_up_mim()
    elif args.compiled:
        found = find_python_for_compiling()
        if found is None:
            print(
                'SKIPPED: neither PATH nor pyenv has a Python 3.8 to 3.10 with venv '
                "and C headers; mmcv's compiled operators are not tested here."
            )
            return
        env = Environment(ROOT / '.venv-compiled', *found)
        set_up(env, compiled=True)
    else:
        version = sys.version_info[:2]
        if not lock_file(version, compiled=False).exists():
            first, last = ('.'.join(map(str, python)) for python in PYTHONS)
            raise SetupError(
                f'{sys.executable} is a Python {version[0]}.{version[1]}, which is not '
                f'supported. Take one from {first} to {last}, for example: '
                'make PYTHON=python3.10 test'
            )
        # Not sys.executable: it may belong to the very environment to be set up.
        python = f'{sys.base_prefix}/bin/python{version[0]}.{version[1]}'
        env = Environment(
            Path(os.path.abspath(args.folder)), python, version, args.plan
        )
        set_up(env, compiled=False, torch=args.torch, index=args.torch_index)
    if env.changed:
        print(f'[{env.path.name}] ready after {time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    try:
        main()
    except SetupError as error:
        sys.exit(f'\nSet-up: {error}')
