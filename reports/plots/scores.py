"""Scores of every condition as dots with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.plots.figure import panels, style
from reports.plots.names import labels
from reports.results.conditions import conditions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from reports.results.cell import Judge
    from reports.results.results import Results


def scores(results: Results, judge: Judge) -> Figure | None:
    """A panel per metric of the task: one row per condition, intervals where they hold."""
    names = [m for t, m in results.columns if t == judge.task]
    rows = [
        c
        for c in conditions(results)
        if any((r := results.at(c, judge, m)) and r.value is not None for m in names)
    ]
    if not rows:
        return None
    figure, drawn = panels(len(names), 4.2, 0.9 + 0.36 * len(rows), sharey=True)
    order = list(dict.fromkeys(c.name for c in rows))
    for panel, metric in zip(drawn, names, strict=True):
        for y, condition in enumerate(rows):
            record = results.at(condition, judge, metric)
            if record is None or record.value is None:
                continue
            look = style(order.index(condition.name))
            if record.ci is not None:
                panel.plot(record.ci, (y, y), color=look["color"], lw=2, alpha=0.6)
            panel.plot(record.value, y, **look, ms=7)
            panel.annotate(
                f"{record.value:.{results.metrics[metric].decimals}f}",
                (record.value, y),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
        panel.set_xlabel(results.metrics[metric].heading)
        panel.grid(axis="x", alpha=0.3)
        panel.margins(x=0.15)
    drawn[0].set_yticks(range(len(rows)), list(labels(rows).values()))
    drawn[0].set_ylim(len(rows) - 0.5, -0.7)
    return figure
