"""Precision by recall: of one ranking over all classes, at IoU 0.5."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from reports.plots.figure import Plot, legend_below, panels, short, style
from reports.results.conditions import conditions, rains
from reports.results.record import parts_of
from reports.tables.csv import inert
from reports.tables.text import label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reports.results.results import Results

EVERY = 20
"""Points between the marks of a line, which tell lines apart in print."""


def curves(results: Results, task: str) -> Plot | None:
    """A panel per rain: clean, rainy and every derainer."""
    mine = {
        parts_of(cell)[:2]: curve
        for cell, curve in results.curves.items()
        if parts_of(cell)[2] == task and np.isfinite(curve).all()
    }
    wet = [rain for rain in rains(results) if (rain, "identity") in mine]
    if not wet:
        return None
    derainers = list(dict.fromkeys(d for _, d in conditions(results)))
    figure, drawn = panels(len(wet), 4.4, 3.8, sharey=True)
    for panel, rain in zip(drawn, wet, strict=True):
        shown = [("none", "identity"), *((rain, d) for d in derainers)]
        for place, condition in enumerate(c for c in shown if c in mine):
            name = "rainy" if condition[1] == "identity" else short(condition[1])
            is_clean = condition[0] == "none"
            look = style(derainers.index(condition[1]))
            panel.plot(
                np.linspace(0, 1, len(mine[condition])),
                mine[condition],
                **({"color": "black", "ls": ":"} if is_clean else look),
                ms=5,
                markevery=(3 * place, EVERY),
                label="clean" if is_clean else name,
            )
        panel.set_title(short(rain), fontsize=10)
        panel.set_xlabel("recall")
        panel.set_ylabel("precision")
        panel.grid(alpha=0.3)
    legend_below(figure)
    what = "masks" if task == "instance" else "boxes"
    alt = f"Precision by recall of {what}, IoU 0.5, one ranking over all classes"
    return Plot(f"precision-{task}", f"Precision by recall, {task}", figure, alt, _csv(mine))


def _csv(mine: dict[tuple[str, str], NDArray[np.float32]]) -> str:
    """The curves as columns."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["recall", *(inert(label(*condition)) for condition in mine)])
    for i, values in enumerate(zip(*mine.values(), strict=True)):
        writer.writerow([f"{i / 100:.2f}", *(f"{v:.6g}" for v in values)])
    return buffer.getvalue()
