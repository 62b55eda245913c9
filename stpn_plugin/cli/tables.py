"""Tables on the terminal."""

from __future__ import annotations

import sys
from typing import Sequence

from rich.box import ASCII
from rich.console import Console
from rich.table import Table


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, as wide as the terminal, or as it needs to be in a file."""
    table = Table(*header, box=ASCII)
    for row in rows:
        table.add_row(*row)
    width = None if sys.stdout.isatty() else 100_000
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)
