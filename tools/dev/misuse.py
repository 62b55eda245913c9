"""Use every command in wrong ways, and tell how that ends.

Each misuse has to end with exit status 2 and one line that says what is wrong, unless
it has a meaning all the same. Those that end in another way are named, and the exit
status is 1. Each runs in a process of its own. Run it from the root of the repository:

    python tools/dev/misuse.py --jobs 2
    python tools/dev/misuse.py --only 'convert mot' train
    python tools/dev/misuse.py --numbers 17 --show
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Counter as CounterType
from typing import Sequence

sys.path.insert(0, str(Path(__file__).parents[2]))

from stpn_plugin.utils import ProgressBar, text_table  # noqa: E402
from tests.support.misuse_inputs import write_inputs  # noqa: E402
from tests.support.misuse_trials import (  # noqa: E402
    REFUSED,
    WORKED,
    Trial,
    Workshop,
    prepare,
)
from tests.support.misuses import WHOLE, Misuse, misuses, whole_use  # noqa: E402

_CHUNK = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Try them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1)
    parser.add_argument('--only', nargs='+', choices=list(WHOLE), metavar='COMMAND')
    parser.add_argument('--numbers', type=int, nargs='+', help='only these')
    parser.add_argument('--every', type=int, default=1, help='one of so many')
    parser.add_argument('--debug', action='store_true', help='ask for tracebacks')
    parser.add_argument('--show', action='store_true', help='all, with what they say')
    args = parser.parse_args(argv)
    prepare()
    chosen = {
        number: misuse
        for number, misuse in enumerate(misuses())
        if (not args.only or misuse.command in args.only)
        and (not args.numbers or number in args.numbers)
        and number % args.every == 0
    }
    if args.debug:
        for number, misuse in chosen.items():
            chosen[number] = misuse._replace(words=(*misuse.words, '--debug'))
    with tempfile.TemporaryDirectory(prefix='misuse') as folder:
        inputs = Path(folder, 'inputs')
        inputs.mkdir()
        write_inputs(inputs)
        uses = {m.command: whole_use(m.command) for m in chosen.values()}
        whole = attempt_all(list(uses.values()), inputs, args.jobs, 'use')
        trials = attempt_all(list(chosen.values()), inputs, args.jobs, 'misuse')
    print(table(trials))
    for trial in whole:
        if not trial.is_right:
            print(f'the use itself failed: {trial.misuse}: {trial.outcome}')
    wrong = 0
    for number, trial in zip(chosen, trials):
        wrong += not trial.is_right
        if args.show or not trial.is_right:
            print(f'{number:4} {trial.outcome:.400}')
            print(f'     {trial.misuse.what}: {trial.misuse}')
        if args.show:
            print(f'     {trial.seconds:.1f} s; {trial.errors.strip()[-3000:]}')
    return int(wrong > 0 or not all(trial.is_right for trial in whole))


def attempt_all(
    wanted: Sequence[Misuse], inputs: Path, jobs: int, unit: str
) -> list[Trial]:
    """Try misuses in several folders at once; the trials are in their order."""
    chunks = [wanted[i : i + _CHUNK] for i in range(0, len(wanted), _CHUNK)]
    found: dict[int, list[Trial]] = {}
    with ProgressBar(total=len(wanted), unit=unit) as progress:
        with ProcessPoolExecutor(jobs) as pool:
            waiting = {
                pool.submit(_attempt, chunk, inputs): number
                for number, chunk in enumerate(chunks)
            }
            for future in as_completed(waiting):
                found[waiting[future]] = future.result()
                progress.update(len(future.result()))
    return [trial for number in range(len(chunks)) for trial in found[number]]


def _attempt(chunk: Sequence[Misuse], inputs: Path) -> list[Trial]:
    folder = inputs.with_name(f'copy_{os.getpid()}')
    workshop = Workshop(inputs, folder)
    try:
        return [workshop.attempt(misuse) for misuse in chunk]
    finally:
        workshop.close()


def table(trials: Sequence[Trial]) -> str:
    """How the misuses of each command ended."""
    rows: list[list[object]] = [
        ['command', 'tried', 'one line, status 2', 'meant something', 'otherwise']
    ]
    counts: CounterType[tuple[str, str]] = Counter()
    for trial in trials:
        ended = trial.outcome if trial.is_right else 'otherwise'
        for name in (trial.misuse.command, 'all'):
            counts[name, ended] += 1
            counts[name, 'tried'] += 1
    names = dict.fromkeys(trial.misuse.command for trial in trials)
    for name in (*names, 'all'):
        ends = ('tried', REFUSED, WORKED, 'otherwise')
        rows.append([name, *(f'{counts[name, end]:,}' for end in ends)])
    return text_table(rows, total=True)


if __name__ == '__main__':
    sys.exit(main())
