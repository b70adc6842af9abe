"""Box plots of what deraining does to single images."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from reports.plots.figure import Plot, panels, short, style
from reports.results.conditions import conditions
from reports.results.metrics import primary, title
from reports.results.record import IMAGE_METRIC
from reports.tables.csv import inert

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reports.results.results import Results

FEWEST = 5
"""Fewer images make no box."""


def gains(results: Results, task: str) -> Plot | None:
    """Derained − rainy of every image: a panel per rain, a box per derainer.

    Boxes reach from the lower to the upper quartile, whiskers to the 5th and 95th percentile.
    """
    metric = primary(results, "quality") if task == "quality" else IMAGE_METRIC.get(task)
    values = results.by_image.values
    found: dict[tuple[str, str], NDArray[np.float64]] = {}
    for rain, derainer in conditions(results):
        after = values.get(f"{rain}|{derainer}|{task}|{metric}")
        before = values.get(f"{rain}|identity|{task}|{metric}")
        if rain == "none" or derainer == "identity" or "/" in derainer:
            continue
        if after is None or before is None:
            continue
        with np.errstate(invalid="ignore"):
            gain = after.astype(np.float64) - before
        gain = gain[np.isfinite(gain)]
        if len(gain) >= FEWEST:
            found[rain, derainer] = gain
    if metric is None or not found:
        return None
    rains = list(dict.fromkeys(rain for rain, _ in found))
    derainers = list(dict.fromkeys(d for _, d in conditions(results)))
    most = max(sum(r == rain for r, _ in found) for rain in rains)
    figure, drawn = panels(len(rains), 4.6, 1.3 + 0.45 * most, sharex=True)
    for panel, rain in zip(drawn, rains, strict=True):
        mine = {d: gain for (r, d), gain in found.items() if r == rain}
        boxes = panel.boxplot(
            list(mine.values()),
            orientation="horizontal",
            whis=(5, 95),
            patch_artist=True,
            flierprops={"marker": ".", "markersize": 3, "alpha": 0.5},
            medianprops={"color": "black"},
            widths=0.6,
        )
        for derainer, box in zip(mine, boxes["boxes"], strict=True):
            box.set(facecolor=style(derainers.index(derainer))["color"], alpha=0.7)
        panel.set_yticks(range(1, len(mine) + 1), list(map(short, mine)))
        panel.invert_yaxis()
        panel.axvline(0, color="black", lw=1)
        panel.set_title(short(rain), fontsize=10)
        panel.set_xlabel(f"{title(metric)}, derained − rainy, per image")
        panel.grid(axis="x", alpha=0.3)
    alt = f"Box plots of each image's change of {title(metric)} by deraining, by derainer"
    return Plot(
        f"images-{task}", f"Change of single images, {task}", figure, alt, _csv(found, metric)
    )


def _csv(found: dict[tuple[str, str], NDArray[np.float64]], metric: str) -> str:
    """The boxes as numbers."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    shares = (5, 25, 50, 75, 95)
    writer.writerow(["rain", "derainer", "metric", "n", *(f"p{s}" for s in shares)])
    for (rain, derainer), gain in found.items():
        points = (f"{v:.6g}" for v in np.percentile(gain, shares))
        writer.writerow([inert(rain), inert(derainer), metric, len(gain), *points])
    return buffer.getvalue()
