"""Give mutated files and command lines to all that reads them, and tell what was found.

Mutations depend on the seed and the number of an input alone. The exit status is 1 if a
reader did anything but read the input, or refuse it with the name of the file.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Counter as CounterType
from typing import Sequence

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import stpn_plugin  # noqa: E402, F401
from stpn_plugin.utils import ProgressBar, text_table  # noqa: E402
from tests.support.fuzzing import Finding, Target, fuzz, targets  # noqa: E402

#: Share of the inputs that each target gets, of those that all get.
SHARES = {
    'xml': 8,
    'list': 4,
    'cocovid': 2,
    'checkpoint-parts': 2,
    'checkpoint-torch': 2,
    'checkpoint': 4,
    'results-npz': 3,
    'results-pkl': 3,
    'mat': 4,
    'log': 2,
    'options': 2,
}
_CHUNK = 1000

_TARGETS: dict[str, Target] = {}


def main() -> int:
    """Fuzz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--inputs', type=int, default=20_000, help='in all, or a few more'
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1)
    parser.add_argument('--targets', nargs='+', choices=list(SHARES), default=[*SHARES])
    args = parser.parse_args()
    wanted = inputs_of(args.targets, args.inputs)
    chunks = [
        (name, args.seed, start, min(_CHUNK, count - start))
        for name, count in wanted.items()
        for start in range(0, count, _CHUNK)
    ]
    ran: CounterType[str] = Counter()
    seconds: CounterType[str] = Counter()
    findings: list[Finding] = []
    with ProgressBar(total=sum(wanted.values()), unit='input') as progress:
        while chunks:
            chunks = _run(chunks, args.jobs, ran, seconds, findings, progress)
    rows: list[list] = [['target', 'inputs', 'ms an input', 'findings']]
    for name in args.targets:
        found = sum(finding.target == name for finding in findings)
        each = 1000 * seconds[name] / max(ran[name], 1)
        rows.append([name, f'{ran[name]:,}', f'{each:.2f}', str(found)])
    rows.append(['all', f'{sum(ran.values()):,}', '', str(len(findings))])
    print(text_table(rows, total=True))
    for finding in findings[:100]:
        print(f'{finding.target} {args.seed} {finding.number}: {finding.error}')
    return int(bool(findings))


def inputs_of(names: Sequence[str], inputs: int) -> dict[str, int]:
    """How many inputs each target gets, together no fewer than some number."""
    total = sum(SHARES[name] for name in names)
    return {name: -(-inputs * SHARES[name] // total) for name in names}


def _run(
    chunks: list[tuple],
    jobs: int,
    ran: CounterType[str],
    seconds: CounterType[str],
    findings: list[Finding],
    progress: ProgressBar,
) -> list[tuple]:
    """Run chunks; returns those that are left where a process has died."""
    left = list(chunks)
    with ProcessPoolExecutor(jobs) as pool:
        waiting = {pool.submit(_fuzz, *chunk): chunk for chunk in chunks}
        for future in as_completed(waiting):
            chunk = waiting[future]
            try:
                found, spent = future.result()
            except BrokenProcessPool:
                continue
            left.remove(chunk)
            findings += found
            ran[chunk[0]] += chunk[3]
            seconds[chunk[0]] += spent  # type: ignore[assignment]
            progress.update(chunk[3])
    if len(left) == len(chunks) or (left and jobs == 1):
        # One of the first inputs of these ends the process: bisect by hand.
        name, _, start, count = left.pop(0)
        text = f'one of {count} inputs from here ended the process'
        findings.append(Finding(name, start, text))
    return left


def _fuzz(name: str, seed: int, start: int, count: int) -> tuple[list[Finding], float]:
    logging.disable(logging.CRITICAL)
    warnings.simplefilter('ignore')
    if not _TARGETS:
        folder = Path(tempfile.mkdtemp(prefix='fuzz'))
        _TARGETS.update(targets(folder))
    begin = time.process_time()
    return fuzz(_TARGETS[name], seed, start, count), time.process_time() - begin


if __name__ == '__main__':
    sys.exit(main())
