"""The derainers of finished runs beside those of another, where all are of one benchmark."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reports.findings.effects import ROBUSTNESS
from reports.findings.robustness import with_robustness
from reports.results.cell import IDENTITY
from reports.results.said import failures, failures_of, image_count

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results

APART = {"fraction": 0.002, "dB": 0.02, "score": 0.02}
"""How far inputs may differ between two machines before they are not the same, by unit."""


def beside(mine: Results, kept: Results) -> Results:
    """One run with the derainers of both.

    Both resampled the same images in the same way, so that their draws are paired whoever made
    them. Inputs are mine; what both name alike is mine.

    Args:
        mine: A run.
        kept: The run to set beside it, of the same images, labels, networks, rains and seed; other
            rains, tasks and networks of it are left out.

    Raises:
        ValueError: If they are no runs of one benchmark, with the first thing in which they differ.
    """
    _require_alike(mine, kept)
    own = {r.condition.derainer for r in mine.records}
    rains = {r.rain for r in mine.records}
    networks = {r.model for r in mine.records}
    added = [
        r
        for r in kept.records
        if r.derainer not in own
        and r.rain in rains
        and r.model in networks
        and r.task != ROBUSTNESS
    ]
    if not added:
        raise ValueError("the other run holds no derainer under these rains that this one lacks")
    places = {r.cell for r in added}
    conditions = {r.condition for r in added}
    names = dict.fromkeys(r.derainer for r in added)
    told = mine.provenance
    code = {**(kept.provenance.code or {}), **(told.code or {})}
    weights = tuple(dict.fromkeys((*told.weights, *kept.provenance.weights)))
    note = f"beside this run stand, from run {kept.run[:12]}: {', '.join(names)}"
    if (there := machine(kept)) != machine(mine):
        note += f"; their seconds are of another machine, {there}, and do not compare"
    gates = {name: behind for name, behind in kept.provenance.gates.items() if name in names}
    both = replace(
        mine,
        records=[*mine.records, *added],
        draws=mine.draws | {cell: d for cell, d in kept.draws.items() if cell in places},
        gaps={**mine.gaps, **{r.cell: kept.left_out(r) for r in added}},
        cost=[*mine.cost, *(c for c in kept.cost if c.condition in conditions)],
        metrics=kept.metrics | mine.metrics,
        provenance=replace(
            told,
            code=code or None,
            weights=weights,
            gates=gates | {**told.gates},
            doubts=tuple(dict.fromkeys((*told.doubts, *kept.provenance.doubts))),
            data_notes=(*told.data_notes, note),
        ),
    )
    # What follows from verdicts follows from those among all rows.
    is_derived = any(r.task == ROBUSTNESS for r in mine.records)
    return with_robustness(both) if is_derived else both


def on_board(kept: Results, submissions: Mapping[str, Results]) -> Results:
    """A frozen run with the derainers of others, each judged among all.

    Args:
        kept: The frozen run; inputs are its own.
        submissions: Runs of the same benchmark by where they are from.

    Raises:
        ValueError: If one is of another benchmark or lacks a part of it, or if two rows are called
            alike, with the submission's place.
    """
    both, taken = kept, dict.fromkeys((*rows_of(kept), IDENTITY), "the benchmark itself")
    for place, run in submissions.items():
        try:
            _require_no_failures(run)
            _require_alike(kept, run)
            _require_whole(kept, run)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error
        for name in rows_of(run):
            if name in taken:
                raise ValueError(
                    f"{place}: {taken[name]} has a row {name}: run it again under another name, "
                    "--derainer NAME=WORD, which computes nothing anew in its workspace"
                )
            taken[name] = place
        places = {(r.rain, r.judge, r.metric) for r in kept.records}
        held = [r for r in run.records if (r.rain, r.judge, r.metric) in places and not r.stage]
        both = beside(both, replace(run, records=held))
    return both


def rows_of(results: Results) -> list[str]:
    """The derainers of a run."""
    names = dict.fromkeys(r.derainer for r in results.records if r.condition.is_restored)
    return list(names)


def machine(results: Results) -> str:
    """What a run's seconds are of, in words."""
    told = results.provenance
    return told.accelerator or told.processor or "unknown"


