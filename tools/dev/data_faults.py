"""Try all faulty data sets of the tests, and tell what became of each.

The exit status is 1 if an error was no line that names a file, or something works or
fails that should not.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Counter as CounterType

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import stpn_plugin  # noqa: E402, F401
from stpn_plugin.utils import text_table  # noqa: E402
from tests.support.fault_trials import FOREIGN, try_layout, try_set  # noqa: E402
from tests.support.faulty_sets import FAILS, LAYOUTS, SETS, WORKS  # noqa: E402


def main() -> int:
    """Try and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--verbose', action='store_true', help='show what errors say')
    parser.add_argument('--only', default='', help='cases whose names have this text')
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    counts: dict[str, CounterType[str]] = {}
    wrong = []
    for cases, tried, phases in (
        (SETS, try_set, ('train', 'test')),
        (LAYOUTS, try_layout, ('convert VID', 'convert DET')),
    ):
        for case in (case for case in cases if args.only in case.name):
            with tempfile.TemporaryDirectory() as folder:
                with contextlib.redirect_stdout(io.StringIO()):
                    outcomes = tried(case, Path(folder))
            expected = (case.train, case.test)
            for phase, outcome, due in zip(phases, outcomes.values(), expected):
                counts.setdefault(phase, Counter())[outcome.kind] += 1
                if outcome.kind != due:
                    wrong.append(f'{case.name}, {phase}: {due} expected, {outcome}')
                if args.verbose and outcome.message:
                    print(f'{case.name}, {phase}: {outcome.message}')
    rows = [['', 'tried', 'worked', 'one clear line', 'foreign traceback']]
    for phase, count in counts.items():
        kinds = (WORKS, FAILS, FOREIGN)
        rows.append(
            [phase, str(sum(count.values())), *(str(count[kind]) for kind in kinds)]
        )
    print(text_table(rows))
    print('\n'.join(wrong))
    return int(bool(wrong))


if __name__ == '__main__':
    sys.exit(main())
