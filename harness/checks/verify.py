"""Some images of a finished run once more: does the results folder hold what comes out?"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.ledger.folder import read
from harness.plan.foreign_specs import spec_again
from harness.spec import UsageError
from reports.folder import RESULTS
from reports.results.results import QUALITY, Results
from reports.results.written import parse
from reports.tables.by_image import by_image_csv, column
from reports.tables.csv import inert
from tasks import rows as tasks
from tasks.rows import TASKS

BOUND = {QUALITY: tasks.QUALITY.bound} | {name: row.scores.bound for name, row in TASKS.items()}
"""How far a number of one image may be off, by task; quality in dB or of a fraction."""

Row = Mapping[str, str]


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
    recomputed, that of the number of the whole set too."""
    beyond: tuple[str, ...]
    """Metrics whose largest difference is beyond `BOUND`."""

    @property
    def holds(self) -> bool:
        """Whether nothing is beyond its bound."""
        return not self.beyond


def verify(
    folder: Path,
    changes: Mapping[str, Any],
    images: int | None = 16,
    progress: Any = None,
    allowed: Collection[str] = (),
) -> list[Check]:
    """Render, derain, predict and score some images again, and compare with what the folder says.

    Args:
        folder: The ``--out`` folder of a run.
        changes: Fields of the spec that say where data and networks lie here.
        images: How many; drawn by the run's digest, so that nobody can choose them. None = all.
        progress: Told of every finished image.
        allowed: Words that may run code though the folder asks for it.

    Returns:
        A check per condition.

    Raises:
        UsageError: If the folder holds no such run, or its spec would run code that was not typed.
    """
    from harness.runs.engine import run

    theirs, rows = _read(folder)
    spec = spec_again(folder.name, theirs.spec, changes, allowed)
    known = list(dict.fromkeys(row["image"] for row in rows))
    order = sorted(known, key=lambda i: hashlib.sha256(f"{theirs.run}|{i}".encode()).digest())
    chosen = set(order[: images or len(order)])
    with tempfile.TemporaryDirectory() as workspace:
        found = run(
            spec.model_copy(update={"workspace": workspace, "images": False}),
            progress=progress,
            only={i.removeprefix("'") for i in chosen} | chosen,
        )
    if found.errors:
        first = found.errors[0]
        raise UsageError(f"{first.sample} fails here ({first.stage}): {first.message}")
    checks = _compared([row for row in rows if row["image"] in chosen], theirs, found)
    return [_with_set(c, theirs, found) for c in checks] if len(chosen) == len(known) else checks


def _read(folder: Path) -> tuple[Results, list[Row]]:
    """``results.json`` and the lines of ``images.csv``."""
    held = read(folder, ("images.csv",))
    try:
        results = parse(held[RESULTS].decode(), {})
        rows: list[Row] = list(csv.DictReader(io.StringIO(held["images.csv"].decode(), newline="")))
        if not all(r.get(k) for r in rows for k in ("image", "rain", "derainer", "pixels")):
            raise ValueError
        if any(None in r or None in r.values() for r in rows):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError, csv.Error) as error:
        raise UsageError(f"{folder}: damaged results, or those of another version") from error
    return results, rows


def _compared(rows: list[Row], theirs: Results, found: Results) -> list[Check]:
    """What the folder's lines and the new numbers have to do with each other."""
    methods, ours = _methods(theirs), _methods(found)
    cells = [(cell.judge, cell.metric) for cell in found.by_image.values]
    bounds = {column(found, judge, metric): BOUND[judge.task] for judge, metric in cells}
    again = {
        (r["image"], r["rain"], ours.get(r["derainer"], r["derainer"])): r
        for r in csv.DictReader(by_image_csv(found).splitlines())
    }
    checks: dict[tuple[str, str], list[tuple[Row, Row]]] = {}
    for row in rows:
        derainer = methods.get(row["derainer"], row["derainer"])
        new = again.get((row["image"], row["rain"], derainer))
        if new is None:
            raise UsageError(
                f"image {row['image']} under {row['rain']}, {derainer} is not made here"
            )
        checks.setdefault((row["rain"], row["derainer"]), []).append((row, new))
    made = []
    for (rain, derainer), pairs in checks.items():
        metrics = [m for m in bounds if m in pairs[0][0]]
        largest = {m: max(_off(old[m], new[m]) for old, new in pairs) for m in metrics}
        beyond = tuple(m for m, v in largest.items() if not v <= bounds[m])
        same = sum(old["pixels"] == new["pixels"] for old, new in pairs)
        made.append(Check(rain, derainer, len(pairs), same, largest, beyond))
    return made


def _with_set(check: Check, theirs: Results, found: Results) -> Check:
    """A check that holds the numbers of the whole set against each other too."""
    again = {(r.rain, r.method, r.stage, r.judge, r.metric): r.value for r in found.records}
    apart = {}
    for r in theirs.records:
        place = (r.rain, r.method, r.stage, r.judge, r.metric)
        is_here = (inert(r.rain), inert(r.condition.name)) == (check.rain, check.derainer)
        if is_here and r.task in BOUND and place in again:
            off = _off(str(r.value), str(again[place]))
            if off:
                apart[f"{column(theirs, r.judge, r.metric)} of the set"] = off, BOUND[r.task]
    beyond = tuple(name for name, (off, bound) in apart.items() if not off <= bound)
    largest = check.largest | {name: off for name, (off, _) in apart.items()}
    return replace(check, largest=largest, beyond=(*check.beyond, *beyond))


def _methods(results: Results) -> dict[str, str]:
    """Each derainer without the digest of its weights, by its name in ``images.csv``."""
    return {inert(r.condition.name): r.method for r in results.records}


def _off(old: str, new: str) -> float:
    """Difference of two numbers as written; infinite where only one is defined."""
    if old == new:
        return 0.0
    try:
        value = abs(float(old) - float(new))
    except ValueError:
        return math.inf
    return math.inf if math.isnan(value) else value
