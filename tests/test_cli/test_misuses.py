"""Some misuses of those of ``tools/dev/misuse.py``, from tests/support/misuses.py."""

from __future__ import annotations

import sys
from collections import Counter

import pytest

import stpn_command
from tests.support.commands import ROOT, run_command
from tests.support.misuse_trials import REFUSED, WORKED, judge
from tests.support.misuses import Misuse, misuses, tools_of_commands

LINE = 'stpn train: error: no/such.py does not exist\n'
TRACEBACK = 'Traceback (most recent call last):\n  File "a.py"\nKeyError: 3\n'


@pytest.mark.slow
@pytest.mark.parametrize('words', [('--every', 97), ('--every', 101, '--debug')])
def test_some_misuses(words: tuple) -> None:
    """One line and status 2, or what else is stated; tracebacks with --debug alone."""
    command = (sys.executable, ROOT / 'tools/dev/misuse.py', '--jobs', 2)
    assert 'one line, status 2' in run_command(*command, *words, cwd=ROOT)


def test_every_command_and_program_is_misused() -> None:
    found = misuses()
    commands = Counter(misuse.command for misuse in found)
    assert set(commands) == set(stpn_command.COMMANDS)
    assert min(commands.values()) >= 12
    programs = {misuse.tool for misuse in found} - {None}
    assert programs == set(tools_of_commands().values())
    assert len({str(misuse) for misuse in found}) == len(found)


@pytest.mark.parametrize(
    'status, errors, outcome',
    [
        (2, LINE, REFUSED),
        (2, 'read:  50%|##   | 1/2 [00:01<?, 1s/file]\n' + LINE, REFUSED),
        (0, '', WORKED),
        (1, '', WORKED),  # what was asked for, and found
        (1, TRACEBACK, 'traceback: KeyError: 3'),
        (2, TRACEBACK + LINE, f'traceback: {LINE.strip()}'),
        (1, LINE, f'status 1: {LINE.strip()}'),
        (-11, '', 'status -11: nothing said'),
        (2, 'usage: stpn train\n', 'no line for the error: usage: stpn train'),
        (2, f'UserWarning: a\n{LINE}', 'more than a line: UserWarning: a'),
        (2, LINE.replace('no/such', 'a'), 'names none of no/such.py: '),
    ],
)
def test_how_an_end_is_judged(status: int, errors: str, outcome: str) -> None:
    misuse = Misuse('train', ('no/such.py',), 'missing', named=('no/such.py',))
    found = judge(misuse, status, '', errors)
    assert found == outcome or (outcome[-2:] == ': ' and found.startswith(outcome))


@pytest.mark.parametrize(
    'errors, outcome',
    [
        (TRACEBACK + LINE, REFUSED),
        ('stpn train: error: argument -x (see stpn train --help)\n', REFUSED),
        (LINE, 'no traceback'),
    ],
)
def test_how_a_traceback_that_was_asked_for_is_judged(
    errors: str, outcome: str
) -> None:
    assert judge(Misuse('train', ('--debug',), ''), 2, '', errors) == outcome
