"""Sweeps of a rain's parameter in a run: what scores do as it grows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from reports.plots.plots import legend_below, panels, short, style
from reports.results.effects import primary
from reports.results.record import FEWEST as FEWEST_GROUPS
from reports.results.record import interval
from reports.tables.text import (
    Table,
    conditions,
    mark,
    marks,
    metrics,
    places,
    plain,
    signed,
    span,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from reports.results.record import Record, Results

FEWEST = 3
"""Fewer values of a parameter are no sweep."""
_SETTING = re.compile(r"([a-z]\w*)=([^:]+)")


class Sweep(NamedTuple):
    """Rains that differ in one parameter alone."""

    rain: str
    """Their common name, without that parameter."""
    parameter: str
    rains: dict[float, str]
    """Full name by the parameter's value, from small to large."""


def sweeps(results: Results) -> list[Sweep]:
    """Every parameter that takes at least `FEWEST` values while the others stay."""
    found: dict[tuple[str, str], dict[float, str]] = {}
    for rain in dict.fromkeys(record.rain for record in results.records):
        for match in _SETTING.finditer(rain):
            common = rain.replace(":" + match[0], "", 1)
            try:
                found.setdefault((common, match[1]), {})[float(match[2])] = rain
            except ValueError:
                continue
    return [
        Sweep(common, parameter, dict(sorted(rains.items())))
        for (common, parameter), rains in found.items()
        if len(rains) >= FEWEST
    ]


def table(results: Results) -> Table:
    """Means over each sweep on the tasks' primary metrics: headings, rows and notes."""
    headings = ["sweep", "derainer", "metric", "mPC", "95 % interval", "rPC", "against rainy"]
    marked: set[str] = set()
    rows = []
    for sweep in sweeps(results):
        rains = list(sweep.rains.values())
        values = ", ".join(f"{value:g}" for value in sweep.rains)
        name = plain(f"{sweep.rain}: {sweep.parameter} {values}")
        for task in dict.fromkeys(t for t, _ in metrics(results)):
            metric = primary(results, task)
            if metric is None:
                continue
            clean = results.value("none", "identity", task, metric)
            floor = _mean(results, rains, "identity", task, metric)
            for derainer in dict.fromkeys(r.derainer for r in results.records if r.rain in rains):
                mean = _mean(results, rains, derainer, task, metric)
                if mean is None or floor is None or derainer.endswith("/mask"):
                    continue
                whole = clean.value if clean is not None and mean.unit == "fraction" else None
                gained = None
                if mean.draws is not None and floor.draws is not None:
                    gained = interval(mean.draws - floor.draws)
                against = f"{signed(mean.value - floor.value, mean.unit)} {span(gained, mean.unit)}"
                rows.append(
                    [
                        name,
                        "rainy" if derainer == "identity" else plain(derainer),
                        title(metric),
                        f"{mean.value:.{places(mean.unit)}f}" + mean.mark(marked),
                        span(mean.ci, mean.unit, sign=False),
                        f"{100 * mean.value / whole:.0f} %" if whole else "–",
                        "" if derainer == "identity" else against,
                    ]
                )
    notes = [
        "mPC: mean of the metric over the sweep; rPC: that as a share of the clean value "
        "(mean and relative performance under corruption, Hendrycks and Dietterich 2019, Michaelis "
        "et al. 2019). Intervals over the same resampled images throughout."
    ]
    return headings, rows, notes + marks(marked)


class _Mean(NamedTuple):
    """A metric's mean over the rains of a sweep."""

    value: float
    unit: str
    draws: NDArray[np.float64] | None
    """On the resampled sets; None where there are too few images."""
    ci: tuple[float, float] | None
    """None where a level of the sweep has none, too."""
    records: list[Record]

    def mark(self, marked: set[str]) -> str:
        """The strongest mark of its numbers."""
        found = {mark(record, marked) for record in self.records}
        return next((sign for sign in "†?" if sign in found), "")


def _mean(
    results: Results, rains: list[str], derainer: str, task: str, metric: str
) -> _Mean | None:
    """None where a rain of the sweep has no value."""
    found = [results.value(rain, derainer, task, metric) for rain in rains]
    held = [r for r in found if r is not None and r.value is not None]
    if len(held) < len(rains):
        return None
    drawn = [results.draws.get(r.cell()) for r in held]
    enough = results.provenance.get("groups", held[0].n) >= FEWEST_GROUPS
    kept = [d.astype(np.float64) for d in drawn if d is not None]
    draws = np.mean(kept, axis=0) if enough and len(kept) == len(held) else None
    levels = all(r.ci is not None for r in held)
    ci = interval(draws) if draws is not None and levels else None
    return _Mean(float(np.mean([r.value for r in held])), held[0].unit, draws, ci, held)


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
