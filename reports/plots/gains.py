"""Box plots of what deraining does to single images."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from reports.plots.figure import Plot, panels, style
from reports.plots.names import rains, ways
from reports.results.cell import Condition, Judge
from reports.results.conditions import conditions, derainers
from reports.tables.csv import inert
from reports.tables.text import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reports.results.results import Results

FEWEST_FOR_A_BOX = 5
SAYS = (
    "A box holds the middle half of the images and the line in it the median, whiskers reach from "
    "5 to 95 % of them; at zero deraining changed nothing of an image."
)
OVER_SEEDS = " What is shown of an image is the mean over the seeds of the rain."


def gains(results: Results, judge: Judge) -> Plot | None:
    """Derained − rainy of every image: a panel per rain, a box per derainer.

    Boxes reach from the lower to the upper quartile, whiskers to the 5th and 95th percentile.
    """
    metric = results.image_metric(judge.task)
    values = {
        cell.condition: scores
        for cell, scores in results.by_image.values.items()
        if (cell.judge, cell.metric) == (judge, metric)
    }
    found: dict[Condition, NDArray[np.float64]] = {}
    for condition in conditions(results):
        if condition.is_dry or not condition.is_restored:
            continue
        after, before = values.get(condition), values.get(condition.rainy)
        if after is None or before is None:
            continue
        with np.errstate(invalid="ignore"):
            gain = after.astype(np.float64) - before
        gain = gain[np.isfinite(gain)]
        if len(gain) >= FEWEST_FOR_A_BOX:
            found[condition] = gain
    if metric is None or not found:
        return None
    wet, order = list(dict.fromkeys(c.rainy for c in found)), derainers(results)
    most = max(sum(c.rainy == rainy for c in found) for rainy in wet)
    title = results.metrics[metric].heading
    called, under = ways(results), rains(results)
    figure, drawn = panels(len(wet), 4.6, 1.3 + 0.45 * most, sharex=True)
    for panel, rainy in zip(drawn, wet, strict=True):
        mine = {c.name: gain for c, gain in found.items() if c.rainy == rainy}
        boxes = panel.boxplot(
            list(mine.values()),
            orientation="horizontal",
            whis=(5, 95),
            patch_artist=True,
            flierprops={"marker": ".", "markersize": 3, "alpha": 0.5},
            medianprops={"color": "black"},
            widths=0.6,
        )
        for name, box in zip(mine, boxes["boxes"], strict=True):
            box.set(facecolor=style(order.index(name))["color"], alpha=0.7)
        panel.set_yticks(range(1, len(mine) + 1), [called[name] for name in mine])
        panel.invert_yaxis()
        panel.axvline(0, color="black", lw=1)
        panel.set_title(under[rainy.rain], fontsize=10)
        panel.set_xlabel(f"{title}, derained − rainy, per image")
        panel.grid(axis="x", alpha=0.3)
    task = plain(results.called(judge))
    alt = f"Box plots of each image's change of {title} by deraining, by derainer"
    return Plot(
        f"images-{results.slug(judge)}",
        f"Change of single images, {task}",
        figure,
        alt,
        _csv(found, metric),
        SAYS + (OVER_SEEDS if results.seeds else ""),
    )


def _csv(found: dict[Condition, NDArray[np.float64]], metric: str) -> str:
    """The boxes as numbers."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    shares = (5, 25, 50, 75, 95)
    writer.writerow(["rain", "derainer", "metric", "n", *(f"p{s}" for s in shares)])
    for condition, gain in found.items():
        points = (f"{v:.6g}" for v in np.percentile(gain, shares))
        writer.writerow([inert(condition.rain), inert(condition.name), metric, len(gain), *points])
    return buffer.getvalue()
