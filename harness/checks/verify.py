"""Images of a finished run once more: does the results folder hold what comes out, all of it?"""

from __future__ import annotations

import csv
import io
import logging
import math
import random
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.checks.derived import require_derived
from harness.checks.runs import names_of
from harness.ledger.folder import CLOSE, load, read
from harness.plan.foreign_specs import spec_here
from harness.spec import UsageError
from reports.findings.effects import ROBUSTNESS
from reports.folder import RESULTS
from reports.results.record import Record
from reports.results.results import QUALITY, Results
from reports.results.written import parse
from reports.tables.by_image import by_image_csv, column
from reports.tables.csv import inert
from tasks import rows as tasks
from tasks.rows import TASKS

_log = logging.getLogger(__name__)

BOUND = {QUALITY: tasks.QUALITY.bound} | {name: row.scores.bound for name, row in TASKS.items()}
"""How far a number of one image may be off, by task; quality in dB or of a fraction."""
OF_SPREAD = 0.5
"""How far a number of the set may be off that has draws, in standard deviations of these: by more,
what chance leaves open is another. By `CLOSE` it may be whatever they are."""

Row = Mapping[str, str]
Draws = NDArray[np.float32]


@dataclass(frozen=True)
class Check:
    """One condition, recomputed."""

    rain: str
    derainer: str
    images: int
    same_pixels: int
    """Images that came out the same to the bit."""
    largest: dict[str, float]
    """Largest difference of a number of one image, by task and metric; where all images were
    recomputed, that of the numbers of the whole set, their intervals and draws too."""
    beyond: tuple[str, ...]
    """Those whose largest difference is beyond `BOUND`, or what there is of draws."""
    lacking: tuple[str, ...] = ()
    """What came out here and is not in the folder, in words."""

    @property
    def holds(self) -> bool:
        """Whether nothing is beyond its bound, or lacks."""
        return not (self.beyond or self.lacking)


class _Runs(NamedTuple):
    """What a folder says, and what came out here."""

    theirs: Results
    found: Results
    called: Mapping[str, str]
    """What the folder calls the derainers here."""

    def place(self, record: Record) -> tuple[str, str]:
        """Rain and derainer of a number that was found here, as the folder has them."""
        name = record.condition.name
        return record.rain, self.called.get(name, name)


def verify(
    folder: Path,
    changes: Mapping[str, Any],
    images: int | None = 16,
    progress: Any = None,
    allowed: Collection[str] = (),
) -> list[Check]:
    """Render, derain, predict and score some images again, and compare with what the folder says.

    What comes out must all be there: each condition, image and column. What follows from other
    numbers of the folder must be what follows.

    Args:
        folder: The ``--out`` folder of a run.
        changes: Fields of the spec that say where data and networks lie here.
        images: How many, drawn from those of the data set; None = all.
        progress: Told of every finished image.
        allowed: Words that may run code though the folder asks for it.

    Returns:
        A check per condition.

    Raises:
        UsageError: If the folder holds no such run, or more than is made here, or numbers that
            contradict each other, or its spec would run code that was not typed.
    """
    from harness.plan.data import open_dataset
    from harness.runs.engine import run

    theirs, rows = _read(folder)
    spec = spec_here(folder.name, theirs.spec, changes, allowed)
    failed = {error.sample for error in theirs.errors}
    known = [s.id for s in open_dataset(spec).samples if s.id not in failed]
    if failed:
        _log.warning("%d images failed there, and no number is of them", len(failed))
    # What an author can name beforehand he can try until it draws images that he did not forge.
    count = len(known) if images is None else min(images, len(known))
    chosen = random.SystemRandom().sample(known, count)
    with tempfile.TemporaryDirectory() as workspace:
        found = run(
            spec.model_copy(update={"workspace": workspace, "images": False}),
            progress=progress,
            only=set(chosen),
        )
    if found.errors:
        first = found.errors[0]
        raise UsageError(f"{first.sample} fails here ({first.stage}): {first.message}")
    checks = _compared(rows, known, _Runs(theirs, found, names_of(theirs, found)))
    if count < len(known):
        if all(check.holds for check in checks):
            require_derived(load(folder), rows)
        return checks
    whole = load(folder)
    _require_same_sets(whole, found)
    runs = _Runs(whole, found, names_of(whole, found))
    checks = [_with_set(check, runs) for check in checks]
    if all(check.holds for check in checks):
        require_derived(whole, rows)
    return checks


