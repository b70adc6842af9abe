"""Predictions of a run as files that the official tools read."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from datasets.sample import Sample
from harness.ledger.ledger import Ledger
from harness.ledger.packed import unpack
from harness.ledger.predictions import Predictions
from harness.plan.networks import TaskPlan
from harness.plan.plan import ConditionPlan, Plan
from harness.plan.unit_keys import Entry, Keyring, cell
from tasks.bdd_results import write_frames
from tasks.rows import TASKS


def save_predictions(plan: Plan, entries: Sequence[Entry], ledger: Ledger, out: Path) -> None:
    """Write ``predictions/<rain>/<derainer>/`` below ``out``, for every task.

    Args:
        plan: The run, all of whose predictions are kept.
        entries: The images that finished everywhere.
        ledger: Where their digests stand.
        out: The folder of the run's results.
    """
    for condition in plan.conditions:
        if not condition.is_shown:
            continue
        folder = out / "predictions" / _name(condition.rain) / _name(condition.derainer.name)
        store = Predictions(ledger.workspace, cell(plan, condition))
        with contextlib.closing(store):
            for task in plan.tasks:
                row = TASKS[task.name]
                row.write(folder, _predictions(plan, condition, task, entries, ledger, store))
                if plan.dataset.name == "bdd100k" and row.frames is not None:
                    rows = _predictions(plan, condition, task, entries, ledger, store)
                    write_frames(folder / row.frames, rows, plan.dataset.categories)


def _predictions(
    plan: Plan,
    condition: ConditionPlan,
    task: TaskPlan,
    entries: Sequence[Entry],
    ledger: Ledger,
    store: Predictions,
) -> Iterator[tuple[Sample, Any]]:
    """Each image with what was predicted on it."""
    ring = Keyring(plan, condition)
    units = [ring.of(entry) for entry in entries]
    shown = ledger.get("images", [u.restored for u in units])
    for unit in units:
        data = store.get(unit.prediction(task, shown[unit.restored]))
        assert data is not None
        yield unit.entry.sample, task.task.unpack(unpack(data))


def _name(word: str) -> str:
    """A word as the name of a folder."""
    return re.sub(r"[^\w.@=+-]", "_", word)
