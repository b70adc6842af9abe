"""Does a ranking of derainers carry over? Kendall's τ between networks, tasks, rains, seeds, sets.

Each ranking is by a task's primary metric. Draws rank anew, so their noise lowers τ a little, and
its intervals are on the careful side.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.results.cell import Condition, Judge
from reports.results.conditions import floors
from reports.results.intervals import bounded_interval
from reports.results.made import Made, apart, made_by
from reports.results.record import methods
from reports.results.results import QUALITY

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results

FEWEST = 4
"""Fewer derainers have too few orders for one to carry over."""
PLACE = ("data", "rain", "seed", "task", "network")
"""What two rankings may differ in."""
FREE = {
    "data": {"labels"},
    "rain": {"rain"},
    "seed": set[str](),
    "task": {"labels", "network", "version"},
    "network": {"network"},
}
"""The fields of `Made` that differ with it."""


class Place(NamedTuple):
    """What a ranking was found on."""

    data: str
    rain: str
    seed: int
    task: str
    network: str


@dataclass(frozen=True)
class Ranking:
    """The derainers of one place by their scores, more being better."""

    place: Place
    scores: Mapping[str, float]
    """By derainer, without the digests of weights."""
    draws: Mapping[str, NDArray[Any]]
    """``(B,)`` of those that were resampled."""
    images: str | None
    """Digest of the images; one data set and split may hold others in another run."""
    sets: Hashable
    """`Results.sets`."""
    groups: int
    made: Mapping[str, Made]
    """What made each score, by derainer."""


@dataclass(frozen=True)
class Carried:
    """How far one ranking carries over to another place."""

    first: Place
    second: Place
    differs: str
    """The one thing of `PLACE` in which they differ."""
    tau: float
    """1 for the same order, −1 for the opposite one."""
    ci: tuple[float, float] | None
    derainers: int


def carried(runs: Sequence[Results]) -> list[Carried]:
    """Every pair of rankings that differ in one thing, by that thing."""
    found: dict[tuple[Place, Any], Ranking] = {}
    for run in runs:
        for ranking in rankings(run):
            found.setdefault((ranking.place, ranking.images), ranking)
    pairs = [
        made
        for a, b in itertools.combinations(found.values(), 2)
        if (made := _carried(a, b)) is not None
    ]
    return sorted(pairs, key=lambda pair: PLACE.index(pair.differs))


def rankings(run: Results) -> Iterator[Ranking]:
    """Each task network's ranking of the derainers under each rain; image quality is none."""
    for judge in run.judges:
        if judge.network is not None:
            found = (_ranking(run, judge, rainy) for rainy in floors(run))
            yield from (ranking for ranking in found if ranking is not None)


def by_quality(run: Results) -> list[Carried]:
    """How far each task network's ranking is that of image quality, under the same rain."""
    found = []
    for ranking in rankings(run):
        rainy = next(c for c in floors(run) if c.rain == ranking.place.rain)
        other = _ranking(run, Judge(QUALITY), rainy)
        tau = None if other is None else agreement(ranking, other)
        if other is not None and tau is not None:
            found.append(Carried(other.place, ranking.place, "task", *tau))
    return found


def _ranking(run: Results, judge: Judge, rainy: Condition) -> Ranking | None:
    """None of too few derainers; of several trainings of one derainer the first counts."""
    metric = run.primary(judge.task)
    if metric is None:
        return None
    sign = 1 if run.metrics[metric].higher_is_better else -1
    called = methods(run.records)
    held: dict[str, Record] = {}
    for c in run.conditions:
        r = run.at(c, judge, metric) if c.is_restored and c.rainy == rainy else None
        if r is not None and r.value is not None:
            held.setdefault(called(r), r)
    if len(held) < FEWEST:
        return None
    draws = {n: sign * run.draws[r.cell] for n, r in held.items() if r.cell in run.draws}
    data = f"{rainy.data.name} {rainy.data.split}"
    return Ranking(
        Place(data, rainy.rain, rainy.seed, judge.task, judge.network or ""),
        {n: sign * float(r.value) for n, r in held.items() if r.value is not None},
        draws,
        run.provenance.data_fingerprint,
        run.sets,
        min(map(run.groups, held.values())),
        {n: made_by(run, r) for n, r in held.items()},
    )


def _carried(a: Ranking, b: Ranking) -> Carried | None:
    """None where they differ in several things, or share too few derainers."""
    if a.place.data == b.place.data and a.images != b.images:
        return None
    differing = [n for n, x, y in zip(PLACE, a.place, b.place, strict=True) if x != y]
    if differing == ["task", "network"]:  # another task is another network
        differing = ["task"]
    if len(differing) != 1 or _are_of_others(a, b, differing[0]):
        return None
    found = agreement(a, b)
    return None if found is None else Carried(a.place, b.place, differing[0], *found)


def _are_of_others(a: Ranking, b: Ranking, differs: str) -> bool:
    """Whether what is called alike in two places is of other labels, networks or rains."""
    pairs = ((a.made[name], b.made[name]) for name in a.made.keys() & b.made.keys())
    return any(apart(*pair) - FREE[differs] - {"derainer"} for pair in pairs)


def agreement(a: Ranking, b: Ranking) -> tuple[float, tuple[float, float] | None, int] | None:
    """Kendall's τ of two rankings, its 95 % interval and the derainers.

    A name that stands for other code in each is none that they share. None of too few shared, and
    where one of the two ranks none above another.
    """
    shared = a.scores.keys() & b.scores.keys()
    names = sorted(n for n in shared if "derainer" not in apart(a.made[n], b.made[n]))
    if len(names) < FEWEST:
        return None
    value = kendall(*(np.array([[r.scores[n] for n in names]]) for r in (a, b)))[0]
    if np.isnan(value):
        return None
    ci = None
    if all(n in r.draws for n in names for r in (a, b)):
        ours, theirs = (np.stack([r.draws[n] for n in names], 1) for r in (a, b))
        times = min(len(ours), len(theirs))
        if a.sets != b.sets:  # resamples of two sets have nothing in common but their number
            theirs = np.random.default_rng(0).permutation(theirs)
        ci = bounded_interval(kendall(ours[:times], theirs[:times]), min(a.groups, b.groups))
    return float(value), ci, len(names)


def kendall(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """Kendall's τ-b along the last axis, ``(…)``; NaN where one side does not vary."""
    i, j = np.triu_indices(x.shape[-1], 1)
    a, b = (np.sign(side[..., i] - side[..., j]) for side in (x, y))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = (a * b).sum(-1) / np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    return found
