"""One number of a derainer against another: what it costs, and whether quality tells the score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from reports.plots.figure import Plot, legend_below, panels, style
from reports.plots.names import rains, ways
from reports.results.cell import Condition, Judge
from reports.results.conditions import derainers, floors
from reports.results.results import QUALITY
from reports.tables.csv import csv_text
from reports.tables.text import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from reports.results.record import Record
    from reports.results.results import Results

COST = (
    "The derainer's score, with its 95 % interval, over the time that it takes; steps join those "
    "that nothing cheaper beats, and the dashed line is the rainy input."
)
QUALITY_TELLS = "Where quality tells the score, marks rise from left to right."
TICKED_DECADES = 2.5
"""Shorter logarithmic axes have ticks at 1, 2 and 5, longer ones at powers of ten."""
SAME = 0.3
"""Decades below which an axis is widened."""
Place = Callable[[Condition], "float | None"]
"""Where a condition stands along the horizontal axis."""


def scatters(results: Results, judge: Judge) -> list[Plot]:
    """The task's primary metric against seconds per image, and against PSNR."""
    metric = results.primary(judge.task)
    if metric is None:
        return []
    seconds = {cost.condition: results.seconds(cost) for cost in results.cost}
    psnr = results.primary(QUALITY) if judge.task != QUALITY else None

    def quality(condition: Condition) -> float | None:
        record = results.at(condition, Judge(QUALITY), psnr) if psnr else None
        return None if record is None else record.value

    name = results.metrics[metric].heading
    along = results.metrics[psnr] if psnr else None
    made = _Axis(seconds.get, "seconds per image", COST, is_time=True)
    slug = results.slug(judge)
    found = [_plot(results, judge, metric, made, f"cost-{slug}", f"{name} by cost")]
    if along is not None:
        made = _Axis(quality, along.heading, QUALITY_TELLS)
        alt = f"{name} by {along.title}"
        found.append(_plot(results, judge, metric, made, f"psnr-{slug}", alt))
    return [plot for plot in found if plot is not None]


class _Axis(NamedTuple):
    """The horizontal axis."""

    place: Place
    label: str
    says: str
    is_time: bool = False


def _plot(
    results: Results, judge: Judge, metric: str, along: _Axis, name: str, alt: str
) -> Plot | None:
    """A panel per rain, a mark per derainer; None where fewer than two could be placed."""
    rows = [
        (r, x)
        for r in results.records
        if (r.judge, r.metric) == (judge, metric)
        and not r.condition.is_dry
        and r.stage is None
        and r.value is not None
        and (x := along.place(r.condition)) is not None
    ]
    of = {r.condition.rainy for r, _ in rows}
    wet = [rainy for rainy in floors(results) if rainy in of]
    if len({r.derainer for r, _ in rows}) < 2:
        return None
    rows.sort(key=lambda row: not row[0].condition.is_input)
    figure, drawn = panels(len(wet), 4.4, 3.6, sharey=True)
    order, called, under = derainers(results), ways(results), rains(results)
    for panel, rainy in zip(drawn, wet, strict=True):
        mine = [(r, x) for r, x in rows if r.condition.rainy == rainy]
        for record, x in mine:
            way = record.condition.name
            _mark(panel, record, x, order.index(way), called[way])
        if along.is_time:
            _of_time(panel, [x for _, x in mine])
            floor = results.at(rainy, judge, metric)
            points = [(x, r.value) for r, x in mine if r.value is not None]
            draw_front(panel, points, None if floor is None else floor.value)
        panel.set_title(under[rainy.rain], fontsize=10)
        panel.set_xlabel(along.label)
        panel.set_ylabel(results.metrics[metric].heading)
        panel.grid(alpha=0.3)
        panel.margins(x=0.15, y=0.15)
    legend_below(figure)
    where = ", ".join(plain(rainy.rain) for rainy in wet)
    said = f"{alt}, a mark per derainer, under {where}"
    task = plain(results.called(judge))
    marks = max(sum(r.condition.rainy == rainy for r, _ in rows) for rainy in wet)
    says = f"{along.says} n = {marks} marks a rain, each of {max(r.n for r, _ in rows):,} images."
    csv = csv_text(results, [r for r, _ in rows])
    return Plot(name, f"{alt}, {task}", figure, said, csv, says)


def _of_time(panel: Axes, seconds: Iterable[float]) -> None:
    """A logarithmic axis of seconds with three ticks at least."""
    from matplotlib.ticker import LogLocator

    ends = [x for x in seconds if x > 0]
    decades = math.log10(max(ends) / min(ends)) if ends else 0.0
    panel.set_xscale("log")
    if decades < TICKED_DECADES:
        panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    if decades < SAME:
        panel.set_xlim(min(ends) / 3, max(ends) * 3)
    panel.xaxis.set_major_formatter("{x:g}")
    panel.minorticks_off()


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


def _mark(panel: Axes, record: Record, x: float, place: int, name: str) -> None:
    assert record.value is not None
    look = style(place)
    if record.ci is not None:
        panel.plot((x, x), record.ci, color=look["color"], lw=2, alpha=0.5)
    panel.plot(x, record.value, **look, ls="", ms=7, label=name)
