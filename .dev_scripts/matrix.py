"""Which Pythons and torches this package works with: set up each, and run a smoke test.

Usage: ``python3 .dev_scripts/matrix.py``, or ``make matrix``. Each row of the table is
a Python and a torch: the one of the lock file, and the oldest that has wheels for that
Python (or that is supported). Its environment is made by ``setup_env.py``, and removed
after the row. A row that fails does not end the others; rows that are done are
remembered in the folder, so that the same command goes on where it was stopped.
``--newest`` runs a single row and ends with its status: the newest Python of this
machine, with the lock file's torch.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from datetime import date
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

import torch_builds
from setup_env import ROOT, find_python, lock_file

# The oldest torch of each Python 3.X: its own first with a torchvision, or ours.
OLDEST = {
    8: '2.0.1',
    9: '2.0.1',
    10: '2.0.1',
    11: '2.0.1',
    12: '2.2.2',
    13: '2.6.0',
    14: '2.9.0',
}
TESTS = 'tests/test_tools'
# What is tried -> the tests that try it.
SMOKE = {
    'registry': 'tests/test_registration.py::test_import[config]',
    'parity': 'tests/test_models/test_vid/test_stpn_parity.py',
    'train': f'{TESTS}/test_train.py::test_training_learns',
    'test': f'{TESTS}/test_test.py::test_same_metrics_as_in_training',
    'resume': f'{TESTS}/test_train.py::test_resume_restores_epoch_and_optimizer',
    'mim': f'{TESTS}/test_mim.py::test_tools_of_the_plugin',
    'video demo': f'{TESTS}/test_video_demo.py::test_same_detections_as_in_a_test_run',
}
LONGEST = 3600  # seconds of a smoke test, on a machine that does much else
VERSIONS = """
import numpy, platform, torch, torchvision
print(platform.python_version(), torch.__version__, torchvision.__version__,
      numpy.__version__)
"""


class Row(NamedTuple):
    """A Python and a torch.

    Attributes:
        minor: X of Python 3.X.
        torch: Version of torch; ``lock`` for the one of the lock file.
    """

    minor: int
    torch: str

    @property
    def name(self) -> str:
        """How rows are named, in options too."""
        return f'3.{self.minor}/{self.torch}'


def rows() -> List[Row]:
    """All rows, oldest Python first."""
    return [Row(minor, torch) for minor in OLDEST for torch in (OLDEST[minor], 'lock')]


def run_row(row: Row, python: str, folder: Path, keep: bool) -> Dict[str, str]:
    """Set up a row's environment and try the package there.

    Args:
        row: The Python and torch.
        python: The interpreter.
        folder: Where the environment goes.
        keep: Whether to leave it there.

    Returns:
        What the table tells of it.
    """
    env = folder / row.name.replace('/', '-')
    start = time.monotonic()
    command = [python, '.dev_scripts/setup_env.py', '--folder', str(env)]
    try:
        done = run([*command, '--torch', row.torch], folder / f'{env.name}.log')
        result = dict(date=date.today().isoformat())
        result['set-up'] = f'{time.monotonic() - start:.0f} s'
        if done.returncode:
            return dict(result, result='set-up: ' + first_reason(done.stdout))
        return {**result, **smoke(env, folder)}
    finally:
        if not keep:
            shutil.rmtree(str(env), ignore_errors=True)


def smoke(env: Path, folder: Path) -> Dict[str, str]:
    """Run the smoke test in an environment, and tell what is in it."""
    python = str(env / 'bin' / 'python')
    done = run([python, '-c', VERSIONS], folder / f'{env.name}.log')
    if done.returncode:
        return dict(result='import: ' + done.stdout.strip().splitlines()[-1])
    names = ('python', 'torch', 'torchvision', 'numpy')
    result = dict(zip(names, done.stdout.split()[-4:]))
    result['size'] = f'{size(env) / 1e9:.1f} GB'
    start = time.monotonic()
    report = folder / f'{env.name}.xml'
    if report.exists():
        report.unlink()
    command = [python, '-m', 'pytest', '-q', '-p', 'no:cacheprovider']
    command += [f'--junitxml={report}', *SMOKE.values()]
    done = run(command, folder / f'{env.name}.log')
    result['smoke'] = f'{time.monotonic() - start:.0f} s'
    result['result'] = read_report(report) if report.exists() else 'pytest did not end'
    if result['result'] == 'works' and done.returncode:
        result['result'] = f'pytest ended with status {done.returncode}'
    return result


def run(command: List[str], log: Path) -> subprocess.CompletedProcess:
    """Run a command in the checkout; what it wrote is added to a log, too."""
    variables = dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    variables['PIP_NO_COMPILE'] = '1'  # most modules are never imported
    try:
        done = subprocess.run(
            command,
            cwd=str(ROOT),
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LONGEST,
            text=True,
        )
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b'').decode(errors='replace')
        output += f'\nnot done after {LONGEST} s'
        done = subprocess.CompletedProcess(command, 124, output)
    with log.open('a') as file:
        file.write(f'$ {" ".join(command)}\n{done.stdout}\n')
    return done


def first_reason(output: str) -> str:
    """The line of a set-up's output that says why it ended."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r'ERROR:|Set-up:|\w*Error\b', line)]
    return (errors or lines or ['it wrote nothing'])[-1]


