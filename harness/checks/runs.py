"""One results folder against another: did a derainer get worse?"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.spec import UsageError, known
from reports.results.intervals import FEWEST, interval
from reports.results.record import Record
from reports.results.results import Results
from reports.results.said import failures_of
from reports.results.two_runs import Place, matched, placed, unclear

Verdict = Literal["worse", "better", "equivalent", "inconclusive", "missing"]
Outcome = Literal["passed", "failed", "undecided"]
Required = Literal["equivalent", "not-worse"]

TOLERANCE = {"dB": 0.1, "fraction": 0.005, "score": 0.05}
"""Differences that do not matter, by unit, where none is given."""
SAME = {
    "data_fingerprint": "the images",
    "labels": "the labels",
    "rains": "the rains",
    "models": "the task networks",
    "metric_versions": "how scores are computed",
}
"""What both runs must share, by its name in the provenance."""
INSTEAD = {
    "models": "this judges derainers behind one and the same; `report A B` compares two networks"
}
"""What compares runs that do not share it."""
IDENTICAL = "in one of the runs all images equal their reference, and no PSNR is above that"
"""Why a number has no interval though it is worse or better."""
MAY_BE_UNKNOWN = {"labels", "rains", "models"}
"""What nobody knows of restored images and predictions that were made elsewhere."""


@dataclass(frozen=True)
class CellVerdict:
    """What became of one number."""

    rain: str
    derainer: str
    """Without the digest of its weights, which may have changed, but where the old run has several
    trainings of it."""
    task: str
    metric: str
    verdict: Verdict
    unit: str
    tolerance: float
    old: float | None
    new: float | None
    interval: tuple[float, float] | None
    """95 % interval of new − old over the same resampled images."""
    needed: int | None = None
    """Images with which an inconclusive difference of this size would be decided."""
    network: str | None = None
    """The task network's name where the task has several."""
    why: str | None = None
    """Why there is no interval, where more images would give none either."""

    @property
    def words(self) -> tuple[str, ...]:
        """The number's place."""
        network = () if self.network is None else (self.network,)
        return self.rain, self.derainer, self.task, *network, self.metric

    @property
    def cell(self) -> str:
        """The number's place on a line."""
        return "|".join(self.words)

    @property
    def difference(self) -> float | None:
        """New − old."""
        return None if self.old is None or self.new is None else self.new - self.old


def compare(
    old: Results,
    new: Results,
    tolerances: Mapping[str, float] | None = None,
    guard: Sequence[str] = (),
) -> list[CellVerdict]:
    """Judge every number that both runs should have.

    Args:
        old: The baseline.
        new: What is judged.
        tolerances: By metric, in its unit; else `TOLERANCE`.
        guard: More metrics to compare, such as ``ap/person`` or ``ap_pooled/weather=rainy``.

    Raises:
        UsageError: If the two are of other data, rain, task networks or metrics, or hold nothing
            to judge; if which derainer of one is which of the other nobody can tell; and for a
            metric that is not judged.
    """
    _require_same(old, new)
    _require_guarded(old, guard)
    wanted = {name for name, row in old.metrics.items() if row.is_judged} | set(guard)
    judged = [r for r in old.records if r.metric in wanted and _has_value(r)]
    if not judged:
        raise UsageError("the old run has no number that is judged: name some with --guard")
    given = tolerances or {}
    _require_judged(old, given, dict.fromkeys(r.metric for r in judged))
    names_of(old, new)
    place_of, shown = placed(old, new), _shown(old)
    theirs = {place_of(r): r for r in new.records}
    found = []
    for record in judged:
        margin = given.get(record.metric, TOLERANCE[record.unit])
        place = place_of(record)
        pair = record, theirs.get(place)
        found.append(_judged(old, new, (place[0], shown[place[1]], *place[2:]), pair, margin))
    return found


def judge(
    difference: float, ci: tuple[float, float] | None, margin: float, n: int
) -> tuple[Verdict, int | None]:
    """Verdict on a difference of which more is better, and the images that would decide it.

    Without an interval the difference alone is judged: beyond the margin it counts, and within it
    only no difference at all is known to be none.
    """
    if ci is None:
        if abs(difference) > margin:
            return ("worse" if difference < 0 else "better"), None
        return ("equivalent" if difference == 0 else "inconclusive"), None
    low, high = ci
    if high < -margin:
        return "worse", None
    if low > margin:
        return "better", None
    if -margin <= low and high <= margin:
        return "equivalent", None
    room, half = abs(abs(difference) - margin), (high - low) / 2
    return "inconclusive", math.ceil(n * (half / room) ** 2) if room else None


def counted(verdict: Verdict, required: Required | None = None) -> Outcome:
    """What a verdict is to a test.

    Args:
        verdict: The verdict.
        required: With ``equivalent`` an inconclusive number fails, with ``not-worse`` it passes.
    """
    if verdict in ("worse", "missing"):
        return "failed"
    if verdict != "inconclusive":
        return "passed"
    if required is None:
        return "undecided"
    return "failed" if required == "equivalent" else "passed"


def outcome(found: Sequence[CellVerdict], required: Required | None = None) -> Outcome:
    """What all verdicts together are: failed where one failed, else undecided where one is."""
    seen = {counted(v.verdict, required) for v in found}
    return "failed" if "failed" in seen else "undecided" if "undecided" in seen else "passed"


def _has_value(record: Record) -> bool:
    """Whether a number can become worse; inputs that equal their reference are the same images."""
    return record.value is not None or (record.is_identical and not record.condition.is_input)


