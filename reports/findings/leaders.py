"""Which of several derainers leads under one rain, where its lead is more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from reports.results.intervals import FEWEST, LEVEL, Family

if TYPE_CHECKING:
    from reports.results.cell import Cell
    from reports.results.record import Record
    from reports.results.results import Results

MOST_PLACES = 2
"""The best and the second."""


def places(results: Results, rivals: Sequence[Record]) -> Mapping[Cell, int]:
    """The place of the first two rivals, 0 and 1, that all behind them are surely worse than.

    Args:
        results: The run that they are of.
        rivals: Values of one metric, rain and task network.

    Returns:
        By cell. A place that chance may have given is missing: its differences to all that stand
        behind are judged together at 5 % (`Family`), and one of them is not significant, or there
        are no resamples, or too few. There is none among means over other images, which say
        nothing of each other, and where images that all equal their reference are above any value.
    """
    held = [r for r in rivals if r.value is not None]
    if not held or any(r.is_identical for r in rivals):
        return {}
    if len({results.left_out(r) for r in held}) > 1:
        return {}
    up = results.metrics[held[0].metric].higher_is_better
    held.sort(key=lambda r: -_value(r) if up else _value(r))
    return {
        first.cell: place
        for place, first in enumerate(held[:MOST_PLACES])
        if _leads(results, first, held[place + 1 :])
    }


def _value(record: Record) -> float:
    assert record.value is not None
    return record.value


def _leads(results: Results, first: Record, behind: Sequence[Record]) -> bool:
    """Whether a record differs from each of those behind it by more than chance."""
    groups = results.groups(first)
    own, others = results.draws.get(first.cell), [results.draws.get(r.cell) for r in behind]
    if own is None or not others or groups < FEWEST:
        return False
    drawn = [np.asarray(d, np.float64) - own for d in others if d is not None]
    if len(drawn) < len(others) or any(np.isfinite(d).sum() < 2 for d in drawn):
        return False
    family = Family.of(drawn, groups)
    return family.can_reject and max(family.p_values) < LEVEL
