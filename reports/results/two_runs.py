"""Two runs against each other, number by number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.results.conditions import place
from reports.results.intervals import FEWEST, LEVEL, Family, interval

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results


Place = tuple[str, str, str, str, str | None]
"""Rain, derainer, task, metric and network of a number that two runs may hold."""


@dataclass(frozen=True)
class Change:
    """A number that both runs hold."""

    first: Record
    second: Record
    difference: float
    """Second − first, in the metric's unit."""
    ci: tuple[float, float] | None
    """95 % interval of the difference alone."""
    verdict: str
    """``higher``, ``lower``, ``the same``, ``no significant difference``, ``–`` where nothing can
    be said: at 5 % for all changes together."""


def changes(first: Results, second: Results) -> list[Change]:
    """What changed of the tasks' primary metrics, in the order of the tables."""
    order = list(first.tasks)
    pairs = sorted(_common(first, second), key=lambda pair: _rank(pair[0], order))
    paired = first.sets == second.sets
    drawn = [_drawn(first, second, a, b, paired) for a, b in pairs]
    groups = min(
        (run.groups(r.n) for pair in pairs for run, r in zip((first, second), pair, strict=True)),
        default=0,
    )
    family = Family.of([d for d in drawn if d is not None], groups)
    corrected = iter(family.p_values)
    found = []
    for (a, b), d in zip(pairs, drawn, strict=True):
        assert a.value is not None
        assert b.value is not None
        change = b.value - a.value
        verdict = "the same" if change == 0 else "–"
        p = None if d is None else next(corrected)
        if p is not None and change != 0:
            word = "higher" if change > 0 else "lower"
            verdict = word if p < LEVEL else "no significant difference"
        ci = None if d is None else interval(d, groups)
        found.append(Change(a, b, change, ci, verdict))
    return found


def _rank(record: Record, tasks: Sequence[str]) -> tuple[Any, ...]:
    """Data set, task and rain."""
    return record.dataset, record.split, tasks.index(record.task), place(record.rain)


def _common(first: Results, second: Results) -> list[tuple[Record, Record]]:
    place_of = placed(first, second)
    theirs = {place_of(r): r for r in second.records}
    paired = first.sets == second.sets
    wanted = {task: first.primary(task) for task in first.tasks}
    ours = [(r, place_of(r)) for r in first.records]
    pairs = [(r, theirs[place]) for r, place in ours if place in theirs]
    return [
        (a, b)
        for a, b in pairs
        if a.metric == wanted.get(a.task)
        and a.value is not None
        and b.value is not None
        and (not paired or first.left_out(a) == second.left_out(b))
    ]


def placed(first: Results, second: Results) -> Callable[[Record], Place]:
    """Tells what a number of either run is of, whatever the data and the seed.

    Its network counts where one of the two runs has several of them.
    """
    runs = (first, second)
    rivals = {(r.task, r.metric) for run in runs for r in run.records if run.network_of(r)}

    def place_of(record: Record) -> Place:
        network = record.model if (record.task, record.metric) in rivals else None
        return record.rain, record.condition.name, record.task, record.metric, network

    return place_of


def _drawn(first: Results, second: Results, a: Record, b: Record, paired: bool) -> Any:
    """Differences on resampled sets; None where they say nothing."""
    ours, theirs = first.draws.get(a.cell), second.draws.get(b.cell)
    groups = min(first.groups(a.n), second.groups(b.n))
    if ours is None or theirs is None or groups < FEWEST:
        return None
    if not paired:
        # Resamples of two sets have nothing in common but their number.
        times = min(len(ours), len(theirs))
        ours, theirs = ours[:times], np.random.default_rng(0).permutation(theirs)[:times]
    both = theirs.astype(np.float64) - ours
    return both if np.isfinite(both).sum() > 1 else None
