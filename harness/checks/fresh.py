"""A run computed anew beside its ledger: does the ledger hold what comes out?"""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from harness.ledger.ledger import Ledger, opened
from harness.plan.plan import ConditionPlan, Plan, make_plan
from harness.plan.unit_keys import Entry, Keyring
from harness.runs.engine import Progress, entries_of, run, with_own
from harness.spec import RunSpec, UsageError
from harness.work.trial import tried
from reports.results.results import QUALITY, Results

IMAGE = "image"


class _Place(NamedTuple):
    """What a row of a ledger is of."""

    sample: str
    rain: str
    derainer: str
    what: str
    """`IMAGE`, or the task and metric."""

    def __str__(self) -> str:
        return f"{self.sample} under {self.rain}, {self.derainer}: {self.what}"


Held = Mapping[_Place, str]
"""The digest of what a ledger holds, by its place, in the order of the work."""


@dataclass(frozen=True)
class Audit:
    """What became of a run that was computed anew."""

    results: Results
    images: int
    """Images whose pixels were compared with what the ledger held."""
    values: int
    """Measurements and predictions' evidence that were compared."""
    new: int
    """Of either, those that the ledger did not hold."""
    unheld: tuple[str, ...]
    """Rain and derainer of the conditions that the ledger held nothing of."""
    difference: str | None
    """The first of those that differ, in words; None where all are the same."""


def audit(
    spec: RunSpec, derainers: Mapping[str, Any] | None = None, progress: Progress | None = None
) -> Audit:
    """Compute a run in a workspace of its own, and compare it with what its ledger held.

    Nothing is written into the ledger.

    Args:
        spec: The run; its workspace is what is audited.
        derainers: See `harness.runs.engine.run`.
        progress: Told of every finished image.

    Raises:
        UsageError: If the workspace holds nothing of the run.
    """
    own = dict(derainers or {})
    plan = make_plan(with_own(spec, own), own)
    entries, _ = entries_of(plan)
    with closing(opened(Path(spec.workspace))) as ledger:
        before = _held(tried(plan, ledger, keep=False), entries, ledger)
    if not before:
        raise UsageError(
            f"--workspace {spec.workspace} holds nothing of this run to compare with: run it once "
            "without --fresh"
        )
    with tempfile.TemporaryDirectory() as workspace:
        results = run(spec.model_copy(update={"workspace": workspace}), own, progress)
        with closing(opened(Path(workspace))) as ledger:
            after = _held(tried(plan, ledger, keep=False), entries, ledger)
    conditions = [(c.rain, c.derainer.name) for c in plan.conditions]
    held = {(place.rain, place.derainer) for place in before}
    images = sum(place.what == IMAGE for place in before.keys() & after.keys())
    return Audit(
        results,
        images=images,
        values=len(before.keys() & after.keys()) - images,
        new=len(after.keys() - before.keys()),
        unheld=tuple(f"{rain}, {name}" for rain, name in conditions if (rain, name) not in held),
        difference=_difference(before, after, results),
    )


def _difference(before: Held, after: Held, results: Results) -> str | None:
    """The first place at which a ledger held something else than what came out."""
    place = next((place for place, held in before.items() if after.get(place) != held), None)
    if place is None:
        return None
    error = next((e for e in results.errors if e.sample == place.sample), None)
    if place in after or error is None:
        return f"{place} is another than the ledger held"
    return f"{place} cannot be made anew ({error.stage}): {error.message}"


def _held(plan: Plan, entries: Sequence[Entry], ledger: Ledger) -> dict[_Place, str]:
    """What a ledger holds of a run."""
    found: dict[_Place, str] = {}
    for condition in plan.conditions:
        found |= _held_of(plan, condition, entries, ledger)
    return found


def _held_of(
    plan: Plan, condition: ConditionPlan, entries: Sequence[Entry], ledger: Ledger
) -> dict[_Place, str]:
    ring = Keyring(plan, condition)
    units = [ring.of(entry) for entry in entries]
    shown = ledger.get("images", [unit.restored for unit in units])
    found: dict[_Place, str] = {}
    keys: dict[_Place, str] = {}
    for unit in units:
        digest = shown.get(unit.restored)
        if digest is None:
            continue
        wanted = {f"{QUALITY} {metric}": key for metric, key in unit.quality().items()}
        tasks = plan.tasks if condition.is_shown else ()
        wanted |= {
            f"evidence of {task.name} by {task.model}": unit.evidence(task, digest)
            for task in tasks
        }
        here = (unit.entry.sample.id, condition.rain, condition.derainer.name)
        found[_Place(*here, IMAGE)] = digest
        keys |= {_Place(*here, what): key for what, key in wanted.items()}
        # In their order, to be filled below.
        found |= dict.fromkeys((_Place(*here, what) for what in wanted), "")
    rows = ledger.get("evidence", keys.values())
    found |= {place: _content(rows[key]) for place, key in keys.items() if key in rows}
    return {place: digest for place, digest in found.items() if digest}


def _content(data: bytes) -> str:
    """Digest of evidence, whatever it was compressed by."""
    try:
        return hashlib.sha256(zlib.decompress(data)).hexdigest()
    except zlib.error:
        return "damaged"
