"""Plots of a run: dots with intervals, sweeps, and one number against another."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from reports.tables import conditions, csv_text, label, metrics, plain, title

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

    from harness.record import Results

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette, readable with colour-blind eyes."""
MARKERS = "osD^vP"
DPI = 110
"""Of the PNG files."""


@dataclass(frozen=True)
class Plot:
    """One drawing of a run's numbers."""

    name: str
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
    """Scores, sweeps, single images, curves, classes, then one number against another."""
    from reports import classes, curves, gains, scatter, sweeps

    names = [m for t, m in metrics(results) if t == task]
    held = [r for r in results.records if r.task == task and r.metric in names]
    titles = ", ".join(map(title, names))
    figure = _scores(results, task)
    if figure is not None:
        alt = f"{titles} of {len(conditions(results))} conditions, the numbers of the table"
        yield Plot(task, figure, alt, csv_text(held))
    for sweep in sweeps.sweeps(results):
        figure = sweeps.draw(results, sweep, task)
        if figure is not None:
            name = re.sub(r"[^\w.=-]+", "-", f"{sweep.rain}-{sweep.parameter}-{task}")
            alt = f"{titles} by {plain(sweep.parameter)} of {sweep.rain}"
            rains = {"none", *sweep.rains.values()}
            yield Plot(name, figure, alt, csv_text([r for r in held if r.rain in rains]))
    yield gains.gains(results, task)
    yield curves.curves(results, task)
    yield classes.change(results, task)
    yield from scatter.scatters(results, task)


def new_figure(width: float, height: float) -> Figure:
    """A figure that needs no display, its parts laid out by itself."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


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
    figure = new_figure(4.2 * len(names), 0.9 + 0.34 * len(rows))
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    derainers = list(dict.fromkeys(d for _, d in rows))
    for panel, metric in zip(panels, names, strict=True):
        for y, (rain, derainer) in enumerate(rows):
            record = results.value(rain, derainer, task, metric)
            if record is None or record.value is None:
                continue
            style = derainers.index(derainer)
            colour = COLOURS[style % len(COLOURS)]
            if record.ci is not None:
                panel.plot(record.ci, (y, y), color=colour, lw=2, alpha=0.6)
            panel.plot(record.value, y, MARKERS[style % len(MARKERS)], color=colour, ms=7)
            panel.annotate(
                f"{record.value:.{2 if record.unit == 'dB' else 3}f}",
                (record.value, y),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
        panel.set_xlabel(title(metric))
        panel.grid(axis="x", alpha=0.3)
        panel.margins(x=0.15)
    panels[0].set_yticks(
        range(len(rows)),
        [label(*row) for row in rows],
    )
    panels[0].set_ylim(len(rows) - 0.5, -0.7)
    return figure


def _value(results: Results, condition: tuple[str, str], task: str, metric: str) -> float | None:
    record = results.value(*condition, task, metric)
    return record.value if record is not None else None
