"""Bars that show how far a long job is."""

from __future__ import annotations

import sys
from typing import Any, Callable, TextIO

from tqdm import tqdm

#: Seconds between two lines where no terminal shows them.
LINE_INTERVAL = 10.0


class ProgressBar(tqdm):
    """tqdm's bar, that writes a line every ten seconds where there is no terminal.

    tqdm draws its bar over itself ten times a second, which a log file keeps all.

    Args:
        args: As for tqdm.
        kwargs: As for tqdm.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not _is_terminal(kwargs.get('file') or sys.stderr):
            kwargs.setdefault('mininterval', LINE_INTERVAL)
            kwargs.setdefault('maxinterval', LINE_INTERVAL)
        super().__init__(*args, **kwargs)

    @staticmethod
    def status_printer(file: TextIO) -> Callable[[str], None]:
        """How tqdm writes the state of the bar to a file.

        Args:
            file: Where to write.

        Returns:
            Writes a state.
        """
        if _is_terminal(file):
            return tqdm.status_printer(file)

        def write_line(state: str) -> None:
            if state:  # empty: the bar is to vanish
                file.write(f'{state.strip()}\n')
                file.flush()

        return write_line


def _is_terminal(file: TextIO) -> bool:
    return hasattr(file, 'isatty') and file.isatty()
