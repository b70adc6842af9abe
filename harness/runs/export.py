"""Predictions of a run as files that the official tools read."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
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
    """Write ``predictions/<rain>/<derainer>/`` below a folder, for every task.

    Args:
        plan: The run, all of whose predictions are kept.
        entries: The images that finished everywhere.
        ledger: Where their digests stand.
        out: What is staged for the folder of the run's results.
    """
    shown = [condition for condition in plan.conditions if condition.is_shown]
    rains, derainers = (
        folder_names(names) for names in ([c.rain for c in shown], [c.derainer.name for c in shown])
    )
    for condition in shown:
        place = out / "predictions" / rains[condition.rain] / derainers[condition.derainer.name]
        store = Predictions(ledger.workspace, cell(plan, condition))
        with contextlib.closing(store):
            for task in plan.tasks:
                row, folder = TASKS[task.name], _folder(plan, task, place)
                row.write(folder, _predictions(plan, condition, task, entries, ledger, store))
                if plan.dataset.name == "bdd100k" and row.frames is not None:
                    rows = _predictions(plan, condition, task, entries, ledger, store)
                    write_frames(folder / row.frames, rows, plan.dataset.categories)


def _folder(plan: Plan, task: TaskPlan, place: Path) -> Path:
    """Where a task's files go: into a folder of the network's where it has several."""
    names = [other.model for other in plan.tasks if other.name == task.name]
    return place / folder_names(names)[task.model] if len(names) > 1 else place


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
    shown = ledger.all("images", [u.restored for u in units])
    for unit in units:
        data = store.get(unit.prediction(task, shown[unit.restored]))
        assert data is not None
        yield unit.entry.sample, task.task.unpack(unpack(data))


def folder_names(words: Iterable[str]) -> dict[str, str]:
    """Words as names of folders, each its own.

    Letters, digits and a few signs stay; where two words would share a folder, or nothing of a word
    stays, the beginning of its sha256 tells it apart.
    """
    plain = {word: re.sub(r"[^\w.@=+-]", "_", word) for word in words}
    shared = Counter(name.casefold() for name in plain.values())
    return {
        word: name
        if shared[name.casefold()] == 1 and name.strip("._")
        else f"{name.strip('.')}-{hashlib.sha256(word.encode()).hexdigest()[:8]}"
        for word, name in plain.items()
    }
