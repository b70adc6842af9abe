"""Two runs against each other, number by number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from reports.results.conditions import place
from reports.results.intervals import FEWEST, LEVEL, Family, interval

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results


Place = tuple[str, str, str, str, str | None]
"""Rain, derainer as the first run names it, task, metric and network of a number of two runs."""
ELSEWHERE = "dir:"
"""Begins the name of a folder of what was made elsewhere, which `score` calls the derainer."""


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
    paired = first.sets == second.sets
    pairs = [pair for pair in _common(first, second) if _compares(first, second, *pair, paired)]
    drawn = [_drawn(first, second, a, b, paired) for a, b in pairs]
    groups = min(
        (run.groups(r) for pair in pairs for run, r in zip((first, second), pair, strict=True)),
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


def uncompared(first: Results, second: Results) -> list[tuple[Record, Record]]:
    """What both runs hold of the same without a difference, in the order of the tables.

    One of the two has no value, or they are means over other images.
    """
    paired = first.sets == second.sets
    return [
        (a, b)
        for a, b in _common(first, second)
        if (a.value, b.value) != (None, None) and not _compares(first, second, a, b, paired)
    ]


def _compares(first: Results, second: Results, a: Record, b: Record, paired: bool) -> bool:
    """Whether two values have a difference: both are there, and paired ones of the same images."""
    if a.value is None or b.value is None:
        return False
    return not paired or first.left_out(a) == second.left_out(b)


def _rank(record: Record, tasks: Sequence[str]) -> tuple[Any, ...]:
    """Data set, task and rain."""
    return record.dataset, record.split, tasks.index(record.task), place(record.rain)


def _common(first: Results, second: Results) -> list[tuple[Record, Record]]:
    """The tasks' primary metrics that both runs hold, in the order of the tables."""
    place_of, order = placed(first, second), list(first.tasks)
    theirs = {place_of(r): r for r in second.records}
    wanted = {task: first.primary(task) for task in first.tasks}
    ours = [(r, place_of(r)) for r in first.records]
    pairs = [(r, theirs[place]) for r, place in ours if place in theirs]
    pairs = [(a, b) for a, b in pairs if a.metric == wanted.get(a.task)]
    return sorted(pairs, key=lambda pair: _rank(pair[0], order))


def placed(first: Results, second: Results) -> Callable[[Record], Place]:
    """Tells what a number of either run is of, whatever the data and the seed.

    Its network counts where one of the two runs has several of them: else its file may be renamed.
    """
    runs, names = (first, second), matched(first, second)
    rivals = {(r.task, r.metric) for run in runs for r in run.records if run.network_of(r)}

    def place_of(record: Record) -> Place:
        network = record.model if (record.task, record.metric) in rivals else None
        name = record.condition.name
        return record.rain, names.get(name, name), record.task, record.metric, network

    return place_of


def matched(first: Results, second: Results) -> dict[str, str]:
    """The derainer of the first run that each of the second is, by their names.

    They are matched by their full names, and those that are left without the digests of their
    weights, where one is left of each run. A folder of `score` holds one thing that was made
    elsewhere, and is called after it.
    """
    before, after = _methods(first), _methods(second)
    if len(before) == len(after) == 1 and all(n.startswith(ELSEWHERE) for n in (*before, *after)):
        return dict(zip(after, before, strict=True))
    found = {name: name for name in after if name in before}
    left = _left(before, after)
    return found | {now[0]: was[0] for _, was, now in left if len(was) == len(now) == 1}


def unclear(first: Results, second: Results) -> list[tuple[str, list[str], list[str]]]:
    """Derainers of which nobody can tell which of one run is which of the other.

    Returns:
        The name without the digests of weights, and the full names in each run.
    """
    left = _left(_methods(first), _methods(second))
    return [(method, was, now) for method, was, now in left if len(was) + len(now) > 2]


def _methods(run: Results) -> dict[str, str]:
    """The derainers of a run: their names, and these without the digests of weights."""
    return {r.condition.name: r.method for r in run.records}


def _left(
    before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Derainers of both runs that have other weights in each."""
    for method in dict.fromkeys(before.values()):
        was = [name for name, m in before.items() if m == method and name not in after]
        now = [name for name, m in after.items() if m == method and name not in before]
        if was and now:
            yield method, was, now


def _drawn(first: Results, second: Results, a: Record, b: Record, paired: bool) -> Any:
    """Differences on resampled sets; None where they say nothing."""
    ours, theirs = first.draws.get(a.cell), second.draws.get(b.cell)
    groups = min(first.groups(a), second.groups(b))
    if ours is None or theirs is None or groups < FEWEST:
        return None
    if not paired:
        # Resamples of two sets have nothing in common but their number.
        times = min(len(ours), len(theirs))
        ours, theirs = ours[:times], np.random.default_rng(0).permutation(theirs)[:times]
    both = theirs.astype(np.float64) - ours
    return both if np.isfinite(both).sum() > 1 else None
