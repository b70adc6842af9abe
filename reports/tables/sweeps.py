"""Sweeps of a rain's parameter in a run: what scores do as it grows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from reports.findings.sweeps import FEWEST_VALUES, raining, sweeps
from reports.results.cell import MASK, Condition, Judge
from reports.results.intervals import FEWEST, interval, level_interval
from reports.results.marks import mark_of_all, marks
from reports.tables.text import Table, condition_name, plain, signed, span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reports.results.record import Record
    from reports.results.results import Results


def table(results: Results) -> Table:
    """Means over each sweep on the tasks' primary metrics: headings, rows and notes."""
    headings = [
        "sweep",
        "derainer",
        "task",
        "metric",
        "mPC",
        "95 % interval",
        "rPC",
        "95 % interval of rPC",
        "against rainy",
    ]
    marked: set[str] = set()
    rows = []
    dry: dict[str, None] = {}
    names = dict.fromkeys((c.derainer, c.stage) for c in results.conditions)
    for sweep in sweeps(results):
        wet = raining(results, sweep)
        if len(wet) < FEWEST_VALUES:
            continue
        inputs = list(wet.values())
        dry |= dict.fromkeys(c.rain for c in sweep.inputs.values() if c not in inputs)
        values = ", ".join(f"{value:g}" for value in wet)
        name = plain(f"{sweep.rain}: {sweep.parameter} {values}")
        for judge in results.judges:
            metric = results.primary(judge.task)
            if metric is None:
                continue
            clean = results.at(inputs[0].clean, judge, metric)
            floor = _mean(results, inputs, judge, metric)
            row = results.metrics[metric]
            for derainer, stage in names:
                of = [replace(c, derainer=derainer, stage=stage) for c in inputs]
                mean = _mean(results, of, judge, metric)
                if mean is None or floor is None or stage == MASK:
                    continue
                whole = clean if clean is not None and row.unit == "fraction" else None
                rows.append(
                    [
                        name,
                        condition_name(of[0]),
                        plain(results.called(judge)),
                        row.heading,
                        f"{mean.value:.{row.decimals}f}" + mean.mark(marked),
                        span(mean.ci, row.decimals, sign=False),
                        *_relative(results, mean, whole),
                        "" if of[0].is_input else _change(results, floor, mean, row.decimals),
                    ]
                )
    notes = [
        "mPC: mean of the metric over the sweep; rPC: that as a share of the clean value "
        "(mean and relative performance under corruption, Hendrycks and Dietterich 2019, Michaelis "
        "et al. 2019). Intervals over the same resampled images throughout."
    ]
    if dry:
        each = plain(", ".join(dry))
        notes.append(f"Neither counts {each}: every number there is that of the clean images.")
    return headings, rows, notes + marks(marked)


class _Mean(NamedTuple):
    """A metric's mean over the rains of a sweep."""

    value: float
    draws: NDArray[np.float64] | None
    """On the resampled sets; None where there are too few images."""
    ci: tuple[float, float] | None
    """None where a level of the sweep has none, too."""
    records: list[Record]

    def mark(self, marked: set[str]) -> str:
        """The marks of its numbers."""
        return mark_of_all(self.records, marked)


def _change(results: Results, floor: _Mean, mean: _Mean, decimals: int) -> str:
    """The paired difference of two means with its interval; a dash where images do not pair."""
    pairs = zip(floor.records, mean.records, strict=True)
    if any(results.compare(before, after) is None for before, after in pairs):
        return "–"
    gained = None
    if mean.draws is not None and floor.draws is not None:
        gained = interval(mean.draws - floor.draws, results.groups(mean.records[0]))
    return f"{signed(mean.value - floor.value, decimals)} {span(gained, decimals)}"


def _relative(results: Results, mean: _Mean, clean: Record | None) -> tuple[str, str]:
    """The mean as a share of the clean value, and its interval: both on the same sets."""
    if clean is None or not clean.value:
        return "–", ""
    drawn = results.draws.get(clean.cell)
    ci = None
    if mean.draws is not None and drawn is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            ci = interval(100 * mean.draws / drawn, results.groups(clean))
    return f"{100 * mean.value / clean.value:.0f} %", span(ci, 0, sign=False)


def _mean(results: Results, of: list[Condition], judge: Judge, metric: str) -> _Mean | None:
    """None where a rain of the sweep has no value."""
    found = [results.at(condition, judge, metric) for condition in of]
    held = [r for r in found if r is not None and r.value is not None]
    if len(held) < len(of):
        return None
    drawn = [results.draws.get(r.cell) for r in held]
    groups = results.groups(held[0])
    kept = [d.astype(np.float64) for d in drawn if d is not None]
    draws = np.mean(kept, axis=0) if groups >= FEWEST and len(kept) == len(held) else None
    levels = all(r.ci is not None for r in held)
    value = float(np.mean([r.value for r in held]))
    ci = level_interval(draws, value, groups) if draws is not None and levels else None
    return _Mean(value, draws, ci, held)
