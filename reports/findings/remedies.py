"""Remedies against rain beside each other: leave it, derain, train on rain, or both.

A remedy is a task network, by what it learned from, and a derainer before it or none. Networks that
began with the same weights are a family; what those weights give is its remedy "nothing". Several
trainings of a network or a derainer, and several seeds of the rain, are repeats of one remedy.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.findings.repeats import over_levels
from reports.results.cell import NO_RAIN, Judge
from reports.results.conditions import place
from reports.results.intervals import interval, level_interval
from reports.results.metrics import MetricRow

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results
    from reports.results.training import Training

GIVEN = "given"
"""Rain that a data set brings: of photographs of real rain, real."""
NOTHING, CLEAN, DERAIN, RAIN, MIXTURE, DERAINED, BOTH = range(7)
"""Kinds of remedies, in the order of the table."""


class Remedy(NamedTuple):
    """One row."""

    kind: int
    rains: tuple[str, ...] = ()
    """What its network was trained on, beside what it began with."""
    derainer: str = ""
    """Before the network in use, without the digests of its weights."""
    footing: str = ""
    """See `Training.footing`."""

    @property
    def title(self) -> str:
        """In words."""
        wet = " and ".join(rain for rain in self.rains if rain != NO_RAIN)
        dry = NO_RAIN in self.rains
        trained = f"trained on {wet}" + (" and clean images" if dry else "")
        trained = trained if wet else "trained longer on clean images"
        return {
            NOTHING: "nothing",
            DERAIN: f"derain by {self.derainer}",
            DERAINED: f"{trained}, all derained by {self.derainer}",
            BOTH: f"{trained}, and derain by {self.derainer}",
        }.get(self.kind, trained)


@dataclass(frozen=True)
class One:
    """One number, and which repeat of its remedy it is."""

    record: Record
    training: Training
    draws: NDArray[Any] | None
    images: tuple[str | None, int, int]
    """What must be equal for draws to be paired: the images, their groups, resampled sets."""
    value: float
    groups: int

    @property
    def levels(self) -> tuple[Any, Any, Any]:
        """Seed of the rain, which clean images have none of; network; weights of the derainer."""
        r = self.record
        return None if r.condition.is_dry else r.seed, r.model, r.weights


class Number(NamedTuple):
    """A mean over repeats, or a paired difference of two."""

    value: float
    ci: tuple[float, float] | None
    """95 % interval over images and repeats."""
    repeats: int


@dataclass(frozen=True)
class Family:
    """The remedies of one task and of networks that began with the same weights."""

    task: str
    network: str | None
    """That of the remedy "nothing"; None where the run does not hold it."""
    row: MetricRow
    cells: Mapping[Remedy, Mapping[str, Sequence[One]]]
    """The repeats of each remedy by rain."""

    @property
    def rains(self) -> list[str]:
        """The columns: dry images, rain of a kind that a network saw, other rain, real rain."""
        found = dict.fromkeys(rain for row in self.cells.values() for rain in row)
        return sorted(
            found, key=lambda r: (r == "given", r != NO_RAIN and not self.is_seen(r), place(r))
        )

    def is_seen(self, rain: str) -> bool | None:
        """Whether a network of the family was trained on this kind of rain; None = unknown."""
        seen = [one.record.seen for row in self.cells.values() for one in row.get(rain, ())]
        if any("task-rain" in each for each in seen if each is not None):
            return True
        return None if None in seen else False

    def number(self, remedy: Remedy, rain: str) -> Number | None:
        """The score under a rain; None where it was not measured."""
        ones = self.cells.get(remedy, {}).get(rain, ())
        return _mean([(one, one.value, one.draws) for one in ones], is_level=True)

    def against(self, remedy: Remedy, other: Remedy | None, rain: str) -> Number | None:
        """The paired difference to another remedy; None where it cannot be told.

        A repeat is held against the one of the same seeds, or else the only one that there is.
        """
        if other is None or other == remedy:
            return None
        others = self.cells.get(other, {}).get(rain, ())
        found = []
        for one in self.cells.get(remedy, {}).get(rain, ()):
            partner = _partner(one, others)
            if partner is None:
                return None
            drawn = None
            if one.draws is not None and partner.draws is not None and one.images == partner.images:
                drawn = one.draws - partner.draws
            found.append((one, one.value - partner.value, drawn))
        return _mean(found, is_level=False)

    def first(self, *kinds: int) -> Remedy | None:
        """The first remedy of one of these kinds, the kinds in this order."""
        return next((r for kind in kinds for r in self.cells if r.kind == kind), None)

    def ones(self, remedy: Remedy) -> list[One]:
        """All numbers of a remedy."""
        return [one for ones in self.cells[remedy].values() for one in ones]

    def without_twin(self) -> list[Remedy]:
        """Remedies that trained on other than clean images, without one of as many clean steps."""
        dry = {r.footing for r in self.cells if r.kind in (NOTHING, CLEAN)} - {""}
        trained = [r for r in self.cells if r.kind in (RAIN, MIXTURE, DERAINED)]
        return [r for r in trained if r.footing not in dry]


def families(runs: Sequence[Results]) -> list[Family]:
    """The remedies that some runs hold; of other images they are other families."""
    found: dict[tuple[Any, ...], dict[Remedy, dict[str, list[One]]]] = {}
    rows: dict[tuple[Any, ...], MetricRow] = {}
    for run in runs:
        for task, trainings in run.provenance.trainings.items():
            metric = run.primary(task)
            if metric is None:
                continue
            for root, kinds in _roots(trainings).items():
                key = task, metric, root, run.provenance.data_fingerprint
                rows[key] = run.metrics[metric]
                for network, kind in kinds.items():
                    cells = found.setdefault(key, {})
                    _add(cells, run, Judge(task, network), metric, kind, trainings[network])
    return [_family(key[0], rows[key], cells) for key, cells in found.items() if cells]


def _family(task: str, row: MetricRow, cells: dict[Remedy, dict[str, list[One]]]) -> Family:
    ordered = dict(sorted(cells.items()))
    nothing = next((r for r in ordered if r.kind == NOTHING), None)
    ones = [] if nothing is None else next(iter(ordered[nothing].values()))
    return Family(task, ones[0].record.model if ones else None, row, ordered)


def _roots(trainings: Mapping[str, Training]) -> dict[str, dict[str, int]]:
    """The networks of each family with the kind of what they learned, by what they began with."""
    begun = {t.begun_with for t in trainings.values()} - {None}
    roots: dict[str, dict[str, int]] = {}
    for name, t in trainings.items():
        if t.sha256 in begun:
            roots.setdefault(t.sha256, {})[name] = NOTHING
    for name, t in trainings.items():
        root = t.begun_with or t.footing or t.sha256
        roots.setdefault(root, {}).setdefault(name, _kind(t))
    for root, kinds in list(roots.items()):
        (name, kind), *others = kinds.items()
        if not others and kind == CLEAN:  # longer than what, is not in the run
            if trainings[name].sha256 in begun:
                del roots[root]
            else:
                kinds[name] = NOTHING
    return roots


def _kind(t: Training) -> int:
    if t.derained_by is not None:
        return DERAINED
    if t.rains is not None and t.wet:
        return MIXTURE if NO_RAIN in t.rains else RAIN
    return CLEAN if t.begun_with is not None else NOTHING


def _add(
    cells: dict[Remedy, dict[str, list[One]]],
    run: Results,
    judge: Judge,
    metric: str,
    kind: int,
    training: Training,
) -> None:
    """Put the numbers of a network where they belong."""
    for record in run.records:
        if record.judge != judge or record.metric != metric or record.value is None:
            continue
        condition = record.condition
        if condition.stage is not None:
            continue
        remedy = _remedy(record, kind, training)
        if remedy is None:
            continue
        draws = run.draws.get(record.cell)
        groups = run.groups(record.n)
        images = run.provenance.data_fingerprint, groups, 0 if draws is None else len(draws)
        drawn = None if draws is None else draws.astype(np.float64)
        one = One(record, training, drawn, images, record.value, groups)
        ones = cells.setdefault(remedy, {}).setdefault(record.rain, [])
        if one.levels not in [other.levels for other in ones]:  # dry images have one seed alone
            ones.append(one)


def _remedy(record: Record, kind: int, training: Training) -> Remedy | None:
    """Which remedy a number is of; None where a network meets a derainer that is not its own."""
    footing = training.footing or ""
    rains = () if kind == NOTHING else training.rains or ()
    if kind == DERAINED:
        is_own = record.derainer == training.derained_by or (
            record.weights is not None and record.weights == training.derained_weights
        )
        return Remedy(kind, rains, record.method, footing) if is_own else None
    if record.condition.is_input:
        return Remedy(kind, rains, "", footing)
    return Remedy(DERAIN if kind == NOTHING else BOTH, rains, record.method, footing)


def _partner(one: One, others: Sequence[One]) -> One | None:
    """The number to hold another against."""
    left = list(others)
    for place_of in range(3):
        left = [o for o in left if _seeds(o)[place_of] == _seeds(one)[place_of]] or left
    same_rain = left and left[0].levels[0] == one.levels[0]
    return left[0] if len(left) == 1 and same_rain else None


def _seeds(one: One) -> tuple[Any, Any, Any]:
    """By which the repeats of two remedies are told to belong together."""
    rain, _, weights = one.levels
    return rain, one.training.seed, weights


def _mean(found: Sequence[tuple[One, float, NDArray[Any] | None]], is_level: bool) -> Number | None:
    """The mean over repeats, with an interval over images and every kind of repeat.

    A level has one where each of its repeats has.
    """
    if not found:
        return None
    mean = float(np.mean([value for _, value, _ in found]))
    draws, groups = _drawn(found), min(one.groups for one, *_ in found)
    ci = None
    if draws is not None and not is_level:
        ci = interval(draws, groups)
    elif draws is not None and all(one.record.ci is not None for one, *_ in found):
        ci = level_interval(draws, mean, groups)
    return Number(mean, ci, len(found))


def _drawn(
    found: Sequence[tuple[One, float, NDArray[Any] | None]],
) -> NDArray[np.float64] | None:
    """The mean on resampled sets of images and repeats; None where these are not crossed."""
    drawn = {one.levels: draws for one, _, draws in found if draws is not None}
    axes = [
        list(dict.fromkeys(levels))
        for levels in zip(*(one.levels for one, *_ in found), strict=True)
    ]
    places = list(itertools.product(*axes))
    if len({one.images for one, *_ in found}) > 1 or drawn.keys() != set(places):
        return None
    shape = [len(axis) for axis in axes]
    table = np.stack([drawn[p] for p in places]).reshape(*shape, -1)
    return over_levels(table)
