"""A web page in one file."""

from __future__ import annotations

import base64
import html
import os
import re
from typing import Sequence

from matplotlib.figure import Figure

from ..utils import whole_text
from .style import figure_png

_CSS = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
       max-width: 1100px; margin: 0 auto; padding: 0 24px 48px; }
h1 { margin: 32px 0 4px; }
h2 { margin-top: 40px; border-bottom: 1px solid #ccc; padding-bottom: 4px; }
nav { background: #f5f5f5; padding: 12px 20px; border-radius: 6px; }
nav ol { margin: 4px 0; }
a { color: #0058a3; }
figure { margin: 16px 0; }
img { max-width: 100%; height: auto; }
figcaption, .note { color: #444; font-size: 14px; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 12px; border-bottom: 1px solid #ddd; text-align: left; }
th { border-bottom: 2px solid #888; }
.number { text-align: right; }
.missing { background: #fff4e0; border-left: 4px solid #E69F00; padding: 8px 16px; }
"""


class HtmlPage:
    """A page of sections, with text, tables and figures, that needs no other file.

    Args:
        title (str): Title of the page.
        subtitle (str): A line below the title.
    """

    def __init__(self, title: str, subtitle: str) -> None:
        self.title = title
        self.subtitle = subtitle
        self._sections: list[tuple[str, str, list[str]]] = []

    def section(self, title: str) -> None:
        """Start a section."""
        anchor = re.sub(r'\W+', '-', title.lower()).strip('-')
        self._sections.append((title, anchor, []))

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self._add(f'<p>{html.escape(text)}</p>')

    def missing(self, text: str) -> None:
        """Say what is missing here, and why."""
        self._add(f'<p class="missing">Not included: {html.escape(text)}</p>')

    def table(self, rows: Sequence[Sequence[object]]) -> None:
        """Add a table, whose first row is its head; columns of numbers to the right."""
        head, *body = [[html.escape(str(cell)) for cell in row] for row in rows]
        looks = [
            ' class="number"' if all(_is_number(cell) for cell in column) else ''
            for column in zip(*body)
        ] or [''] * len(head)

        def line(cells: Sequence[str], tag: str) -> str:
            parts = (f'<{tag}{look}>{c}</{tag}>' for c, look in zip(cells, looks))
            return f'<tr>{"".join(parts)}</tr>'

        lines = [line(head, 'th'), *(line(row, 'td') for row in body)]
        self._add('<div class="table"><table>' + '\n'.join(lines) + '</table></div>')

    def figure(self, figure: Figure, caption: str) -> None:
        """Add a figure and what it shows."""
        content = base64.b64encode(figure_png(figure)).decode()
        caption = html.escape(caption)
        self._add(
            f'<figure><img alt="{caption}" src="data:image/png;base64,{content}">'
            f'<figcaption>{caption}</figcaption></figure>'
        )

    def _add(self, content: str) -> None:
        self._sections[-1][2].append(content)

    def render(self) -> str:
        """The page as HTML."""
        title = html.escape(self.title)
        links = '\n'.join(
            f'<li><a href="#{anchor}">{html.escape(name)}</a></li>'
            for name, anchor, _ in self._sections
        )
        sections = '\n'.join(
            f'<section id="{anchor}"><h2>{html.escape(name)}</h2>\n'
            + '\n'.join(parts)
            + '</section>'
            for name, anchor, parts in self._sections
        )
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<title>{title}</title><style>{_CSS}</style></head><body>\n'
            f'<h1>{title}</h1><p class="note">{html.escape(self.subtitle)}</p>\n'
            f'<nav><ol>{links}</ol></nav>\n{sections}\n</body></html>\n'
        )

    def save(self, path: str | os.PathLike) -> None:
        """Write the page to a file, which gets its name when it is complete."""
        with whole_text(path) as file:
            file.write(self.render())


def _is_number(text: str) -> bool:
    return text == '–' or re.fullmatch(r'-?[\d,]+(\.\d+)?', text) is not None
