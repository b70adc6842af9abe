"""What a run would do: images that the ledger has, images to compute, time and room for them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.image import size_px
from harness.ledger.ledger import LEDGER, Ledger
from harness.ledger.runs import load_results
from harness.plan.plan import ConditionPlan, Plan, make_plan
from harness.plan.unit_keys import Entry, Keyring
from harness.runs.engine import entries_of
from harness.spec import RunSpec
from harness.work.todo import known_units
from harness.work.trial import tried

MEASURED = 16
"""Images whose size is looked up for the estimate of bytes."""
PNG_BYTES_PER_PIXEL = 1.8
"""What a derained photograph takes in the cache."""


@dataclass(frozen=True)
class CellSurvey:
    """One condition of a run that has not been started."""

    rain: str
    derainer: str
    done: int
    """Images that lack nothing."""
    todo: int
    seconds: float | None
    """For deraining what is to do on one worker, from times that the ledger holds of this derainer
    on this device, of other images by their pixels; None where it holds none."""
    cached_bytes: int
    """Room that derained images will take, before ``--cache-gb`` cuts it."""


def survey(spec: RunSpec) -> list[CellSurvey]:
    """Look, without writing, loading a network or computing; a user's own code alone is tried.

    Raises:
        UsageError, DatasetError, DerainerError, TaskError: As `harness.runs.engine.run`.
    """
    plan = make_plan(spec, {})
    entries, _ = entries_of(plan)
    pixels = _pixels(entries)
    workspace = Path(spec.workspace)
    if not (workspace / LEDGER).is_file():
        return [_cell(c, entries, set(), None, pixels) for c in plan.conditions]
    ledger = Ledger(workspace, read_only=True)
    try:
        plan = tried(plan, ledger, keep=False)
        times: dict[str, float | None] = {}
        for c in plan.conditions:
            if times.get(c.derainer.name) is None:
                times[c.derainer.name] = _seconds(plan, c, entries, ledger)
        unknown = {c.derainer.name for c in plan.conditions if not c.derainer.is_identity}
        unknown -= {name for name, known in times.items() if known is not None}
        times |= _elsewhere(plan, unknown, pixels, ledger)
        return [
            _cell(
                c,
                entries,
                known_units(Keyring(plan, c), entries, frozenset(), ledger)[2],
                times[c.derainer.name],
                pixels,
            )
            for c in plan.conditions
        ]
    finally:
        ledger.close()


def _cell(
    condition: ConditionPlan,
    entries: Sequence[Entry],
    done: set[str],
    seconds: float | None,
    pixels: float,
) -> CellSurvey:
    todo = len(entries) - len(done)
    plain = condition.derainer.is_identity
    return CellSurvey(
        rain=condition.rain,
        derainer=condition.derainer.name,
        done=len(done),
        todo=todo,
        seconds=0.0 if plain else None if seconds is None else todo * seconds,
        cached_bytes=0 if plain else round(todo * pixels * PNG_BYTES_PER_PIXEL),
    )


def _seconds(
    plan: Plan, condition: ConditionPlan, entries: Sequence[Entry], ledger: Ledger
) -> float | None:
    """Median time of an image under this condition, where the ledger has one."""
    ring = Keyring(plan, condition)
    wanted = [ring.of(e).timing() for e in entries]
    found = list(ledger.get("timings", wanted).values())
    return float(np.median(found)) if found else None


def _elsewhere(
    plan: Plan, derainers: Collection[str], pixels: float, ledger: Ledger
) -> dict[str, float]:
    """Seconds of an image by derainer, in the newest run of other images that tells, by pixels."""
    found: dict[str, float] = {}
    for digest in ledger.digests():
        if found.keys() >= set(derainers):
            break
        run = load_results(ledger.workspace, digest)
        size = re.match(r"(\d+) × (\d+)", run.provenance.size_px or "")
        if size is None or run.spec.get("dtype", "fp32") != plan.placement.dtype:
            continue
        share = pixels / (int(size[1]) * int(size[2]))
        for cost in run.cost:
            if cost.condition.name in derainers and cost.device == plan.device:
                found.setdefault(cost.condition.name, run.seconds(cost) * share)
    return found


def _pixels(entries: Sequence[Entry]) -> float:
    """Pixels of an image, on average; one that tells no size is left to the run to name."""
    files = [entry.sample.rainy_path or entry.sample.path for entry in entries[:MEASURED]]
    sizes = [height * width for height, width in filter(None, map(size_px, files))]
    return float(np.mean(sizes)) if sizes else 0.0
