"""One number of a derainer against another: what it costs, and whether quality tells the score."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from reports.effects import primary
from reports.plots import COLOURS, MARKERS, Plot, legend_below, new_figure
from reports.tables import conditions, csv_text, plain, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from harness.record import Record, Results

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
    rains = list(dict.fromkeys(r.rain for r, _ in rows))
    if len({r.derainer for r, _ in rows}) < 2:
        return None
    figure = new_figure(max(4.2 * len(rains), 5), 3.6)
    panels = figure.subplots(1, len(rains), sharey=True, squeeze=False)[0]
    derainers = list(dict.fromkeys(d for _, d in conditions(results)))
    for panel, rain in zip(panels, rains, strict=True):
        for record, x in rows:
            if record.rain == rain:
                _mark(panel, record, x, derainers.index(record.derainer))
        if along.startswith("seconds"):
            panel.set_xscale("log")
            panel.xaxis.set_major_formatter("{x:g}")
            panel.xaxis.set_minor_formatter("")
            _floor(panel, results.value(rain, "identity", task, metric))
        panel.set_title(plain(rain), fontsize=10)
        panel.set_xlabel(along)
        panel.grid(alpha=0.3)
        panel.margins(x=0.25, y=0.2)
    panels[0].set_ylabel(title(metric))
    legend_below(figure)
    where = ", ".join(map(plain, rains))
    said = f"{alt}, a mark per derainer, under {where}"
    return Plot(name, figure, said, csv_text([r for r, _ in rows]))


def _floor(panel: Axes, rainy: Record | None) -> None:
    """The rainy input, which costs nothing, as a line."""
    if rainy is not None and rainy.value is not None:
        panel.axhline(rainy.value, color="black", ls="--", lw=1, label="rainy")


def _mark(panel: Axes, record: Record, x: float, style: int) -> None:
    assert record.value is not None
    colour = COLOURS[style % len(COLOURS)]
    if record.ci is not None:
        panel.plot((x, x), record.ci, color=colour, lw=2, alpha=0.5)
    panel.plot(x, record.value, MARKERS[style % len(MARKERS)], color=colour, ms=7)
    name = "rainy" if record.derainer == "identity" else plain(record.derainer)
    panel.annotate(
        name,
        (x, record.value),
        xytext=(6, 5),
        textcoords="offset points",
        fontsize=8,
    )
