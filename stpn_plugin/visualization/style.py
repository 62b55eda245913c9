"""How all figures look, and how they are saved."""

from __future__ import annotations

import io
import os
import os.path as osp
from typing import Any, Sequence

from matplotlib import cycler, rc_context, rcParams
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from ..utils import whole_path

# Okabe and Ito's colours, which the colour-blind can tell apart; no yellow.
PALETTE = (
    '#0072B2',  # blue
    '#E69F00',  # orange
    '#009E73',  # green
    '#CC79A7',  # purple
    '#56B4E9',  # sky blue
    '#D55E00',  # vermilion
    '#000000',
)

_STYLE = {
    'axes.axisbelow': True,
    'axes.grid': True,
    'axes.grid.axis': 'y',
    'axes.prop_cycle': cycler(color=PALETTE),
    'axes.spines.right': False,
    'axes.spines.top': False,
    'axes.titlesize': 11,
    'font.size': 10,
    'figure.constrained_layout.use': True,
    'grid.color': '#DDDDDD',
    'legend.frameon': False,
    'savefig.dpi': 130,
    # Names of classes, runs and files are drawn as they are, not as formulas.
    'text.parse_math': False,
    'text.usetex': False,
}

styled = rc_context(_STYLE)
"""Decorator of functions that make figures."""


def add_legend(
    figure: Figure, handles: Sequence[Artist], names: Sequence[str], **look: Any
) -> None:
    """Add a legend with any names, also such that begin with ``_``.

    matplotlib takes these for the names of things that belong in no legend.

    Args:
        figure: The figure.
        handles: What stands for each name.
        names: The names.
        look: What else ``figure.legend`` takes.
    """
    legend = figure.legend(handles, ['name'] * len(names), **look)
    for text, name in zip(legend.get_texts(), names):
        text.set_text(name)


def figure_png(figure: Figure) -> bytes:
    """A figure as the content of a PNG file."""
    buffer = io.BytesIO()
    with rc_context(_STYLE):
        figure.savefig(buffer, format='png')
    return buffer.getvalue()


def figure_jpeg(figure: Figure, max_side: int = 6000) -> bytes:
    """A figure with photographs as the content of a JPEG file.

    Args:
        figure: The figure.
        max_side: Its largest width and height in pixels; what would be larger gets a
            lower resolution. Defaults to 6000.

    Returns:
        The content.
    """
    buffer = io.BytesIO()
    with rc_context(_STYLE):
        dpi = min(rcParams['savefig.dpi'], max_side / max(figure.get_size_inches()))
        figure.savefig(buffer, format='jpeg', dpi=dpi, pil_kwargs=dict(quality=80))
    return buffer.getvalue()


def save_figure(figure: Figure, path: str | os.PathLike) -> None:
    """Write a figure to a file, which gets its name when it is complete.

    Args:
        figure: The figure.
        path: Path of the file; its ending (png, pdf, svg, ...) is the format. Missing
            folders are made.

    Raises:
        ValueError: If matplotlib does not know the format.
    """
    path = osp.abspath(path)
    file_format = osp.splitext(path)[1][1:].lower()
    known = figure.canvas.get_supported_filetypes()
    if file_format not in known:
        raise ValueError(
            f'cannot save a figure as {path}: its name has to end with one of '
            f'{", ".join(sorted(known))}'
        )
    with rc_context(_STYLE), whole_path(path) as temporary:
        figure.savefig(temporary, format=file_format)
