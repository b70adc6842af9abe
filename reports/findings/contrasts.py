"""Differences between remedies that were named before they were measured, judged as one family.

What two differences share of their images moves together; what their trainings add is not known to,
and is drawn for each by itself (`reports.findings.over_repeats`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from reports.findings.effects import verdict
from reports.findings.over_repeats import Repeated
from reports.results.intervals import FEWEST, step_down

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
    drawn = [None if t is None else Repeated.of(t) for t in tables]
    ends = [None if d is None else d.interval(groups) for d in drawn]
    known = [d for d in drawn if d is not None]
    if len(known) < len(numbers) or len({len(d.whole) for d in known}) > 1:
        return [Judged(ci, None, None) for ci in ends]
    alone = np.array([d.two_sided(groups) for d in known])
    whole = np.stack([d.whole for d in known])
    corrected, _ = step_down(whole[:, np.isfinite(whole).all(0)], alone)
    return [
        Judged(ci, float(p), None if n is None else verdict(n.value, float(p), row))
        for n, ci, p in zip(numbers, ends, corrected, strict=True)
    ]
