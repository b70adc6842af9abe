"""Differences between remedies that were named before they were measured, judged as one family.

A few trainings tell little of how much trainings vary, and what is resampled of three of them is
too sure of itself: of five differences that are nothing, one was called something in 16 of 100
studies where a training moves the score by as much as the images do (`benchmarks/contrasts.py`). So
trainings add Student's tails here, as Behrens and Fisher have it for two means, drawn anew for each
member: what two differences share of their images moves together, what their trainings add is not
known to. Seeds of the rain are resampled as elsewhere: a seed moves each image by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.findings.effects import verdict
from reports.findings.repeats import over_levels
from reports.results.intervals import FEWEST, interval, step_down, tail, two_sided

if TYPE_CHECKING:
    from reports.findings.remedies import Number
    from reports.results.metrics import MetricRow


class Judged(NamedTuple):
    """What may be said of one of them."""

    ci: tuple[float, float] | None
    """95 % interval over images and every kind of repeat."""
    p_value: float | None
    """Two-sided, corrected within the family."""
    verdict: str | None
    """``better``, ``worse``, ``no significant difference``; None where nothing can be said."""


def judged(numbers: Sequence[Number | None], row: MetricRow) -> list[Judged]:
    """The intervals and verdicts of a family of differences of one metric.

    Args:
        numbers: Of every member, of the same images; None = not measured, or not paired.
        row: The metric.

    Returns:
        One a member. As long as one of them is not there, none has a verdict: the others alone
        would be another family than the one that was named.
    """
    tables = [None if n is None else n.table for n in numbers]
    groups = min((n.groups for n in numbers if n is not None), default=0)
    if groups < FEWEST:
        return [Judged(None, None, None)] * len(numbers)
    drawn = [None if t is None else _with_repeats(t, i) for i, t in enumerate(tables)]
    ends = [
        None if t is None or d is None else _interval(t, d, groups)
        for t, d in zip(tables, drawn, strict=True)
    ]
    known = [(t, d) for t, d in zip(tables, drawn, strict=True) if t is not None and d is not None]
    if len(known) < len(numbers) or len({len(d) for _, d in known}) > 1:
        return [Judged(ci, None, None) for ci in ends]
    alone = np.array([_two_sided(t, d, groups) for t, d in known])
    corrected, _ = step_down(np.stack([d for _, d in known]), alone)
    return [
        Judged(ci, float(p), None if n is None else verdict(n.value, float(p), row))
        for n, ci, p in zip(numbers, ends, corrected, strict=True)
    ]


def _over_images(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over repeats on each resampled set of images, ``(B,)``."""
    mean: NDArray[np.float64] = table.mean(tuple(range(table.ndim - 1)))
    return mean


def _with_repeats(table: NDArray[np.float64], member: int) -> NDArray[np.float64]:
    """The same over seeds of the rain too, and with what other trainings would add.

    Args:
        table: See `Number.table`.
        member: Number of the difference in its family.
    """
    from scipy.special import stdtrit

    draws, values = over_levels(table.mean((1, 2))), table.mean(-1)
    ranks = (np.arange(len(draws)) + 0.5) / len(draws)
    for axis in (1, 2):
        levels = values.shape[axis]
        if levels > 1:
            error = values.mean((0, 3 - axis)).std(ddof=1) / math.sqrt(levels)
            rng = np.random.default_rng((member, axis))
            draws = draws + error * rng.permutation(stdtrit(levels - 1, ranks))
    return draws


def _interval(
    table: NDArray[np.float64], draws: NDArray[np.float64], groups: int
) -> tuple[float, float] | None:
    """Where both the percentiles with repeats and the interval over images alone lie inside."""
    alone, place = interval(_over_images(table), groups), _place(groups, len(draws))
    if alone is None or place < 1:
        return None
    ordered = np.sort(draws)
    return min(alone[0], float(ordered[place - 1])), max(alone[1], float(ordered[-place]))


def _place(groups: int, times: int) -> int:
    """Which draw from the end an interval ends at."""
    return math.ceil(tail(groups) * (1 + times)) - 1


def _two_sided(table: NDArray[np.float64], draws: NDArray[np.float64], groups: int) -> float:
    """The p-value that goes with `_interval`."""
    from scipy.special import ndtri, stdtr

    beyond = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    share = min(0.5, (1 + beyond) / (1 + len(draws)))
    shrunk = math.sqrt((groups - 1) / groups) * float(ndtri(share))
    return max(two_sided(_over_images(table), groups), 2 * float(stdtr(groups - 1, shrunk)))
