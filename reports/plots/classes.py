"""What deraining changes of each class, as a plot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.plots.figure import Plot, legend_below, panels, style
from reports.plots.names import rains, shorts, ways
from reports.results.cell import Judge
from reports.results.conditions import derainers, floors
from reports.tables.csv import csv_text
from reports.tables.text import plain

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results

MOST = 20
"""Classes in a plot: those that change most."""

SAYS = "What deraining changes of each class alone; a class of few objects moves by chance."


def change(results: Results, judge: Judge) -> Plot | None:
    """What each derainer changes of each class, a panel per rain."""
    pairs = [
        (record, floor.value)
        for record in results.records
        if record.judge == judge
        and results.metrics[record.metric].by == "class"
        and "@"
        not in record.metric.partition("/")[0]  # what is found at one confidence is another scale
        and not record.condition.is_dry
        and not record.condition.is_input
        and record.value is not None
        and (floor := results.at(record.condition.rainy, judge, record.metric)) is not None
        and floor.value is not None
    ]
    largest: dict[str, float] = {}
    for record, rainy in pairs:
        assert record.value is not None
        size = abs(record.value - rainy)
        largest[record.metric] = max(size, largest.get(record.metric, 0.0))
    names = sorted(sorted(largest, key=lambda m: (-largest[m], m))[:MOST])
    if len(names) < 2:
        return None
    return _draw(results, judge, names, pairs)


def _draw(
    results: Results, judge: Judge, names: list[str], pairs: list[tuple[Record, float]]
) -> Plot:
    of = {r.condition.rainy for r, _ in pairs}
    wet = [rainy for rainy in floors(results) if rainy in of]
    order, called, under = derainers(results), ways(results), rains(results)
    figure, drawn = panels(len(wet), 4.6, 1.2 + 0.26 * len(names), sharey=True)
    for panel, rainy_input in zip(drawn, wet, strict=True):
        for name in dict.fromkeys(r.condition.name for r, _ in pairs):
            places = [
                (record.value - rainy, names.index(record.metric))
                for record, rainy in pairs
                if (record.condition.rainy, record.condition.name) == (rainy_input, name)
                and record.metric in names
                and record.value is not None
            ]
            look = style(order.index(name))
            panel.plot(*zip(*places, strict=True), **look, ls="", label=called[name], ms=6)
        panel.axvline(0, color="black", lw=1)
        panel.set_title(under[rainy_input.rain], fontsize=10)
        panel.set_xlabel("derained − rainy")
        panel.locator_params(axis="x", nbins=5)
        panel.grid(alpha=0.3)
    legend_below(figure)
    shown = shorts({name: [plain(results.metrics[name].label)] for name in names})
    drawn[0].set_yticks(range(len(names)), list(shown.values()))
    drawn[0].invert_yaxis()
    task = plain(results.called(judge))
    alt = f"Change of {len(names)} classes' score by deraining, {task}, the largest changes"
    records = [r for r in results.records if r.judge == judge and r.metric in names]
    return Plot(
        f"classes-{results.slug(judge)}",
        f"Change by class, {task}",
        figure,
        alt,
        csv_text(results, records),
        SAYS,
    )
