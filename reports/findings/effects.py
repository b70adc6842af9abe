"""What each derainer changes against the rainy input, and whether that is more than chance.

Differences are paired: both conditions were reduced on the same resampled sets, so their replicates
are subtracted; a derainer whose mean is over other images than the rainy input's has no effect
here. A family is the derainers of one rain and task network, on the task's primary metric; within
it p-values are corrected together (`intervals.Family`), since all are set against one rainy input.
Other metrics have intervals and no verdict.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.results.cell import Condition, Judge
from reports.results.conditions import floors
from reports.results.intervals import FEWEST, LEVEL, Family, interval, selected_interval
from reports.results.metrics import MetricRow

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results

TARGETS = {"fraction": 0.01, "dB": 0.2}
"""Differences that a study should be able to show, by unit."""
ROBUSTNESS = "robustness"
"""The task of numbers that follow from effects, see `reports.findings.robustness`."""
CLEAR = 4.0
"""Rain must cost that many standard deviations before a share of it means anything."""


@dataclass(frozen=True)
class Effect:
    """One derainer on one rain and task network, against the rainy input."""

    condition: Condition
    judge: Judge
    metric: str
    row: MetricRow
    """What tables must know of the metric."""
    difference: float
    """Derained − rainy, in the metric's unit."""
    ci: tuple[float, float] | None
    """95 % interval of the difference alone."""
    p_value: float | None
    """Two-sided, from the replicates, corrected within the family."""
    verdict: str | None
    """``better``, ``worse``, ``no significant difference``; None where nothing can be said."""
    smallest: float | None
    """True difference that 80 % of studies of this many images show, in this family."""
    needed: int | None
    """Images of which 80 % of studies show the difference in `TARGETS`, in this family."""
    recovery: float | None
    """Share of what the rain cost that came back; never of dB, and only where the rain's cost is
    clear and the verdict says that the derainer changes something."""
    recovery_ci: tuple[float, float] | None
    """95 % interval; a share never stands without."""
    harm: float | None
    """Derained clean − clean, where clean images were derained."""
    harm_ci: tuple[float, float] | None
    lower: float | None
    """Share of the images whose own score is worse than that of the rainy input."""
    lower_n: int
    """Images that this is a share of."""


def effects(results: Results) -> list[Effect]:
    """Every derainer's effect on every rain and task, families in the order of the tables."""
    found = []
    for judge in results.judges:
        metric = results.primary(judge.task)
        if metric is None:
            continue
        held = [r for r in results.records if (r.judge, r.metric) == (judge, metric)]
        for rainy in floors(results):
            floor = results.at(rainy, judge, metric)
            if floor is None or floor.value is None:
                continue
            family = [
                r
                for r in held
                if r.condition.is_derained
                and r.condition.rainy == rainy
                and results.compare(floor, r) is not None
            ]
            found += _family(results, floor, family)
    return found


def _family(results: Results, floor: Record, members: list[Record]) -> list[Effect]:
    """Effects of the derainers of one rain and task network."""
    drawn = [_paired(results, floor, record) for record in members]
    family = Family.of([d for d in drawn if d is not None], results.groups(floor))
    corrected = iter(family.p_values if family.can_reject else [])
    row, target = results.metrics[floor.metric], TARGETS.get(floor.unit)
    made = []
    for record, d in zip(members, drawn, strict=True):
        assert record.value is not None
        assert floor.value is not None
        difference = record.value - floor.value
        p_value = None if d is None else next(corrected, None)
        said = None if p_value is None else verdict(difference, p_value, row)
        smallest = None if d is None or p_value is None else family.shown(d)
        ceiling = results.at(record.condition.clean, record.judge, record.metric)
        is_real = said in ("better", "worse")
        recovery, recovery_ci = (
            _recovery(results, ceiling, floor, record, family.level) if is_real else (None, None)
        )
        broken = results.at(record.condition.dry, record.judge, record.metric)
        harm, harm_ci = _harm(results, ceiling, broken)
        lower, lower_n = _lower(results, floor, record)
        made.append(
            Effect(
                condition=record.condition,
                judge=record.judge,
                metric=record.metric,
                row=row,
                difference=difference,
                ci=None if d is None else interval(d, results.groups(record)),
                p_value=p_value,
                verdict=said,
                smallest=smallest,
                needed=None
                if smallest is None or target is None
                else math.ceil(record.n * (smallest / target) ** 2),
                recovery=recovery,
                recovery_ci=recovery_ci,
                harm=harm,
                harm_ci=harm_ci,
                lower=lower,
                lower_n=lower_n,
            )
        )
    return made


def verdict(difference: float, p_value: float, row: MetricRow) -> str:
    """What a difference and its corrected p-value say: ``better``, ``worse`` or neither."""
    if p_value >= LEVEL:
        return "no significant difference"
    return "better" if (difference > 0) == row.higher_is_better else "worse"


def _paired(results: Results, first: Record | None, second: Record | None) -> Any:
    """Differences on the resampled sets, second − first; None where they say nothing."""
    if first is None or second is None:
        return None
    a, b = results.draws.get(first.cell), results.draws.get(second.cell)
    if a is None or b is None or results.groups(first) < FEWEST:
        return None
    both = b.astype(np.float64) - a
    return both if np.isfinite(both).sum() > 1 else None


def _recovery(
    results: Results, ceiling: Record | None, floor: Record, record: Record, level: float
) -> tuple[float | None, tuple[float, float] | None]:
    """(derained − rainy)/(clean − rainy) of the totals, and its interval.

    It is told where the gain's own p-value is below a level.
    """
    cost = _paired(results, floor, ceiling)
    if record.unit == "dB" or cost is None or ceiling is None or ceiling.value is None:
        return None, None
    assert floor.value is not None
    assert record.value is not None
    whole = ceiling.value - floor.value
    if whole <= CLEAR * float(np.nanstd(cost, ddof=1)):
        return None, None
    rainy, derained, clean = (
        results.draws[r.cell].astype(np.float64) for r in (floor, record, ceiling)
    )
    gains = derained - rainy
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = gains / (clean - rainy)
    ci = selected_interval(shares, gains, results.groups(record), level)
    return (None if ci is None else (record.value - floor.value) / whole), ci


def _lower(results: Results, floor: Record, record: Record) -> tuple[float | None, int]:
    """Share of the images whose own score fell below their rainy one, and how many have both.

    A number that the results hold goes first: of means over seeds it is the mean of the shares,
    where images' means would be of other images.
    """
    kept = Judge(ROBUSTNESS, record.model)
    told = results.at(record.condition, kept, f"worse/{record.metric}")
    if told is not None:
        return told.value, told.n
    metric = results.image_metric(record.task) or record.metric
    before, after = (results.by_image.values.get(r.cell.of(metric)) for r in (floor, record))
    if before is None or after is None:
        return None, 0
    # An image that equals its reference counts: nothing is above it.
    both = ~np.isnan(before) & ~np.isnan(after)
    row = results.metrics[metric]
    worse = after < before if row.higher_is_better else after > before
    n = int(both.sum())
    return (float(worse[both].mean()) if n else None), n


def _harm(
    results: Results, ceiling: Record | None, broken: Record | None
) -> tuple[float | None, tuple[float, float] | None]:
    """Derained clean − clean, and its interval."""
    found = None if ceiling is None or broken is None else results.compare(ceiling, broken)
    return (None, None) if found is None else (found.difference, found.ci)
