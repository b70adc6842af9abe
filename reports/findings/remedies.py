"""Remedies against rain beside each other: leave it, derain, train on rain, or both.

A remedy is a task network, by what it learned from, and a derainer before it or none. Networks that
began with the same weights are a family; what those weights give is its remedy "nothing". Several
trainings of a network or a derainer, and several seeds of the rain, are repeats of one remedy.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.findings.over_repeats import Repeated
from reports.results.cell import NO_RAIN, Judge
from reports.results.conditions import place
from reports.results.metrics import MetricRow
from reports.results.record import methods

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
    sets: Hashable
    """`Results.sets`."""
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
    groups: int
    """Units that were resampled."""
    table: NDArray[np.float64] | None
    """``(seeds, networks, weights, B)`` of each repeat on the resampled sets; None where these are
    not crossed."""


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
        found = [_Found(o.levels, o, o.value, o.draws) for o in ones]
        return _mean(found, self.row, is_level=True)

    def against(self, remedy: Remedy, other: Remedy | None, rain: str) -> Number | None:
        """The paired difference to another remedy; None where it cannot be told.

        A repeat is held against the one of the same seeds; where one of both has a single training,
        against each of the other's.
        """
        if other is None or other == remedy:
            return None
        ones, others = (self.cells.get(each, {}).get(rain, ()) for each in (remedy, other))
        found = []
        for one in ones:
            partners = _partners(one, ones, others)
            if not partners:
                return None
            for partner in partners:
                levels = _levels(one, partner, ones)
                drawn = None
                if one.draws is not None and partner.draws is not None:
                    drawn = one.draws - partner.draws if one.sets == partner.sets else None
                found.append(_Found(levels, one, one.value - partner.value, drawn))
        return _mean(found, self.row, is_level=False)

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
    called = methods(r for run in runs for r in run.records)
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
                    of = run, Judge(task, network), metric, kind, trainings[network]
                    _add(cells, *of, called)
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
    called: Callable[[Record], str],
) -> None:
    """Put the numbers of a network where they belong."""
    for record in run.records:
        if record.judge != judge or record.metric != metric or record.value is None:
            continue
        condition = record.condition
        if condition.stage is not None:
            continue
        is_gated = run.is_gate(record.derainer)
        remedy = _remedy(record, called(record), kind, training, is_gated)
        if remedy is None:
            continue
        draws = run.draws.get(record.cell)
        drawn = None if draws is None else draws.astype(np.float64)
        one = One(record, training, drawn, run.sets, record.value, run.groups(record))
        ones = cells.setdefault(remedy, {}).setdefault(record.rain, [])
        if one.levels not in [other.levels for other in ones]:  # dry images have one seed alone
            ones.append(one)


def _remedy(
    record: Record, called: str, kind: int, training: Training, is_gated: bool
) -> Remedy | None:
    """Which remedy a number is of; None where a network meets a derainer that is not its own.

    A gate holds the weights of the derainer behind it, and leaves images as they are that this one
    derained for the training.
    """
    footing = training.footing or ""
    rains = () if kind == NOTHING else training.rains or ()
    if kind == DERAINED:
        is_own = record.derainer == training.derained_by or (
            not is_gated
            and record.weights is not None
            and record.weights == training.derained_weights
        )
        return Remedy(kind, rains, called, footing) if is_own else None
    if record.condition.is_input:
        return Remedy(kind, rains, "", footing)
    return Remedy(DERAIN if kind == NOTHING else BOTH, rains, called, footing)


class _Found(NamedTuple):
    """A number of a mean, or a difference of two."""

    levels: tuple[Any, ...]
    """Which repeat of each kind it is, see `One.levels`."""
    one: One
    value: float
    draws: NDArray[Any] | None


RAIN_SEED, NETWORK, WEIGHTS = range(3)
"""Kinds of repeats, by their places in `One.levels`."""


def _partners(one: One, ones: Sequence[One], others: Sequence[One]) -> list[One]:
    """The numbers to hold another against; none where the repeats do not pair."""
    found = [o for o in others if o.levels[RAIN_SEED] == one.levels[RAIN_SEED]]
    if _are_several(ones, NETWORK) and _are_several(others, NETWORK):
        found = [o for o in found if o.training.seed == one.training.seed]
    if _are_several(ones, WEIGHTS) and _are_several(others, WEIGHTS):
        found = [o for o in found if o.record.weights == one.record.weights]
    many = [kind for kind in (NETWORK, WEIGHTS) if not _are_several(ones, kind)]
    places = {tuple(o.levels[kind] for kind in many) for o in found}
    return found if len(places) == len(found) else []


def _are_several(ones: Sequence[One], kind: int) -> bool:
    """Whether there are several repeats of a kind."""
    return len({one.levels[kind] for one in ones}) > 1


def _levels(one: One, partner: One, ones: Sequence[One]) -> tuple[Any, ...]:
    """Which repeat a difference is: by the remedy's own where it has several, else the other's."""
    chosen = (one if _are_several(ones, kind) else partner for kind in (NETWORK, WEIGHTS))
    return one.levels[RAIN_SEED], *(
        each.levels[kind] for kind, each in zip((NETWORK, WEIGHTS), chosen, strict=True)
    )


def _mean(found: Sequence[_Found], row: MetricRow, is_level: bool) -> Number | None:
    """The mean over repeats, with an interval over images and every kind of repeat.

    A level has one where each of its repeats has.
    """
    if not found:
        return None
    mean = float(np.mean([each.value for each in found]))
    table, groups = _crossed(found), min(each.one.groups for each in found)
    ci = None
    if table is not None and not is_level:
        ci = Repeated.of(table).interval(groups)
    elif table is not None and all(each.one.record.ci is not None for each in found):
        ci = Repeated.of(table).level_interval(mean, groups, row.unit)
    return Number(mean, ci, len(found), groups, table)


def _crossed(found: Sequence[_Found]) -> NDArray[np.float64] | None:
    """An axis for each kind of repeat, then the draws; None where they are not all there."""
    drawn = {each.levels: each.draws for each in found if each.draws is not None}
    kinds = zip(*(each.levels for each in found), strict=True)
    axes = [list(dict.fromkeys(levels)) for levels in kinds]
    places = list(itertools.product(*axes))
    if len({each.one.sets for each in found}) > 1 or drawn.keys() != set(places):
        return None
    return np.stack([drawn[p] for p in places]).reshape(*map(len, axes), -1)
