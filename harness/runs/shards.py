"""One report of a run that was made in parts, each with a workspace of its own."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.ledger.gather import gather
from harness.ledger.ledger import Ledger
from harness.ledger.runs import load_results
from harness.machine.device import Placement
from harness.plan.foreign_specs import spec_here
from harness.plan.plan import Plan, make_plan
from harness.plan.stages import installed
from harness.plan.unit_keys import Entry, Keyring
from harness.scores.gallery import exemplary, gallery
from harness.scores.reduction import reduced
from harness.spec import UsageError
from harness.work.doubts import doubts
from harness.work.labels import noted
from harness.work.todo import known_units
from harness.work.trial import tried
from reports.results.results import Results

OF_A_PART = (
    "shard",
    "max_errors",
    "cache_gb",
    "data_root",
    "annotations",
    "depth",
    "model",
    "derainer",
)
"""Fields that may differ between parts of one run, some because folders are left out of them."""


def union(
    workspaces: Sequence[Path], changes: Mapping[str, Any], allowed: Collection[str] = ()
) -> Results:
    """The numbers of a whole run from the ledgers of its parts, which stay as they are.

    Labels and images are read, to know what belongs to the run; nothing is computed but scores.

    Args:
        workspaces: Of ``--shard 0/N`` to ``N-1/N``.
        changes: Fields of the spec that say where data and networks lie here.
        allowed: Words that may run code though the ledgers ask for it.

    Raises:
        UsageError: If they are no parts of one run, or something is missing.
    """
    from harness.runs.engine import entries_of

    started = time.monotonic()
    parts = [load_results(workspace, None) for workspace in workspaces]
    _require_all(parts)
    first = parts[0]
    theirs, ours = first.provenance.versions, installed()
    if theirs != ours:
        raise UsageError(
            f"the parts were made with {_listed(theirs, ours)}, here is {_listed(ours, theirs)}: "
            "report where the same versions are installed"
        )
    whole = {**first.spec, "shard": None}
    spec, made_by = spec_here(str(workspaces[0]), whole, changes, allowed), first.provenance
    placed = Placement(made_by.device or "", spec.dtype, spec.tile_px, made_by.workers or 1)
    plan = make_plan(spec, {}, placed)
    entries, failures = entries_of(plan)
    for part in parts:
        failures |= {error.sample: error for error in part.errors}
    alive = [entry for entry in entries if entry.sample.id not in failures]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        gather(workspaces, folder)
        ledger = stack.enter_context(contextlib.closing(Ledger(folder)))
        plan = tried(plan, ledger, keep=False)
        _require_complete(plan, alive, ledger)
        plan = noted(plan, entries, ledger)
        results = reduced(plan, entries, failures, ledger, started, doubts(plan, ledger))
        computed_on = replace(
            results.provenance, accelerator=made_by.accelerator, processor=made_by.processor
        )
        results = replace(results, provenance=computed_on)
        chosen = exemplary(results)
        return replace(results, gallery=gallery(plan, ledger, entries, chosen))


def _require_all(parts: Sequence[Results]) -> None:
    """Refuse what is no whole run in parts, by what the parts themselves say."""
    fixed = [{k: v for k, v in p.spec.items() if k not in OF_A_PART} for p in parts]
    shards = [str(part.spec.get("shard") or "") for part in parts]
    if "" in shards or any(f != fixed[0] for f in fixed):
        raise UsageError(
            "several workspaces are the parts of one run, made with --shard, or for --board and "
            "--compare: these are of different runs"
        )
    devices = sorted({part.provenance.device or "?" for part in parts})
    if len(devices) > 1:
        raise UsageError(
            f"the parts were computed on {' and on '.join(devices)}, which give other numbers: run "
            "them with one --device"
        )
    numbers, counts = zip(*(map(int, shard.split("/")) for shard in shards), strict=True)
    missing = sorted(set(range(counts[0])) - set(numbers))
    if missing or len(set(counts)) > 1:
        lacking = ", ".join(f"{i}/{counts[0]}" for i in missing) or "parts of one division"
        raise UsageError(f"missing: {lacking}; run them with --shard and report all workspaces")


def _require_complete(plan: Plan, entries: Sequence[Entry], ledger: Ledger) -> None:
    lacking: set[str] = set()
    for condition in plan.conditions:
        done = known_units(Keyring(plan, condition), entries, frozenset(), ledger)[2]
        lacking |= {e.sample.id for e in entries} - done
    if lacking:
        raise UsageError(
            f"missing: {len(lacking)} of {len(entries)} images, {min(lacking)} among them; "
            "repeat the runs of the parts on the same files, or gather and run without --shard"
        )


def _listed(some: Mapping[str, Any], others: Mapping[str, Any]) -> str:
    """The packages of which there are two versions."""
    return ", ".join(f"{name} {v}" for name, v in some.items() if v != others.get(name))
