from __future__ import annotations

import io
import os
import pty

import pytest

from stpn_plugin.utils import ProgressBar, progress


def run_bar(file: io.TextIOBase) -> None:
    for _ in ProgressBar(range(1000), 'work', file=file, ncols=60):
        pass


def test_a_line_at_the_start_and_the_end_without_a_terminal() -> None:
    file = io.StringIO()
    run_bar(file)
    first, last = filter(None, file.getvalue().splitlines())
    assert first.startswith('work:   0%')
    assert last.startswith('work: 100%')


def test_a_line_for_each_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, 'LINE_INTERVAL', 0.0)
    file = io.StringIO()
    run_bar(file)
    text = file.getvalue()
    assert '\r' not in text
    assert len(text.splitlines()) > 10


def test_a_terminal_gets_tqdms_bar() -> None:
    master, slave = pty.openpty()
    shown = ''
    with open(slave, 'w') as terminal:
        run_bar(terminal)
        terminal.write('end')
        terminal.flush()
        while 'end' not in shown:  # it comes in parts
            shown += os.read(master, 4096).decode()
    os.close(master)
    assert '\rwork: 100%' in shown
