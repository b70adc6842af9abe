"""Numbers that were found several times: under several rains of one kind, by several trainings.

Intervals over images alone say what other images would give. Where the trainings of a derainer, or
the seeds of a rain, were drawn as well, a second interval is over images x seeds x trainings.

How far the scores of single images under one seed agree with those under another is their
reliability: a measure that knows nothing of the seed reaches at most about its square root.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reports.findings.correlations import within
from reports.findings.over_repeats import Repeated
from reports.results.intervals import bounded_interval, level_interval
from reports.results.made import Made, apart, made_by
from reports.results.metrics import MetricRow
from reports.results.record import methods
from reports.results.results import QUALITY

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import ByImage, Results


class Place(NamedTuple):
    """What was found several times."""

    data: str
    rain: str
    derainer: str
    """Without the digests of its weights; ``identity`` for the images as they are."""
    task: str
    network: str | None
    metric: str


class Repeat(NamedTuple):
    """A number over its seeds of the rain and its trainings, every one with every other."""

    place: Place
    row: MetricRow
    seeds: int
    trainings: int
    mean: float
    over_seeds: float | None
    """Standard deviation of the means over trainings; None of one seed."""
    over_trainings: float | None
    """Standard deviation of the means over seeds; None of one training."""
    ci: tuple[float, float] | None
    """95 % interval of the mean, over images alone."""
    both_ci: tuple[float, float] | None
    """The same over images, seeds and trainings."""
    runs: tuple[str, ...]
    """Those that it was found in."""
    records: tuple[Record, ...]
    """The numbers that it is the mean of."""


class _One(NamedTuple):
    """One number and where it was found."""

    record: Record
    run: Results

    @property
    def made(self) -> Made:
        """What made it."""
        return made_by(self.run, self.record)


_Ones = dict[tuple[int | None, str | None], _One]
"""Numbers of one place by seed and weights."""


def repeats(runs: Sequence[Results]) -> list[Repeat]:
    """Each task's primary metric of every condition that was found twice on the same images.

    A mean has intervals where each of its numbers has one. What is called alike and is of other
    code, labels, networks or rains (`apart`) is no repeat.

    Args:
        runs: Newest first: of two alike the first counts.
    """
    called = methods(r for run in runs for r in run.records)
    found: dict[tuple[Place, str | None], list[_Ones]] = {}
    for run in runs:
        images = run.provenance.data_fingerprint
        for r in run.records:
            if r.metric != run.primary(r.task) or r.value is None or r.stage is not None:
                continue
            data = f"{r.dataset} {r.split}"
            place = Place(data, r.rain, called(r), r.task, r.model, r.metric)
            seed = None if r.condition.is_dry else r.seed
            _add(found.setdefault((place, images), []), (seed, r.weights), _One(r, run))
    made = ((place, _crossed(of)) for (place, _), several in found.items() for of in several)
    return [_repeat(place, table) for place, table in made if sum(map(len, table)) > 1]


def _add(several: list[_Ones], at: tuple[int | None, str | None], one: _One) -> None:
    """Put a number beside those that were made as it was."""
    made = one.made
    for ones in several:
        if not any(apart(made, other.made) for other in ones.values()):
            ones.setdefault(at, one)
            return
    several.append({at: one})


def _crossed(ones: Mapping[tuple[int | None, str | None], _One]) -> list[list[_One]]:
    """By seed, of each training: the seeds that every training was found under.

    Where there is none, the trainings of the seed that has most.
    """
    seeds, weights = (list(dict.fromkeys(words)) for words in zip(*ones, strict=True))
    shared = [s for s in seeds if all((s, w) in ones for w in weights)]
    if not shared:
        shared = [max(seeds, key=lambda s: sum((s, w) in ones for w in weights))]
        weights = [w for w in weights if (shared[0], w) in ones]
    return [[ones[s, w] for w in weights] for s in shared]


def _repeat(place: Place, table: Sequence[Sequence[_One]]) -> Repeat:
    ones = [one for row in table for one in row]
    seeds, trainings = len(table), len(table[0])
    values = np.array([one.record.value for one in ones], np.float64).reshape(seeds, trainings)
    drawn = [one.run.draws.get(one.record.cell) for one in ones]
    sets = {one.run.sets for one in ones}
    groups = min(one.run.groups(one.record) for one in ones)
    mean = float(values.mean())
    ci = both = None
    is_level = all(one.record.ci is not None for one in ones)
    if is_level and len(sets) == 1 and all(d is not None for d in drawn):
        draws = np.stack([d for d in drawn if d is not None]).astype(np.float64)
        ci = level_interval(draws.mean(0), mean, groups)
        repeated = Repeated.of(draws.reshape(seeds, trainings, -1))
        both = repeated.level_interval(mean, groups, ones[0].run.metrics[place.metric].unit)
    return Repeat(
        place=place,
        row=ones[0].run.metrics[place.metric],
        seeds=seeds,
        trainings=trainings,
        mean=mean,
        over_seeds=float(values.mean(1).std(ddof=1)) if seeds > 1 else None,
        over_trainings=float(values.mean(0).std(ddof=1)) if trainings > 1 else None,
        ci=ci,
        both_ci=both,
        runs=tuple(dict.fromkeys(one.run.run for one in ones)),
        records=tuple(one.record for one in ones),
    )


DRAWS = 2000


class Score(NamedTuple):
    """What was scored under several seeds."""

    data: str
    rain: str
    task: str
    network: str | None
    metric: str


class Reliability(NamedTuple):
    """Spearman's correlation, within an image across derainers, of scores under two seeds."""

    place: Score
    value: float
    """Mean over the images, and over the pairs of seeds."""
    ci: tuple[float, float] | None
    """95 % interval over resampled images."""
    seeds: int
    among: int
    """Derainers, the rainy input among them."""
    images: int