def _read(folder: Path) -> tuple[Results, list[Row]]:
    """``results.json`` and the lines of ``images.csv``."""
    held = read(folder, ("images.csv",))
    damaged = UsageError(f"{folder}: damaged results, or those of another version")
    try:
        results = parse(held[RESULTS].decode(), {})
        rows: list[Row] = list(csv.DictReader(io.StringIO(held["images.csv"].decode(), newline="")))
    except (ValueError, KeyError, TypeError, RecursionError, csv.Error) as error:
        raise damaged from error
    if rows and all(row.get("pixels") == "" for row in rows):
        raise UsageError(
            f"{folder} is of score, of what was made elsewhere: score the same files again and "
            "compare, regress OLD NEW"
        )
    named = all(r.get(k) for r in rows for k in ("image", "rain", "derainer", "pixels"))
    if not named or any(None in r or None in r.values() for r in rows):
        raise damaged
    if not rows:
        raise UsageError(
            f"{folder} holds no numbers of single images, as a page that was made of a results "
            "folder: nothing can be verified; name the folder that run wrote"
        )
    return results, rows


def _compared(rows: list[Row], known: Collection[str], runs: _Runs) -> list[Check]:
    """What the folder's lines and the new numbers have to do with each other, by condition."""
    places = {
        (inert(r.rain), inert(r.condition.name)): tuple(map(inert, runs.place(r)))
        for r in runs.found.records
    }
    again: dict[tuple[str, ...], dict[str, Row]] = {}
    for row in csv.DictReader(by_image_csv(runs.found).splitlines()):
        again.setdefault(places[row["rain"], row["derainer"]], {})[row["image"]] = row
    images = {inert(sample) for sample in known}
    held: dict[tuple[str, ...], dict[str, Row]] = {place: {} for place in again}
    for line in rows:
        lines = held.get((line["rain"], line["derainer"]))
        where = f"image {line['image']} under {line['rain']}, {line['derainer']}"
        if lines is None or line["image"] not in images:
            raise UsageError(f"{where} is not made here")
        if line["image"] in lines:
            raise UsageError(f"{where} stands there twice")
        lines[line["image"]] = line
    _require_made(runs, again)
    return [_check(place, lines, again[place], images, runs) for place, lines in held.items()]


def _require_made(runs: _Runs, places: Collection[tuple[str, ...]]) -> None:
    """Refuse numbers of conditions, tasks, networks or quality that the spec does not ask for."""
    theirs, found = runs.theirs, runs.found
    measured = {c.metric for c in found.by_image.values if c.task == QUALITY}
    judges = {(r.task, found.network_of(r)) for r in found.records}
    for r in theirs.records:
        if (inert(r.rain), inert(r.condition.name)) not in places:
            raise UsageError(f"{r.condition.name} under {r.rain} is not made here")
        is_made = (r.task, theirs.network_of(r)) in judges or r.task == ROBUSTNESS
        of = r.metric.partition("/")[0]  # a part of the set may have none of the images
        if not is_made or (r.task == QUALITY and measured.isdisjoint((r.metric, of))):
            raise UsageError(f"{r.metric} of {r.task} is not made here: the spec does not ask it")


def _check(
    place: tuple[str, ...],
    lines: Mapping[str, Row],
    again: Mapping[str, Row],
    images: Collection[str],
    runs: _Runs,
) -> Check:
    """One condition: its lines by image, and those that were made here."""
    rain, derainer = place
    pairs = [(lines[image], row) for image, row in again.items() if image in lines]
    columns = [m for m in _bounds(runs) if all(m in old for old, _ in pairs)]
    largest = {m: max((_off(old[m], new[m]) for old, new in pairs), default=0.0) for m in columns}
    lacking = [f"column {m}" for m in _required(runs) if m not in columns]
    if gone := len(images) - len(lines):
        lacking.append(f"{gone:,} of {len(images):,} images")
    return Check(
        rain,
        derainer,
        images=len(pairs),
        same_pixels=sum(old["pixels"] == new["pixels"] for old, new in pairs),
        largest=largest,
        beyond=tuple(m for m, off in largest.items() if not off <= _bounds(runs)[m]),
        lacking=tuple(lacking),
    )


def _bounds(runs: _Runs) -> dict[str, float]:
    """How far each column of single images may be off."""
    cells = runs.found.by_image.values
    return {column(runs.found, c.judge, c.metric): BOUND[c.task] for c in cells}


def _required(runs: _Runs) -> list[str]:
    """The columns that must be there: of metrics that the folder names, and each task's own.

    What a folder names no metric of, it has no number of either, as a frozen one of many.
    """
    named, found = runs.theirs.metrics, runs.found
    places = dict.fromkeys((c.judge, c.metric) for c in found.by_image.values)
    return [
        column(found, judge, metric)
        for judge, metric in places
        if not named or metric in named or metric == found.image_metric(judge.task)
    ]


