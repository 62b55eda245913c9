"""Command lines in processes of their own that start at once, and how they end."""

from __future__ import annotations

import importlib
import os
import re
import resource
import runpy
import shutil
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmtrack.utils import register_all_modules

import stpn_command
from stpn_plugin.cli.command import USER_ERROR
from tests.support.commands import ROOT
from tests.support.misuses import Misuse

#: What a trial may take.
SECONDS, GIGABYTES = 600, 8

REFUSED, WORKED = 'one line', 'worked'
"""How a misuse should end: refused, or as a use, if it has a meaning."""


class Trial(NamedTuple):
    """A misuse, and how it ended.

    Attributes:
        misuse: The misuse.
        outcome: ``REFUSED``, ``WORKED``, or what is wrong.
        status: Exit status; negative for the signal that ended it.
        output: What it wrote to stdout.
        errors: What it wrote to stderr.
        seconds: How long it took.
    """

    misuse: Misuse
    outcome: str
    status: int
    output: str
    errors: str
    seconds: float

    @property
    def is_right(self) -> bool:
        """Whether it ended as it should."""
        return self.outcome == (WORKED if self.misuse.works else REFUSED)


class Workshop:
    """A copy of the inputs, in which misuses are tried one after the other.

    Args:
        inputs: Folder that :func:`~tests.support.misuse_inputs.write_inputs` wrote.
        folder: Where to work; made, and removed by :meth:`close`.
    """

    def __init__(self, inputs: Path, folder: Path) -> None:
        self.inputs = inputs
        self.folder = folder
        self._output = folder.with_name(f'{folder.name}.out')
        self._errors = folder.with_name(f'{folder.name}.err')
        self._restore()

    def _restore(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(self.inputs, self.folder, symlinks=True)
        self._state = _state(self.folder)

    def close(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for path in (self._output, self._errors):
            path.unlink(missing_ok=True)

    def attempt(self, misuse: Misuse) -> Trial:
        """Try a misuse."""
        begin = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if not process:
            self._run(misuse)
        status = _wait(process, begin + SECONDS)
        seconds = time.monotonic() - begin
        output = self._output.read_text(errors='replace')
        errors = self._errors.read_text(errors='replace')
        outcome = judge(misuse, status, output, errors)
        state = _state(self.folder)
        if state != self._state:
            changed = [
                path for path, was in self._state.items() if state.get(path) != was
            ]
            if changed and not misuse.works:
                outcome = f'changed its input {", ".join(sorted(changed)[:3])}'
            if not changed and outcome == REFUSED:
                left = [name for name in state if '.part' in name]
                if left:
                    outcome = f'left {left[0]}'
            self._restore()
        return Trial(misuse, outcome, status, output, errors, seconds)

    def _run(self, misuse: Misuse) -> None:
        """Be the process of a misuse; does not return."""
        status = 1
        try:
            os.setsid()
            os.chdir(self.folder)
            _redirect(os.devnull, 0, os.O_RDONLY)
            _redirect(str(self._output), 1, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            _redirect(str(self._errors), 2, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            _limit_memory()
            status = run(misuse)
        except SystemExit as end:
            status = 1
            if isinstance(end.code, int) or end.code is None:
                status = end.code or 0
            else:
                sys.stderr.write(f'{end.code}\n')
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)


def run(misuse: Misuse) -> int:
    """Run the command line of a misuse; its exit status."""
    if misuse.tool is None:
        return stpn_command.main([*misuse.command.split(), *misuse.words])
    sys.argv = [misuse.tool, *misuse.words]
    return runpy.run_path(str(ROOT / misuse.tool))['main']()


def prepare() -> None:
    """Import what commands import, so that their processes start with it."""
    warnings.simplefilter('ignore')
    torch.set_num_threads(1)
    os.environ['LOCAL_RANK'] = '0'
    register_all_modules(init_default_scope=False)
    for module in stpn_command.COMMANDS.values():
        importlib.import_module(f'stpn_plugin.cli.{module}')
    Config.fromfile(str(ROOT / 'configs/_base_/default_runtime.py'))


def judge(misuse: Misuse, status: int, output: str, errors: str) -> str:
    """How a misuse ended, in a few words."""
    is_shown = 'Traceback (most recent call last)' in output + errors
    if is_shown and '--debug' not in misuse.words:
        return f'traceback: {_last_line(errors)}'
    if status == -signal.SIGKILL:
        return f'took more than {SECONDS} s'
    if status in (0, 1) and not re.search('^.*: error: ', errors, re.MULTILINE):
        return WORKED
    if status != USER_ERROR:
        return f'status {status}: {_last_line(errors)}'
    # What a progress bar showed is overwritten.
    lines = [line.rpartition('\r')[2] for line in errors.splitlines()]
    lines = [line.replace('\x1b[A', '').strip() for line in lines]
    lines = [line for line in lines if line and not re.search(r'\d%\|.*\[', line)]
    told = [line for line in lines if ': error: ' in line]
    if len(told) != 1 or told != lines[-1:]:
        return f'no line for the error: {_last_line(errors)}'
    if '--debug' in misuse.words:
        # The parser's errors come from no place in the program.
        is_right = is_shown or told[0].endswith(' --help)')
        return REFUSED if is_right else 'no traceback'
    if lines != told:
        return f'more than a line: {lines[0]}'
    if len(told[0]) > 2000:
        return f'a line of {len(told[0])} characters'
    if misuse.named and not any(name in told[0] for name in misuse.named):
        return f'names none of {", ".join(misuse.named)}: {told[0]}'
    return REFUSED


def _last_line(errors: str) -> str:
    return (errors.strip().splitlines() or ['nothing said'])[-1][:300]


def _redirect(path: str, number: int, flags: int) -> None:
    file = os.open(path, flags, 0o644)
    os.dup2(file, number)
    os.close(file)


def _limit_memory() -> None:
    with open('/proc/self/statm') as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + GIGABYTES * 2**30, hard))


def _wait(process: int, until: float) -> int:
    """Exit status of a process and its group, which is killed when its time is up."""
    while time.monotonic() < until:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            _kill_group(process)  # what it has left behind
            break
        time.sleep(0.003)
    else:
        _kill_group(process)
        os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _kill_group(process: int) -> None:
    try:
        os.killpg(process, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _state(folder: Path) -> dict[str, tuple]:
    """What tells whether a file was written to, for each file in a folder."""
    found = {}
    for path, folders, files in os.walk(folder):
        for name in (*files, *folders):
            state = os.lstat(os.path.join(path, name))
            is_folder = name in folders
            found[os.path.relpath(os.path.join(path, name), folder)] = (
                () if is_folder else (state.st_size, state.st_mtime_ns, state.st_ino)
            )
    return found
