"""Precision by recall: of one ranking over all classes, at IoU 0.5."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from reports.plots.figure import Plot, legend_below, panels, style
from reports.plots.names import rains, ways
from reports.results.cell import Condition, Judge
from reports.results.conditions import conditions, derainers, floors
from reports.tables.csv import inert
from reports.tables.text import label, plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reports.results.results import Results

EVERY = 20
"""Points between the marks of a line, which tell lines apart in print."""

SAYS = (
    "How many of the boxes are right, down to the confidence that finds a share of the objects: "
    "the further up and right, the better."
)


def curves(results: Results, judge: Judge) -> Plot | None:
    """A panel per rain: clean, rainy and every derainer."""
    mine = {
        cell.condition: curve
        for cell, curve in results.curves.items()
        if cell.judge == judge and np.isfinite(curve).all()
    }
    wet = [rainy for rainy in floors(results) if rainy in mine]
    if not wet:
        return None
    order, called, under = derainers(results), ways(results), rains(results)
    figure, drawn = panels(len(wet), 4.4, 3.8, sharey=True)
    for panel, rainy in zip(drawn, wet, strict=True):
        shown = [rainy.clean, *(c for c in conditions(results) if c.rainy == rainy)]
        for place, condition in enumerate(c for c in shown if c in mine):
            is_clean = condition.is_dry
            look = style(order.index(condition.name))
            panel.plot(
                np.linspace(0, 1, len(mine[condition])),
                mine[condition],
                **({"color": "black", "ls": ":"} if is_clean else look),
                ms=5,
                markevery=(3 * place, EVERY),
                label="clean" if is_clean else called[condition.name],
            )
        panel.set_title(under[rainy.rain], fontsize=10)
        panel.set_xlabel("recall")
        panel.set_ylabel("precision")
        panel.grid(alpha=0.3)
    legend_below(figure)
    found = results.tasks[judge.task].found
    alt = f"Precision by recall of {found}, IoU 0.5, one ranking over all classes"
    heading = f"Precision by recall, {plain(results.called(judge))}"
    return Plot(f"precision-{results.slug(judge)}", heading, figure, alt, _csv(mine), SAYS)


def _csv(mine: dict[Condition, NDArray[np.float32]]) -> str:
    """The curves as columns."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["recall", *(inert(label(condition)) for condition in mine)])
    for i, values in enumerate(zip(*mine.values(), strict=True)):
        writer.writerow([f"{i / 100:.2f}", *(f"{v:.6g}" for v in values)])
    return buffer.getvalue()
