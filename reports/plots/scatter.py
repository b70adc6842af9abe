"""One number of a derainer against another: what it costs, and whether quality tells the score."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from reports.plots.figure import Plot, legend_below, panels, short, style
from reports.results.conditions import conditions, rains
from reports.results.metrics import primary, title
from reports.tables.csv import csv_text
from reports.tables.text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reports.results.record import Record
    from reports.results.results import Results

Place = Callable[[str, str], "float | None"]
"""Where a (rain, derainer) stands along the horizontal axis."""


def scatters(results: Results, task: str) -> list[Plot]:
    """The task's primary metric against seconds per image, and against PSNR."""
    metric = primary(results, task)
    if metric is None:
        return []
    seconds = {(c["rain"], c["derainer"]): c["median_s_per_image"] for c in results.cost}

    def cost(rain: str, derainer: str) -> float | None:
        return seconds.get((rain, derainer))

    def quality(rain: str, derainer: str) -> float | None:
        record = results.value(rain, derainer, "quality", psnr) if psnr else None
        return None if record is None else record.value

    psnr = primary(results, "quality") if task != "quality" else None
    name = title(metric)
    found = [
        _plot(results, task, metric, cost, "seconds per image", f"cost-{task}", f"{name} by cost"),
        _plot(results, task, metric, quality, "PSNR-Y [dB]", f"psnr-{task}", f"{name} by PSNR-Y"),
    ]
    return [plot for plot in found if plot is not None]


def _plot(
    results: Results, task: str, metric: str, place: Place, along: str, name: str, alt: str
) -> Plot | None:
    """A panel per rain, a mark per derainer; None where fewer than two could be placed."""
    rows = [
        (r, x)
        for r in results.records
        if (r.task, r.metric) == (task, metric)
        and r.rain != "none"
        and "/" not in r.derainer
        and r.value is not None
        and (x := place(r.rain, r.derainer)) is not None
    ]
    of = {r.rain for r, _ in rows}
    wet = [rain for rain in rains(results) if rain in of]
    if len({r.derainer for r, _ in rows}) < 2:
        return None
    rows.sort(key=lambda row: row[0].derainer != "identity")
    figure, drawn = panels(len(wet), 4.4, 3.6, sharey=True)
    derainers = list(dict.fromkeys(d for _, d in conditions(results)))
    for panel, rain in zip(drawn, wet, strict=True):
        mine = [(r, x) for r, x in rows if r.rain == rain]
        for record, x in mine:
            _mark(panel, record, x, derainers.index(record.derainer))
        if along.startswith("seconds"):
            panel.set_xscale("log")
            panel.xaxis.set_major_formatter("{x:g}")
            panel.minorticks_off()
            rainy = results.value(rain, "identity", task, metric)
            points = [(x, r.value) for r, x in mine if r.value is not None]
            draw_front(panel, points, None if rainy is None else rainy.value)
        panel.set_title(short(rain), fontsize=10)
        panel.set_xlabel(along)
        panel.set_ylabel(title(metric))
        panel.grid(alpha=0.3)
        panel.margins(x=0.15, y=0.15)
    legend_below(figure)
    where = ", ".join(map(plain, wet))
    said = f"{alt}, a mark per derainer, under {where}"
    return Plot(name, f"{alt}, {task}", figure, said, csv_text(results, [r for r, _ in rows]))


def draw_front(
    panel: Axes, costs_and_scores: Iterable[tuple[float, float]], floor: float | None = None
) -> None:
    """The best score for each cost as steps; with a floor, which costs nothing, those above it."""
    if floor is not None:
        panel.axhline(floor, color="black", ls="--", lw=1, label="rainy")
    best, front = floor, []
    points = sorted(costs_and_scores)
    for cost, score in points:
        if best is None or score > best:
            best = score
            front.append((cost, score))
    if front:
        costs, scores = zip(*front, (points[-1][0], front[-1][1]), strict=True)
        panel.step(
            costs, scores, where="post", zorder=1, color="0.4", lw=1, label="best for its cost"
        )


def _mark(panel: Axes, record: Record, x: float, place: int) -> None:
    assert record.value is not None
    look = style(place)
    if record.ci is not None:
        panel.plot((x, x), record.ci, color=look["color"], lw=2, alpha=0.5)
    name = "rainy" if record.derainer == "identity" else short(record.derainer)
    panel.plot(x, record.value, **look, ls="", ms=7, label=name)
