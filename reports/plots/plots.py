"""Plots of a run: dots with intervals, sweeps, and one number against another."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from reports.tables.text import conditions, csv_text, label, metrics, places, plain, title

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reports.results.record import Results

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette, readable with colour-blind eyes."""
MARKERS = "osD^vPX"
"""One more than colours, so that 42 derainers differ."""
ACROSS = 3
"""Panels in a row; more would be too small to read on a page."""
LONGEST = 36
"""Letters of a name in a plot."""
DPI = 110
"""Of the PNG files."""


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

    @cached_property
    def svg(self) -> bytes:
        """The drawing; the same numbers give the same bytes."""
        return _save(self.figure, "svg")

    @cached_property
    def png(self) -> bytes:
        """The same in pixels."""
        return _save(self.figure, "png")


def plots(results: Results) -> list[Plot]:
    """All plots, task by task."""
    import matplotlib as mpl

    with mpl.rc_context({"text.parse_math": False}):  # names are text, whatever they hold
        return [
            plot
            for task in dict.fromkeys(t for t, _ in metrics(results))
            for plot in _of_task(results, task)
            if plot is not None
        ]


def _of_task(results: Results, task: str) -> Iterator[Plot | None]:
    """What was regained, scores, sweeps, single images, curves, classes, one against another."""
    from reports.plots import curves, gains, regained, scatter
    from reports.tables import classes, sweeps

    names = [m for t, m in metrics(results) if t == task]
    held = [r for r in results.records if r.task == task and r.metric in names]
    titles = ", ".join(map(title, names))
    yield regained.regained(results, task)
    figure = _scores(results, task)
    if figure is not None:
        alt = f"{titles} of {len(conditions(results))} conditions, the numbers of the table"
        yield Plot(task, f"Scores, {task}", figure, alt, csv_text(results, held))
    for sweep in sweeps.sweeps(results):
        figure = sweeps.draw(results, sweep, task)
        if figure is not None:
            name = re.sub(r"[^\w.=-]+", "-", f"{sweep.rain}-{sweep.parameter}-{task}")
            by = f"by {plain(sweep.parameter)} of {plain(sweep.rain)}"
            rains = {"none", *sweep.rains.values()}
            numbers = csv_text(results, [r for r in held if r.rain in rains])
            yield Plot(name, f"Scores {by}, {task}", figure, f"{titles} {by}", numbers)
    yield gains.gains(results, task)
    yield curves.curves(results, task)
    yield classes.change(results, task)
    yield from scatter.scatters(results, task)


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


def short(name: str) -> str:
    """A name that leaves a plot room for its data."""
    text = plain(name)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def style(place: int) -> dict[str, Any]:
    """Colour and marker of the derainer at that place of a run."""
    return {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)]}


def legend_below(figure: Figure) -> None:
    """One legend for all panels, where it covers nothing."""
    found: dict[str, Artist] = {}
    for panel in figure.axes:
        for handle, name in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    if found:
        handles, names = list(found.values()), list(found)
        columns = min(4, len(found))
        figure.legend(handles, names, loc="outside lower center", ncols=columns, fontsize=8)


def _save(figure: Figure, kind: str) -> bytes:
    """A figure as a file: what `Figure.savefig` writes, without its rehearsal of every drawing."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "derain-harness", "text.parse_math": False}):
        layout = figure.get_layout_engine()
        if layout is not None:  # else every file is laid out anew
            layout.execute(figure)
            figure.set_layout_engine("none")
        if kind == "svg":
            FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
        else:
            FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def _scores(results: Results, task: str) -> Figure | None:
    """A panel per metric of the task: one row per condition, intervals where they hold."""
    names = [m for t, m in metrics(results) if t == task]
    rows = [
        c
        for c in conditions(results)
        if any(_value(results, c, task, m) is not None for m in names)
    ]
    if not rows:
        return None
    figure, drawn = panels(len(names), 4.2, 0.9 + 0.36 * len(rows), sharey=True)
    derainers = list(dict.fromkeys(d for _, d in rows))
    for panel, metric in zip(drawn, names, strict=True):
        for y, (rain, derainer) in enumerate(rows):
            record = results.value(rain, derainer, task, metric)
            if record is None or record.value is None:
                continue
            look = style(derainers.index(derainer))
            if record.ci is not None:
                panel.plot(record.ci, (y, y), color=look["color"], lw=2, alpha=0.6)
            panel.plot(record.value, y, **look, ms=7)
            panel.annotate(
                f"{record.value:.{places(record.unit)}f}",
                (record.value, y),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
        panel.set_xlabel(title(metric))
        panel.grid(axis="x", alpha=0.3)
        panel.margins(x=0.15)
    drawn[0].set_yticks(range(len(rows)), [short(label(*row)) for row in rows])
    drawn[0].set_ylim(len(rows) - 0.5, -0.7)
    return figure


def _value(results: Results, condition: tuple[str, str], task: str, metric: str) -> float | None:
    record = results.value(*condition, task, metric)
    return record.value if record is not None else None