def reliabilities(runs: Sequence[Results]) -> list[Reliability]:
    """Of every rain and task that several runs of the same images scored under other seeds.

    Args:
        runs: With the numbers of their single images; others are left out. Newest first: of two
            alike the first counts.
    """
    found: dict[tuple[Score, Any], list[_Scores]] = {}
    images: dict[Any, ByImage] = {}
    for run in runs:
        same = run.by_image.samples, run.by_image.units
        images.setdefault(same, run.by_image)
        records = {(r.condition, r.judge): r for r in run.records}
        for cell, values in run.by_image.values.items():
            condition, task = cell.condition, cell.task
            is_score = task != QUALITY and cell.metric == run.image_metric(task)
            if is_score and not condition.is_dry and condition.stage is None:
                data = f"{condition.data.name} {condition.data.split}"
                place = Score(data, condition.rain, task, cell.network, cell.metric)
                record = records.get((condition, cell.judge))
                made = None if record is None else made_by(run, record)
                groups = found.setdefault((place, same), [])
                seeds = _group(groups, condition.derainer, made).setdefault(condition.seed, {})
                seeds.setdefault(condition.derainer, _Scored(values, made))
    every = (
        _reliability(place, images[same], seeds)
        for (place, same), groups in found.items()
        for seeds in groups
    )
    return [one for one in every if one is not None]


class _Scored(NamedTuple):
    """The scores of single images of one derainer under one seed."""

    values: NDArray[np.float32]
    made: Made | None
    """What made them; None where it is not known."""


_Scores = dict[int, dict[str, _Scored]]
"""By seed and derainer."""


def _group(groups: list[_Scores], derainer: str, made: Made | None) -> _Scores:
    """The scores that were made as one of a derainer was, but for the code of other derainers."""
    for group in groups:
        known = ((name, one.made) for of in group.values() for name, one in of.items())
        differing = {
            (what, name)
            for name, other in known
            if made is not None and other is not None
            for what in apart(made, other)
        }
        if all(what == "derainer" and name != derainer for what, name in differing):
            return group
    groups.append({})
    return groups[-1]


def _reliability(place: Score, images: ByImage, seeds: _Scores) -> Reliability | None:
    """None of one seed, and of too few derainers."""
    if len(seeds) < 2:
        return None
    names = sorted(set.intersection(*(set(of) for of in seeds.values())))
    units, member = np.unique(np.array(images.units), return_inverse=True)
    rng = np.random.default_rng(0)
    share = np.full(len(units), 1 / len(units))
    counts = rng.multinomial(len(units), share, size=DRAWS)[:, member]
    every = [
        within([(a[n].values, b[n].values) for n in names], counts)
        for a, b in combinations(seeds.values(), 2)
    ]
    pairs = [each for each in every if each is not None]
    if len(pairs) < len(every):
        return None
    groups = min(len(np.unique(member[pair.some])) for pair in pairs)
    ci = bounded_interval(np.mean([pair.draws for pair in pairs], 0), groups)
    value = float(np.mean([pair.value for pair in pairs]))
    told = min(int(pair.some.sum()) for pair in pairs)
    return Reliability(place, value, ci, len(seeds), len(names), told)
