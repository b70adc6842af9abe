"""Predictions of a run as files, in forms that official tools read, and its derained images."""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from datasets.label_ids import LABEL_IDS, are_label_ids
from datasets.marked import MANIFEST
from datasets.rain import digest
from datasets.sample import Sample
from harness.ledger.images import ImageCache, is_whole
from harness.ledger.ledger import Ledger
from harness.ledger.packed import unpack
from harness.ledger.predictions import Predictions
from harness.plan.manifest import line_of, saved_names
from harness.plan.networks import TaskPlan
from harness.plan.plan import ConditionPlan, Plan
from harness.plan.unit_keys import Entry, Keyring, cell
from harness.spec import UsageError
from reports.results.file_names import told_apart
from tasks.bdd_results import write_frames
from tasks.rows import TASKS

LONGEST_BYTES = 255
"""Of a folder's name."""


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
                rows = predictions_of(plan, condition, task, entries, ledger, store)
                if task.name == "semantic" and are_label_ids(plan.dataset):
                    rows = ((sample, LABEL_IDS[labels]) for sample, labels in rows)
                row.write(folder, rows)
                if plan.dataset.name == "bdd100k" and row.frames is not None:
                    rows = predictions_of(plan, condition, task, entries, ledger, store)
                    write_frames(folder / row.frames, rows, plan.dataset.categories)


def save_images(plan: Plan, entries: Sequence[Entry], ledger: Ledger, out: Path) -> bool:
    """Write ``images/<rain>/<derainer>/`` below a folder: PNG files and their manifest.

    Args:
        plan: The run.
        entries: The images that finished everywhere.
        ledger: Its workspace holds the derained images.
        out: What is staged for the folder of the run's results.

    Returns:
        Whether all are there; what was damaged is removed from the workspace, to be made again.
    """
    made = [c for c in plan.conditions if not c.derainer.is_identity]
    rains, derainers = (
        folder_names(names) for names in ([c.rain for c in made], [c.derainer.name for c in made])
    )
    places = [out / "images" / rains[c.rain] / derainers[c.derainer.name] for c in made]
    saved = [_save(plan, c, entries, ledger, p) for c, p in zip(made, places, strict=True)]
    return all(saved)


def _save(
    plan: Plan, condition: ConditionPlan, entries: Sequence[Entry], ledger: Ledger, place: Path
) -> bool:
    """Copy the images of one condition; False where one is not there, whole and as it was."""
    cache, ring = ImageCache(ledger.workspace), Keyring(plan, condition)
    rainy = next(c for c in plan.conditions if c.rain == condition.rain and c.derainer.is_identity)
    names = saved_names(plan.dataset.samples)
    units, inputs = [ring.of(e) for e in entries], [Keyring(plan, rainy).of(e) for e in entries]
    shown = ledger.all("images", [u.restored for u in (*units, *inputs)])
    lines, are_whole = [json.dumps(_head(plan, condition))], True
    for unit, given in zip(units, inputs, strict=True):
        name, data = names[unit.entry.sample.id], cache.read(unit.restored)
        if data is None or not is_whole(data, shown[unit.restored]):
            cache.path(unit.restored).unlink(missing_ok=True)
            are_whole = False
            continue
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
        line = line_of(unit.entry.sample.id, name, data, shown[given.restored])
        lines.append(json.dumps(line))
    place.mkdir(parents=True, exist_ok=True)
    (place / MANIFEST).write_text("\n".join([*lines, ""]), encoding="utf-8")
    return are_whole


def _head(plan: Plan, condition: ConditionPlan) -> dict[str, Any]:
    """First line of a manifest: what made the images."""
    rain = plan.rains.get(condition.rain)
    return {
        "dataset": plan.dataset.name,
        "split": plan.dataset.split,
        "rain": condition.rain,
        "rain_sha256": None if rain is None else digest(rain),
        "seed": plan.spec.seed,
        "derainer": condition.derainer.name,
        "dtype": plan.placement.dtype,
        "tile_px": plan.placement.tile_px,
    }


def _folder(plan: Plan, task: TaskPlan, place: Path) -> Path:
    """Where a task's files go: into a folder of the network's where it has several."""
    names = [other.model for other in plan.tasks if other.name == task.name]
    return place / folder_names(names)[task.model] if len(names) > 1 else place


def predictions_of(
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
        if data is None:
            raise UsageError(
                "predictions of this run are gone from its workspace: run it again with "
                "save='predictions', out=FOLDER (--save predictions --out FOLDER)"
            )
        yield unit.entry.sample, task.task.unpack(unpack(data))


def folder_names(words: Iterable[str]) -> dict[str, str]:
    """Words as names of folders, each its own.

    Letters, digits and a few signs stay, but for the plus, which chains derainers; where two words
    would share a folder, a word is too long for one, or nothing of it stays, the beginning of its
    sha256 tells it apart.
    """
    plain = {word: re.sub(r"[^\w.@=-]", "_", word) for word in words}
    shared = Counter(name.casefold() for name in plain.values())
    return {
        word: name
        if shared[name.casefold()] == 1 and name.strip("._") and len(name.encode()) <= LONGEST_BYTES
        else told_apart(name.strip("."), word)
        for word, name in plain.items()
    }
