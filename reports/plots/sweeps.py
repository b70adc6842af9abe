"""Scores over a rain's sweep, as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.plots.figure import legend_below, panels, short, style
from reports.results.conditions import conditions
from reports.results.metrics import metrics, title
from reports.results.sweeps import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reports.results.results import Results


def draw(results: Results, sweep: Sweep, task: str) -> Figure | None:
    """A panel per metric of the task: a line per derainer, the clean images dashed."""
    names = [m for t, m in metrics(results) if t == task]
    if not names:
        return None
    figure, drawn = panels(len(names), 4.4, 3.6)
    for panel, metric in zip(drawn, names, strict=True):
        _panel(panel, results, sweep, task, metric)
    legend_below(figure)
    return figure


def _panel(panel: Axes, results: Results, sweep: Sweep, task: str, metric: str) -> None:
    values = list(sweep.rains)
    derainers = list(dict.fromkeys(d for _, d in conditions(results)))
    clean = results.value("none", "identity", task, metric)
    if clean is not None and clean.value is not None:
        panel.axhline(clean.value, color="black", ls="--", lw=1, label="clean")
    for place, derainer in enumerate(derainers):
        look, line = style(place), []
        for value, rain in sweep.rains.items():
            record = results.value(rain, derainer, task, metric)
            if record is not None and record.value is not None:
                line.append((value, record.value, record.ci))
        if not line or derainer.endswith("/mask"):
            continue
        places, scores, spans = zip(*line, strict=True)
        name = "rainy" if derainer == "identity" else short(derainer)
        panel.plot(places, scores, **look, ms=5, label=name)
        held = [(x, *ci) for x, ci in zip(places, spans, strict=True) if ci is not None]
        if held:
            x, low, high = zip(*held, strict=True)
            panel.fill_between(x, low, high, color=look["color"], alpha=0.15, lw=0)
    if min(values) > 0 and max(values) / min(values) >= 10:
        panel.set_xscale("log")
    panel.set_xticks(values, [f"{v:g}" for v in values])
    panel.minorticks_off()
    panel.set_xlabel(short(f"{sweep.rain}: {sweep.parameter}"))
    panel.set_ylabel(title(metric))
    panel.grid(alpha=0.3)
