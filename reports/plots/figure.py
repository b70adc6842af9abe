"""What all plots share: a figure, its panels, colours and marks."""

from __future__ import annotations

import io
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette, readable with colour-blind eyes."""
MARKERS = "osD^vPX"
"""One more than colours, so that 42 derainers differ."""
ACROSS = 3
"""Panels in a row; more would be too small to read on a page."""
DPI = 110
"""Resolution of the PNG files."""
COLUMN_INCHES, BOTH_INCHES = 3.4, 7.0
"""Widths of one column of a paper in two columns, and of both."""
WIDE_INCHES = 6
"""Wider plots take the whole width of a page, and both columns of a paper."""
PAPER_PT = 7.0
"""Largest letters in a paper's plots."""
LETTER_INCHES, MARK_LETTERS = 0.06, 6
"""Width of a letter in a legend, and of the mark before a name in letters."""


@dataclass(frozen=True)
class Plot:
    """One drawing of a run's numbers."""

    name: str
    title: str
    """Heading, in a few words."""
    figure: Figure
    alt: str
    """What it shows, in words."""
    csv: str
    """The numbers in it."""
    says: str
    """How to read it, in a sentence."""

    @cached_property
    def svg(self) -> bytes:
        """The drawing; the same numbers give the same bytes."""
        return _save(self.figure, "svg")

    @cached_property
    def png(self) -> bytes:
        """The same in pixels."""
        return _save(self.figure, "png")

    @cached_property
    def pdf(self) -> bytes:
        """The same as wide as one column of a paper or both, with its fonts inside."""
        return _save(_of_paper(self.figure), "pdf")

    @property
    def is_wide(self) -> bool:
        """Whether it needs the whole width of a page."""
        return bool(self.figure.get_figwidth() > WIDE_INCHES)


def new_figure(width: float, height: float) -> Figure:
    """A figure that needs no display, its parts laid out by itself."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def panels(
    count: int, width: float, height: float, *, sharex: bool = False, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure with its panels in rows of `ACROSS`.

    Args:
        count: Panels.
        width: Of each, in inches.
        height: Of each, in inches.
        sharex: Whether one scale serves all, across.
        sharey: The same, upward.
    """
    columns = min(count, ACROSS)
    rows = -(-count // columns)
    figure = new_figure(max(5, width * columns), height * rows)
    axes = (
        figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey).ravel().tolist()
    )
    for unused in axes[count:]:
        unused.remove()
    for lowest in axes[max(0, count - columns) : count]:
        lowest.tick_params(labelbottom=True)  # also where another would have stood below
    return figure, axes[:count]


def style(place: int) -> dict[str, Any]:
    """Colour and marker of the derainer at that place of a run."""
    return {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)]}


def legend_below(figure: Figure, columns: int = 4) -> None:
    """One legend for all panels, where it covers nothing."""
    found: dict[str, Artist] = {}
    for panel in figure.axes:
        for handle, name in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    if found:
        handles, names = list(found.values()), list(found)
        columns = _fitting(names, min(columns, len(found)), figure.get_figwidth())
        figure.legend(handles, names, loc="outside lower center", ncols=columns, fontsize=8)


def _fitting(names: Sequence[str], columns: int, width: float) -> int:
    """So many columns of a legend, or as many fewer as the width of the figure needs, in inches."""
    for count in range(columns, 1, -1):
        each = np.array_split(np.array(names), count)
        letters = sum(max(map(len, column)) + MARK_LETTERS for column in each)
        if letters * LETTER_INCHES <= width:
            return count
    return 1


def _of_paper(figure: Figure) -> Figure:
    """A copy of a page's figure, of a paper's width, its letters not smaller with it."""
    from matplotlib.text import Text

    copy = deepcopy(figure)
    width, height = copy.get_size_inches()
    target = COLUMN_INCHES if width <= WIDE_INCHES else BOTH_INCHES
    copy.set_size_inches(target, height * max(target / width, PAPER_PT / 10))
    if copy.legends:
        copy.legends.clear()
        legend_below(copy, 2 if target == COLUMN_INCHES else 4)
    for text in copy.findobj(Text):
        text.set_fontsize(min(text.get_fontsize(), PAPER_PT))
    copy.set_layout_engine("constrained")
    return copy


def _save(figure: Figure, kind: str) -> bytes:
    """A figure as a file: what `Figure.savefig` writes, without its rehearsal of every drawing."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.BytesIO()
    with mpl.rc_context(
        {"svg.hashsalt": "derain-harness", "text.parse_math": False, "pdf.fonttype": 42}
    ):
        layout = figure.get_layout_engine()
        if layout is not None:  # else every file is laid out anew
            layout.execute(figure)
            figure.set_layout_engine("none")
        if kind == "svg":
            FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
        elif kind == "pdf":
            FigureCanvasPdf(figure).print_pdf(buffer, metadata={"CreationDate": None})
        else:
            FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()