def _require_same_sets(theirs: Results, found: Results) -> None:
    """Refuse a folder of other images, or of images that were resampled in other groups."""
    for name, what in (("data_fingerprint", "other images"), ("groups", "other groups of images")):
        there, here = getattr(theirs.provenance, name), getattr(found.provenance, name)
        if there != here:
            raise UsageError(f"the folder is of {what} ({name}): {there} there, {here} here")


def _with_set(check: Check, runs: _Runs) -> Check:
    """A check that holds the numbers of the whole set against each other too."""
    apart: dict[str, tuple[float, float]] = {}
    lacking = []
    for name, old, new in _of_set(check, runs):
        if old is None:
            lacking.append(name)
        elif new is None:
            raise UsageError(f"{name} under {check.rain}, {check.derainer} is not made here")
        else:
            apart |= _apart(name, old, new, runs)
    return replace(
        check,
        largest=check.largest | {what: off for what, (off, _) in apart.items()},
        beyond=(*check.beyond, *(what for what, (off, most) in apart.items() if not off <= most)),
        lacking=(*check.lacking, *lacking),
    )


def _apart(name: str, old: Record, new: Record, runs: _Runs) -> dict[str, tuple[float, float]]:
    """What is off of a number of the set, and how far each may be."""
    theirs, found = runs.theirs, runs.found
    drawn = _primary(found) | {(c.task, c.metric) for c in theirs.draws}
    a, b = theirs.draws.get(old.cell), found.draws.get(new.cell)
    by_draws = _draws_off(a, b) if (new.task, new.metric) in drawn else 0.0
    bound = _bound_of_set(new.task, b)
    # Its ends move by what draws do, and their deviation with them: by no more than four times it.
    by_ends = bound if a is None else min(bound, CLOSE + 4 * by_draws)
    off = {
        name: (_off(str(old.value), str(new.value)) if old.n == new.n else math.inf, bound),
        f"interval of {name}": (_interval_off(old, new), by_ends),
        f"draws of {name}": (by_draws, bound),
    }
    return {what: (by, most) for what, (by, most) in off.items() if by}


def _of_set(check: Check, runs: _Runs) -> Iterator[tuple[str, Record | None, Record | None]]:
    """The numbers of a condition, there and here, whatever the networks' files are called.

    A metric of which the folder has no number at all it does not speak of, but for those on which
    verdicts are given.
    """
    theirs, found = runs.theirs, runs.found
    here = check.rain, check.derainer
    spoken = _primary(found) | {(r.task, r.metric) for r in theirs.records}
    old = {
        (r.task, r.metric, theirs.network_of(r)): r
        for r in theirs.records
        if (inert(r.rain), inert(r.condition.name)) == here
    }
    new = {
        (r.task, r.metric, found.network_of(r)): r
        for r in found.records
        if tuple(map(inert, runs.place(r))) == here and (r.task, r.metric) in spoken
    }
    for place in dict.fromkeys((*new, *old)):
        # What follows from other numbers is off as they are.
        if place[0] != ROBUSTNESS:
            a, b = old.get(place), new.get(place)
            run, record = (theirs, a) if b is None else (found, b)
            assert record is not None
            yield f"{column(run, record.judge, record.metric)} of the set", a, b


def _primary(run: Results) -> set[tuple[str, str | None]]:
    """The metrics on which verdicts are given, by task."""
    return {(task, run.primary(task)) for task in run.tasks}


def _bound_of_set(task: str, draws: Draws | None) -> float:
    """How far a number of the set may be off, by the draws of it that were made here."""
    if draws is None:
        return BOUND[task]
    defined = draws[np.isfinite(draws)].astype(np.float64)
    spread = float(defined.std()) if defined.size else 0.0
    return min(BOUND[task], max(CLOSE, OF_SPREAD * spread))


def _interval_off(old: Record, new: Record) -> float:
    """How far the ends of an interval are off; infinite where only one of the two has one."""
    if old.ci is None or new.ci is None:
        return 0.0 if old.ci is new.ci else math.inf
    return max(abs(a - b) for a, b in zip(old.ci, new.ci, strict=True))


def _draws_off(old: Draws | None, new: Draws | None) -> float:
    """How far draws are off at most; infinite where only one has them, or others in number."""
    if old is None or new is None or old.shape != new.shape:
        return 0.0 if old is new else math.inf
    same = (old == new) | (np.isnan(old) & np.isnan(new))
    with np.errstate(invalid="ignore"):
        off = np.where(same, 0.0, np.abs(old.astype(np.float64) - new))
    return float(np.nan_to_num(off, nan=math.inf, posinf=math.inf).max(initial=0.0))


def _off(old: str, new: str) -> float:
    """Difference of two numbers as written; infinite where only one is defined."""
    if old == new:
        return 0.0
    try:
        value = abs(float(old) - float(new))
    except ValueError:
        return math.inf
    return math.inf if math.isnan(value) else value