def _judged(
    old: Results, new: Results, place: Place, pair: tuple[Record, Record | None], margin: float
) -> CellVerdict:
    """Judge a number of the old run by that of the new one in its place."""
    rain, derainer, task, metric, network = place
    words = rain, derainer, task, metric
    before, after = pair
    unit = before.unit
    if after is None or not (after.is_identical or after.value is not None):
        return CellVerdict(
            *words, "missing", unit, margin, before.value, None, None, network=network
        )
    if before.value is None or after.value is None:
        values, why = (
            (before.value, after.value),
            IDENTICAL if before.value != after.value else None,
        )
        said: Verdict = "equivalent" if why is None else "better" if after.is_identical else "worse"
        return CellVerdict(*words, said, unit, margin, *values, None, network=network, why=why)
    ci, why = _interval(old, new, before, after)
    sign = 1 if old.metrics[before.metric].higher_is_better else -1
    signed = None if ci is None else (min(sign * e for e in ci), max(sign * e for e in ci))
    verdict, needed = judge(sign * (after.value - before.value), signed, margin, before.n)
    if why is not None and after.value != before.value:
        verdict = "inconclusive"
    return CellVerdict(
        *words, verdict, unit, margin, before.value, after.value, ci, needed, network, why
    )


def _interval(
    old: Results, new: Results, before: Record, after: Record
) -> tuple[tuple[float, float] | None, str | None]:
    """The interval of new − old, or why there is none that more images would give."""
    if old.left_out(before) != new.left_out(after):
        return None, (
            "the two means are of other images: those that equal their reference, or have no "
            "value, are left out"
        )
    a, b = old.draws.get(before.cell), new.draws.get(after.cell)
    groups = min(old.groups(before), new.groups(after))
    if a is None or b is None or groups < FEWEST:
        return None, None
    if a.shape != b.shape:
        # Sets are drawn from a seed that holds their number: not one is in both runs.
        return None, (
            f"the runs have {len(a):,} and {len(b):,} resampled sets, as those of more derainers "
            "have: run both with as many"
        )
    return interval(b.astype(np.float64) - a, groups), None


def names_of(old: Results, new: Results) -> dict[str, str]:
    """As `matched`.

    Raises:
        UsageError: If several trainings of a derainer are left, so that nobody can match them.
    """
    for method, was, now in unclear(old, new):
        raise UsageError(
            f"nobody can tell which is which: {method} is {', '.join(was)} in one run and "
            f"{', '.join(now)} in the other: run one of them with the other's names, "
            "--derainer NAME=WORD"
        )
    return matched(old, new)


def _shown(run: Results) -> dict[str, str]:
    """What verdicts call the derainers of a run, see `CellVerdict.derainer`."""
    methods = {r.condition.name: r.method for r in run.records}
    times = Counter(methods.values())
    return {name: m if times[m] == 1 else name for name, m in methods.items()}


def _require_guarded(old: Results, guard: Sequence[str]) -> None:
    """Refuse a metric to guard of which the old run has no value."""
    whys = {r.metric: r.why for r in old.records}
    held = {r.metric for r in old.records if r.value is not None}
    for name in guard:
        if name not in whys:
            raise UsageError(f"--guard {name}: the old run has no such number")
        if name not in held:
            raise UsageError(
                f"--guard {name}: the old run has no value of it ({whys[name] or 'not measured'}), "
                "so that nothing can be worse: leave it out, or take an old run that has one"
            )


def _require_judged(old: Results, tolerances: Iterable[str], judged: Collection[str]) -> None:
    """Refuse a tolerance of a metric that is not judged."""
    held = {r.metric for r in old.records}
    for name in tolerances:
        if name in held and name not in judged:
            raise UsageError(f"--tolerance {name}: it is not judged: add --guard {name}")
        known(name, judged, "metric in --tolerance")


def _require_same(old: Results, new: Results) -> None:
    """Refuse runs whose numbers cannot be compared: what one of them knows both must share."""
    for name, what in SAME.items():
        theirs, ours = getattr(old.provenance, name), getattr(new.provenance, name)
        if theirs is None and ours is None and name not in MAY_BE_UNKNOWN:
            raise UsageError(f"the two runs do not say {what} ({name}): make them again to compare")
        if not _agree(theirs, ours, _words(old) & _words(new)):
            remedy = INSTEAD.get(name, "they cannot be compared")
            failed = failures_of({"in the old one": old.errors, "in the new one": new.errors})
            if name == "data_fingerprint" and failed:
                remedy = f"{failed}: mend that and run again, what failed is in no number"
            raise UsageError(f"the two runs differ in {what} ({name}): {remedy}")
    ours, theirs = new.resampled, old.resampled
    if ours != theirs:
        raise UsageError(
            f"the two runs were resampled in {theirs:,} and {ours:,} groups of images: make "
            "the old one again to compare"
        )
    seeds = old.spec.get("seed"), new.spec.get("seed")
    if seeds[0] != seeds[1]:
        raise UsageError(f"the two runs have rain of seeds {seeds[0]} and {seeds[1]}")


def _words(run: Results) -> set[str]:
    """The tasks, rains and metrics that a run has numbers of."""
    return {word for r in run.records for word in (r.task, r.rain, r.metric)}


def _agree(theirs: Any, ours: Any, shared: set[str]) -> bool:
    """Whether two runs say the same of all that both have numbers of."""
    if not isinstance(theirs, Mapping) or not isinstance(ours, Mapping):
        return bool(theirs == ours)
    of_both = theirs.keys() & ours.keys() | shared & (theirs.keys() | ours.keys())
    return all(theirs.get(word) == ours.get(word) for word in of_both)


def as_json(found: Sequence[CellVerdict]) -> str:
    """All verdicts as strict JSON."""
    rows: list[dict[str, Any]] = [
        {"cell": v.cell, **vars(v), "interval": None if v.interval is None else list(v.interval)}
        for v in found
    ]
    return json.dumps(rows, indent=1, allow_nan=False)
