"""Precision by recall: of one ranking over all classes, at IoU 0.5."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from harness.record import parts_of
from reports.plots import COLOURS, Plot, legend_below, new_figure
from reports.tables import conditions, plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.record import Results

STYLES = ("-", "--", "-.", ":")


def curves(results: Results, task: str) -> Plot | None:
    """A panel per rain: clean, rainy and every derainer."""
    mine = {
        parts_of(cell)[:2]: curve
        for cell, curve in results.curves.items()
        if parts_of(cell)[2] == task and np.isfinite(curve).all()
    }
    rains = list(dict.fromkeys(r for r, _ in conditions(results) if r != "none"))
    rains = [rain for rain in rains if (rain, "identity") in mine]
    if not rains:
        return None
    derainers = list(dict.fromkeys(d for _, d in conditions(results)))
    figure = new_figure(max(4.2 * len(rains), 5), 3.8)
    panels = figure.subplots(1, len(rains), sharey=True, squeeze=False)[0]
    for panel, rain in zip(panels, rains, strict=True):
        shown = [("none", "identity"), *((rain, d) for d in derainers)]
        for condition in (c for c in shown if c in mine):
            name = "rainy" if condition[1] == "identity" else plain(condition[1])
            place = derainers.index(condition[1])
            is_clean = condition[0] == "none"
            panel.plot(
                np.linspace(0, 1, len(mine[condition])),
                mine[condition],
                "black" if is_clean else COLOURS[place % len(COLOURS)],
                ls=":" if is_clean else STYLES[place // len(COLOURS) % len(STYLES)],
                label="clean" if is_clean else name,
            )
        panel.set_title(plain(rain), fontsize=10)
        panel.set_xlabel("recall")
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("precision")
    legend_below(figure)
    what = "masks" if task == "instance" else "boxes"
    alt = f"Precision by recall of {what}, IoU 0.5, one ranking over all classes"
    return Plot(f"precision-{task}", figure, alt, _csv(mine))


def _csv(mine: dict[tuple[str, str], NDArray[np.float32]]) -> str:
    """The curves as columns."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["recall", *(plain(" · ".join(condition)) for condition in mine)])
    for i, values in enumerate(zip(*mine.values(), strict=True)):
        writer.writerow([f"{i / 100:.2f}", *(f"{v:.6g}" for v in values)])
    return buffer.getvalue()
