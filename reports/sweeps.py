"""Sweeps of a rain's parameter in a run: what scores do as it grows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from reports.plots import COLOURS, MARKERS, new_figure
from reports.tables import metrics, plain, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harness.record import Results

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


def draw(results: Results, sweep: Sweep, task: str) -> Figure | None:
    """A panel per metric of the task: a line per derainer, the clean images dashed."""
    names = [m for t, m in metrics(results) if t == task]
    if not names:
        return None
    figure = new_figure(4.2 * len(names), 3.2)
    panels = figure.subplots(1, len(names), squeeze=False)[0]
    for panel, metric in zip(panels, names, strict=True):
        _panel(panel, results, sweep, task, metric)
    panels[0].legend(fontsize=8)
    return figure


def _panel(panel: Axes, results: Results, sweep: Sweep, task: str, metric: str) -> None:
    values = list(sweep.rains)
    rains = set(sweep.rains.values())
    derainers = dict.fromkeys(r.derainer for r in results.records if r.rain in rains)
    clean = results.value("none", "identity", task, metric)
    if clean is not None and clean.value is not None:
        panel.axhline(clean.value, color="black", ls="--", lw=1, label="clean")
    for i, derainer in enumerate(derainers):
        colour = COLOURS[i % len(COLOURS)]
        line = []
        for value, rain in sweep.rains.items():
            record = results.value(rain, derainer, task, metric)
            if record is None or record.value is None:
                continue
            line.append((value, record.value))
            if record.ci is not None:
                panel.plot((value, value), record.ci, color=colour, lw=2, alpha=0.5)
        if line:
            name = "rainy" if derainer == "identity" else plain(derainer)
            panel.plot(
                *zip(*line, strict=True),
                MARKERS[i % len(MARKERS)] + "-",
                color=colour,
                ms=5,
                label=name,
            )
    if min(values) > 0 and max(values) / min(values) >= 10:
        panel.set_xscale("log")
    panel.set_xticks(values, [f"{v:g}" for v in values], parse_math=False)
    panel.minorticks_off()
    panel.set_xlabel(plain(f"{sweep.rain}: {sweep.parameter}"), parse_math=False)
    panel.set_ylabel(title(metric))
    panel.grid(alpha=0.3)
