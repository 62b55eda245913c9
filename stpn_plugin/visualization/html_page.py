"""A web page in one file."""

from __future__ import annotations

import base64
import os
import re
from typing import Any, Mapping, NamedTuple, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from ..utils import number_columns, whole_text
from .style import figure_jpeg, figure_png


class _Section(NamedTuple):
    """A section of a page.

    Attributes:
        title: Its title.
        anchor: What a link to it names.
        parts: What it shows: each a ``kind`` and what ``templates/page.html`` needs
            for a part of this kind.
    """

    title: str
    anchor: str
    parts: list[dict[str, Any]]


class HtmlPage:
    """A page of sections, with text, tables and figures, that needs no other file.

    Args:
        title: Title of the page.
        facts: What it is about, by name, below the title.
    """

    def __init__(self, title: str, facts: Mapping[str, str]) -> None:
        self.title = title
        self.facts = dict(facts)
        self._sections: list[_Section] = []

    def section(self, title: str) -> None:
        """Start a section."""
        anchor = re.sub(r'\W+', '-', title.lower()).strip('-')
        self._sections.append(_Section(title, anchor, []))

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self._add('text', text=text)

    def missing(self, text: str) -> None:
        """Say what is missing here, and why."""
        self._add('missing', text=text)

    def table(self, rows: Sequence[Sequence[object]]) -> None:
        """Add a table, whose first row is its head; columns of numbers to the right."""
        self._add('table', rows=rows, numbers=number_columns(rows))

    def figure(self, figure: Figure, caption: str) -> None:
        """Add a figure of lines and areas, and what it shows."""
        self._add_image('png', figure_png(figure), caption)

    def frames(self, figure: Figure, caption: str) -> None:
        """Add a figure of photographs, which need more room, and what it shows."""
        self._add_image('jpeg', figure_jpeg(figure), caption)

    def _add_image(self, kind: str, content: bytes, caption: str) -> None:
        source = f'data:image/{kind};base64,{base64.b64encode(content).decode()}'
        self._add('figure', source=source, caption=caption)

    def _add(self, kind: str, **content: Any) -> None:
        self._sections[-1].parts.append(dict(kind=kind, **content))

    def render(self) -> str:
        """The page as HTML, all text in it escaped."""
        templates = Environment(
            loader=PackageLoader(__package__),
            autoescape=True,
            undefined=StrictUndefined,
            keep_trailing_newline=True,
        )
        return templates.get_template('page.html').render(
            title=self.title, facts=self.facts, sections=self._sections
        )

    def save(self, path: str | os.PathLike) -> None:
        """Write the page to a file, which gets its name when it is complete."""
        with whole_text(path) as file:
            file.write(self.render())
