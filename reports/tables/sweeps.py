"""Sweeps of a rain's parameter in a run: what scores do as it grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from reports.results.intervals import FEWEST as FEWEST_GROUPS
from reports.results.intervals import interval
from reports.results.metrics import metrics, primary, title
from reports.results.sweeps import sweeps
from reports.tables.text import Table, mark, marks, places, plain, signed, span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reports.results.record import Record
    from reports.results.results import Results


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
