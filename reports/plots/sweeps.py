"""Scores over a rain's sweep, as lines."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reports.findings.sweeps import Sweep
from reports.plots.figure import legend_below, panels, style
from reports.plots.names import short, ways
from reports.results.cell import MASK, Judge
from reports.results.conditions import conditions, derainers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from reports.results.results import Results


def draw(results: Results, sweep: Sweep, judge: Judge) -> Figure | None:
    """A panel per metric of the task: a line per derainer, the clean images dashed."""
    names = [m for t, m in results.columns if t == judge.task]
    if not names:
        return None
    figure, drawn = panels(len(names), 4.4, 3.6)
    for panel, metric in zip(drawn, names, strict=True):
        _panel(panel, results, sweep, judge, metric)
    legend_below(figure)
    return figure


def _panel(panel: Axes, results: Results, sweep: Sweep, judge: Judge, metric: str) -> None:
    values = list(sweep.inputs)
    order, called = derainers(results), ways(results)
    each = dict.fromkeys((c.derainer, c.stage) for c in conditions(results))
    clean = results.at(sweep.inputs[values[0]].clean, judge, metric)
    if clean is not None and clean.value is not None:
        panel.axhline(clean.value, color="black", ls="--", lw=1, label="clean")
    for derainer, stage in each:
        of = [replace(c, derainer=derainer, stage=stage) for c in sweep.inputs.values()]
        look, line = style(order.index(of[0].name)), []
        for value, condition in zip(values, of, strict=True):
            record = results.at(condition, judge, metric)
            if record is not None and record.value is not None:
                line.append((value, record.value, record.ci))
        if not line or stage == MASK:
            continue
        places, scores, spans = zip(*line, strict=True)
        panel.plot(places, scores, **look, ms=5, label=called[of[0].name])
        held = [(x, *ci) for x, ci in zip(places, spans, strict=True) if ci is not None]
        if held:
            x, low, high = zip(*held, strict=True)
            panel.fill_between(x, low, high, color=look["color"], alpha=0.15, lw=0)
    if min(values) > 0 and max(values) / min(values) >= 10:
        panel.set_xscale("log")
    panel.set_xticks(values, [f"{v:g}" for v in values])
    panel.minorticks_off()
    panel.set_xlabel(short(f"{sweep.rain}: {sweep.parameter}"))
    panel.set_ylabel(results.metrics[metric].heading)
    panel.grid(alpha=0.3)