def read_report(path: Path) -> str:
    """What a report of pytest says, in few words."""
    failed: Dict[str, str] = {}
    ran = set()
    for case in ET.parse(str(path)).iter('testcase'):
        file = case.get('classname', '').replace('.', '/') + '.py'
        test = f'{file}::{case.get("name")}'
        subject = next(
            (subject for subject, ids in SMOKE.items() if test.startswith(ids)), file
        )
        ran.add(subject)
        for outcome in case:
            if outcome.tag in ('failure', 'error', 'skipped'):
                message = (outcome.get('message') or outcome.tag).strip()
                failed.setdefault(subject, message.splitlines()[0][:200])
    for subject in SMOKE:
        if subject not in ran:
            failed.setdefault(subject, 'not run')
    return '; '.join(f'{subject}: {why}' for subject, why in failed.items()) or 'works'


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(
        os.lstat(os.path.join(parent, name)).st_size
        for parent, _, names in os.walk(str(folder))
        for name in names
    )


def table(results: Dict[str, Dict[str, str]]) -> str:
    """The results as a table of Markdown, with the dates they are of."""
    lines = [
        '| Python | torch / torchvision | numpy | size | result |',
        '| --- | --- | --- | ---: | --- |',
    ]
    for row in rows():
        result = results.get(row.name, {})
        torch = f'{locked(row)}, not installed'
        if 'torch' in result:
            torch = f'{result["torch"]} / {result["torchvision"]}'
        words = [result.get('python', f'3.{row.minor}'), torch]
        words += [result.get(name, '') for name in ('numpy', 'size')]
        words += [result.get('result', 'not run').replace('|', '\\|')]
        lines.append(f'| {" | ".join(words)} |')
    dates = sorted({result['date'] for result in results.values() if 'date' in result})
    when = ' to '.join(sorted({*dates[:1], *dates[-1:]}))
    lines += [
        '',
        f'`make matrix`, {when}, on {platform.system()} {platform.machine()}.',
    ]
    return '\n'.join(lines)


def locked(row: Row) -> str:
    """The version of torch that a row is about."""
    if row.torch != 'lock':
        return row.torch
    lock = lock_file((3, row.minor), compiled=False)
    return torch_builds.locked_version(lock)


def pythons(more: List[str]) -> Dict[int, Optional[str]]:
    """The interpreter of each Python 3.X; None where this machine has none.

    Args:
        more: Interpreters to take first.
    """
    found: Dict[int, Optional[str]] = {minor: find_python(minor) for minor in OLDEST}
    for python in more:
        ask = 'import sys; print(sys.version_info[1])'
        shown = subprocess.run(
            [python, '-c', ask], stdout=subprocess.PIPE, check=True, text=True
        )
        found[int(shown.stdout)] = python
    return found


def newest(interpreters: Dict[int, Optional[str]], folder: Path, keep: bool) -> int:
    """Run the row of the newest Python; its status."""
    minor = max(minor for minor, python in interpreters.items() if python)
    if minor <= sys.version_info[1]:
        print(
            f'SKIPPED: neither PATH nor pyenv has a newer Python than 3.{minor}, with '
            'which all tests are run.'
        )
        return 0
    row = Row(minor, 'lock')
    result = run_row(row, str(interpreters[minor]), folder, keep)
    print(', '.join(f'{name}: {value}' for name, value in result.items()))
    passed = result['result'] == 'works'
    if not passed:
        print((folder / f'{row.name.replace("/", "-")}.log').read_text()[-5000:])
    print(f'{int(passed)} passed, {int(not passed)} failed')
    return int(not passed)


def main() -> int:
    """Run the rows that are not done, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        '--folder',
        type=Path,
        default=ROOT / '.venv-matrix',
        help='for environments (one at a time, up to 8 GB), logs and results',
    )
    parser.add_argument(
        '--python', action='append', default=[], help='an interpreter to use, too'
    )
    parser.add_argument(
        '--rows', nargs='+', help='run these, done or not: 3.13/lock, or 3.13 for both'
    )
    parser.add_argument('--newest', action='store_true', help='see above')
    parser.add_argument('--keep', action='store_true', help='leave environments there')
    parser.add_argument(
        '--table', action='store_true', help='print the table, run none'
    )
    args = parser.parse_args()
    folder = Path(os.path.abspath(str(args.folder)))
    folder.mkdir(parents=True, exist_ok=True)
    interpreters = pythons(args.python)
    if args.newest:
        return newest(interpreters, folder, args.keep)

    file = folder / 'results.json'
    results = json.loads(file.read_text()) if file.exists() else {}
    for row in [] if args.table else rows():
        if args.rows:
            wanted = bool({row.name, f'3.{row.minor}'} & {*args.rows})
        else:
            wanted = 'date' not in results.get(row.name, {})
        python = interpreters[row.minor]
        if not wanted:
            continue
        if python is None:
            results[row.name] = dict(result=f'not run: no Python 3.{row.minor} there')
            continue
        print(f'{row.name} ...', flush=True)
        results[row.name] = run_row(row, python, folder, args.keep)
        print(f'{row.name}: {results[row.name]["result"]}', flush=True)
        partial = folder / 'results.json.partial'
        partial.write_text(json.dumps(results, indent=1))
        partial.replace(file)
    print(table(results))
    return 0


if __name__ == '__main__':
    sys.exit(main())
