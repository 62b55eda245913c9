"""Tables as plain text, for terminals and logs, and as Markdown."""

from __future__ import annotations

import io
import re
from typing import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_NUMBER = re.compile(r'–|nan|-?[\d,]+(\.\d+)?( ?%)?( ± \d+(\.\d+)?)?')
_WIDEST = 10_000  # nothing is wrapped: a log has lines as long as it needs


def text_table(rows: Sequence[Sequence[object]], total: bool = False) -> str:
    """A table in plain ASCII frames, without colours; numbers stand to the right.

    Args:
        rows: Cells. The first row is the head.
        total: Whether the last row sums the others up, and stands apart.
    """
    head, *body = [[str(cell) for cell in row] for row in rows]
    table = Table(box=box.ASCII, width=None)
    for name, is_number in zip(head, number_columns(rows)):
        table.add_column(Text(name), justify='right' if is_number else 'left')
    for i, row in enumerate(body):
        if total and i == len(body) - 1:
            table.add_section()
        table.add_row(*(Text(cell) for cell in row))
    file = io.StringIO()
    console = Console(file=file, width=_WIDEST, color_system=None, force_terminal=False)
    console.print(table)
    return file.getvalue().rstrip('\n')


def markdown_table(rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown, whose first row is its head; numbers stand to the right."""
    lines = [[str(cell).replace('|', r'\|') for cell in row] for row in rows]
    rule = ['---:' if is_number else '---' for is_number in number_columns(rows)]
    lines.insert(1, rule)
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def number_columns(rows: Sequence[Sequence[object]]) -> list[bool]:
    """Whether a column holds numbers below its head; cells may also be empty."""
    head, *body = rows
    columns = [[str(row[i]) for row in body] for i in range(len(head))]
    return [
        any(cells) and all(not cell or _NUMBER.fullmatch(cell) for cell in cells)
        for cells in columns
    ]
