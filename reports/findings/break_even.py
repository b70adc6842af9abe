"""From which rain rate on a derainer gives a task more than it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.findings.sweeps import sweeps
from reports.results.cell import Condition, Judge
from reports.results.intervals import interval

if TYPE_CHECKING:
    from reports.results.results import Results

PARAMETER = "rate_mm_h"


class BreakEven(NamedTuple):
    """One derainer before one task network, over the rates of one rain."""

    rain: str
    """Without its rate."""
    derainer: str
    judge: Judge
    metric: str
    rates_mm_h: tuple[float, ...]
    """Those that were measured; 0 stands for dry images, where the derainer met them and the rain
    has no layers."""
    rate_mm_h: float
    """See `crossing`."""
    ci: tuple[float, float] | None
    """95 % interval over resampled images; an end may be infinite."""


def break_evens(results: Results) -> list[BreakEven]:
    """Every derainer's rate on every task's primary metric, over every sweep of the rate."""
    found = []
    for sweep in (s for s in sweeps(results) if s.parameter == PARAMETER):
        rainy = sweep.inputs
        has_layers = "+" in sweep.rain  # dry images are not overcast, and have no lens
        if 0.0 not in rainy and not has_layers:
            rainy = {0.0: next(iter(rainy.values())).clean, **rainy}
        names = [c.derainer for c in results.conditions if c.is_restored]
        for judge in results.judges:
            metric = results.primary(judge.task)
            for derainer in dict.fromkeys(names) if metric is not None else ():
                gains = _gains(results, rainy, derainer, judge, str(metric))
                if sum(rate > 0 for rate in gains) < 2:
                    continue
                rates = np.array(list(gains))
                values = np.array([value for value, _, _ in gains.values()])
                drawn = [draws for _, draws, _ in gains.values() if draws is not None]
                groups = min(n for *_, n in gains.values())
                ci = _interval(rates, np.stack(drawn), groups) if len(drawn) == len(rates) else None
                rate = float(crossing(rates, values[:, None])[0])
                place = (sweep.rain, derainer, judge, str(metric), tuple(gains))
                found.append(BreakEven(*place, rate, ci))
    return found


def _gains(
    results: Results, rainy: dict[float, Condition], derainer: str, judge: Judge, metric: str
) -> dict[float, tuple[float, NDArray[Any] | None, int]]:
    """What deraining gives, by rate: the gain, its draws, the groups that were resampled."""
    sign = 1 if results.metrics[metric].higher_is_better else -1
    found = {}
    for rate, floor in rainy.items():
        before = results.at(floor, judge, metric)
        after = next(
            (
                record
                for c in results.conditions
                if c.derainer == derainer and c.stage is None and c.rainy == floor
                if (record := results.at(c, judge, metric)) is not None
            ),
            None,
        )
        if before is None or after is None or results.compare(before, after) is None:
            continue
        assert before.value is not None
        assert after.value is not None
        a, b = results.draws.get(before.cell), results.draws.get(after.cell)
        drawn = None if a is None or b is None else sign * (b.astype(np.float64) - a)
        found[rate] = sign * (after.value - before.value), drawn, results.groups(after)
    return found


def crossing(rates: NDArray[np.float64], gains: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest rate from which on, up to the largest, deraining gains.

    Args:
        rates: ``(K,)``, rising.
        gains: ``(K, B)``; between two rates they are taken to go in a straight line.

    Returns:
        ``(B,)``: the first rate where it gains at all of them, infinite where it does not gain at
        the last, NaN where a gain is not defined.
    """
    last = len(rates) - 1
    below = np.where((gains <= 0).any(0), last - np.argmax((gains <= 0)[::-1], axis=0), -1)
    left = np.clip(below, 0, max(0, last - 1))
    columns = np.arange(gains.shape[1])
    low, high = gains[left, columns], gains[np.minimum(left + 1, last), columns]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = -low / (high - low)
    found = rates[left] + share * (rates[np.minimum(left + 1, last)] - rates[left])
    found = np.where(below == last, np.inf, np.where(below < 0, rates[0], found))
    return np.where(np.isnan(gains).any(0), np.nan, found)


def _interval(
    rates: NDArray[np.float64], gains: NDArray[np.float64], groups: int
) -> tuple[float, float] | None:
    """The rates at which the gain may be nothing: where the ends of its intervals cross zero.

    The upper end of the interval may lie beyond the largest rate, and is infinite then.
    """
    ends = [interval(draws, groups) for draws in gains]
    if any(end is None for end in ends):
        return None
    lower, upper = np.array(ends, np.float64).T
    low, high = (float(crossing(rates, curve[:, None])[0]) for curve in (upper, lower))
    return low, high