def _require_no_failures(run: Results) -> None:
    """Refuse a run of which images failed, which are left out of all its numbers."""
    if run.errors:
        raise ValueError(failures(run.errors))


def _require_whole(kept: Results, run: Results) -> None:
    """Refuse a submission that lacks a number on which the benchmark judges."""
    told = _digests(run)
    for what, named in _digests(kept).items():
        lacking = next((name for name in named if name not in told[what]), None)
        if lacking is not None:
            raise ValueError(f"it does not say which {what} of {lacking} it is of")
    names = rows_of(run)
    if not names:
        raise ValueError("no row of a derainer")
    judged = {judge: kept.primary(judge.task) for judge in kept.judges}
    wanted = [r for r in kept.records if r.derainer == IDENTITY and r.metric == judged.get(r.judge)]
    held = {r.cell: r for r in run.records}
    for record, name in itertools.product(wanted, (IDENTITY, *names)):
        cell = replace(record.cell, condition=replace(record.condition, derainer=name))
        found = held.get(cell)
        if found is None or found.n != record.n:
            place = f"{record.metric} of {name} under {record.rain}, seed {record.seed}"
            raise ValueError(f"no {place}, over {record.n:,} images of {record.dataset}")
        if found.value is not None and cell not in run.draws:
            raise ValueError(f"no draws of {record.metric} of {name} under {record.rain}")


def _require_alike(mine: Results, kept: Results) -> None:
    """Refuse runs whose draws are not paired, or whose inputs are not the same."""
    a, b = mine.provenance, kept.provenance
    if a.data_fingerprint is None or a.data_fingerprint != b.data_fingerprint:
        failed = failures_of({"here": mine.errors, "there": kept.errors})
        why = f": {failed}" if failed else ""
        raise ValueError(f"other images: {_of(mine)} here, {_of(kept)} there{why}")
    if a.groups != b.groups:
        raise ValueError(f"other groups: {a.groups} were resampled here, {b.groups} there")
    there = _digests(kept)
    for what, named in _digests(mine).items():
        _require_equal(what, named, there[what])
    drawn = [{len(d) for d in run.draws.values()} for run in (mine, kept)]
    if all(drawn) and drawn[0] != drawn[1]:
        raise ValueError(
            f"other resampled sets: {max(drawn[0]):,} here, {max(drawn[1]):,} there, as runs of "
            "many derainers have: run fewer of them at a time"
        )
    before = {(r.rain, r.judge, r.metric): r for r in kept.records if r.derainer == IDENTITY}
    shared = 0
    for record in mine.records:
        other = before.get((record.rain, record.judge, record.metric))
        if record.derainer == IDENTITY and other is not None:
            shared += 1
            _require_near(record, other)
    if not shared:
        raise ValueError("no rain, task and network that both runs hold")


def _digests(results: Results) -> dict[str, Mapping[str, Any]]:
    """What must be alike, by what it is and its name."""
    told = results.provenance
    return {
        "labels": told.labels or {},
        "network": _networks(results),
        "rain": told.rains or {},
        "version": told.metric_versions or {},
    }


def _networks(results: Results) -> dict[str, str]:
    """The weights of the task networks, by task and name."""
    told = results.provenance.trainings
    return {f"{task} by {name}": t.sha256 for task, of in told.items() for name, t in of.items()}


def _require_equal(what: str, here: Mapping[str, Any], there: Mapping[str, Any]) -> None:
    for name in here.keys() & there.keys():
        if here[name] != there[name]:
            raise ValueError(f"another {what} of {name}: {here[name]} here, {there[name]} there")


def _require_near(here: Record, there: Record) -> None:
    """Refuse inputs that two machines alone would not tell apart."""
    if here.seed != there.seed:
        raise ValueError(f"another seed of the rain: {here.seed} here, {there.seed} there")
    if here.value is None or there.value is None:
        return
    apart = abs(here.value - there.value)
    if apart > APART.get(here.unit, APART["score"]):
        raise ValueError(
            f"another input: {here.metric} of {here.rain} without a derainer is {here.value:.4f} "
            f"here, {there.value:.4f} there"
        )


def _of(results: Results) -> str:
    n = image_count(max((r.n for r in results.records), default=0))
    data = dict.fromkeys(f"{r.dataset} {r.split}" for r in results.records)
    return f"{' and '.join(data)}, {n}"
