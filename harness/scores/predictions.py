"""Score predictions that were made elsewhere: files and a data set in, the files of a run out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets.cityscapes_labels import LABELS
from datasets.duplicates import first_alike, glance
from datasets.label_ids import are_label_ids, as_classes
from datasets.labels import notes, require_fitting
from datasets.names import text_of
from datasets.sample import Dataset
from harness.machine.about import machine
from harness.plan import keys
from harness.plan.data import chosen, whole_dataset
from harness.plan.networks import scoring_task
from harness.plan.unit_keys import Entry, images_sha256, labels_sha256
from harness.scores import replicates
from harness.scores.class_order import ClassOrder
from harness.scores.confidences import Confidences
from harness.scores.elsewhere import Made, numbers
from harness.scores.photographs import photographs
from harness.spec import RunSpec, UsageError
from reports.results.cell import Data
from reports.results.provenance import Provenance
from reports.results.results import Results
from tasks.files import counts_from_one
from tasks.rows import TASKS, TaskRow
from tasks.task import Predictions


def score_predictions(path: Path, spec: RunSpec) -> Results:
    """Numbers of one task's predictions on a data set, without a network.

    Args:
        path: A COCO results file, a folder of ``boxes.json`` and ``masks.json``, or a folder of
            label maps.
        spec: Data set and task; an image without a box in the file counts as one without a find.

    Returns:
        Records of the rain ``given`` and the derainer ``dir:NAME``; values are those of
        the run that made the predictions. So are intervals and draws, but where that run drew more
        sets for many derainers on few groups (see `draws_for`): those are of one derainer here.

    Raises:
        UsageError, DatasetError, TaskError: In one line, for what cannot be scored.
    """
    started = time.monotonic()
    if not path.exists():
        raise UsageError(f"--predictions {path}: no such file or folder")
    name = spec.task[0]
    row = TASKS[name]
    whole = whole_dataset(spec)
    dataset = chosen(whole, spec)
    task = scoring_task(name, dataset)
    require_fitting(dataset.samples)
    inside = {f.relative_to(path).as_posix(): f for f in path.rglob("*") if f.is_file()}
    named = {path.name: path} if path.is_file() else dict(sorted(inside.items()))
    digests = {file: keys.file_sha256(file) for file in named.values()}
    predictions, read = _read(path, row, dataset, whole)
    keys.require_same(digests)
    samples = sorted(dataset.samples, key=lambda s: (len(s.id), s.id))
    with ThreadPoolExecutor(spec.workers) as pool:
        entries = list(pool.map(Entry.of, samples))
        samples = [entry.sample for entry in entries]
        evidences = list(pool.map(lambda s: task.evidence(predictions[s.id], s), samples))
    fingerprint, labels = images_sha256(entries), labels_sha256(entries, [name])
    with ThreadPoolExecutor(spec.workers) as pool:
        first = first_alike(list(pool.map(lambda s: glance(s.read()), samples)))
    shown = photographs([s.id for s in samples], [s.group for s in samples], first)
    folder = text_of(path.resolve().name)
    data = Data(dataset.name, dataset.split)
    made = Made(data, folder, name, [s.id for s in samples], shown.units, fingerprint)
    found = numbers(made, task, row.scores, evidences)
    asked = {"rain": ["given"], "derainer": [f"dir:{folder}"], "quality": ["none"]}
    return Results(
        run=keys.key(
            "score",
            files={text_of(name): digests[file] for name, file in named.items()},
            data=fingerprint,
            labels=labels,
            task=[name, row.version],
        ),
        spec={**spec.public(), **asked},
        provenance=Provenance(
            **machine(time.monotonic() - started),
            data_fingerprint=fingerprint,
            data_notes=(
                *dataset.notes,
                *read,
                *_notes(name, dataset),
                *shown.notes,
                *Confidences.of(evidences).doubt(folder, row.scores.found),
                *ClassOrder.of(evidences).doubt(folder, row.names(dataset)),
            ),
            metric_versions={name: row.version, "resamples": replicates.VERSION},
            labels=labels,
            groups=len(set(shown.units)),
        ),
        cost=[],
        errors=[],
        **vars(found),
    )


def _read(
    path: Path, row: TaskRow, dataset: Dataset, whole: Dataset
) -> tuple[Mapping[str, Any], Sequence[str]]:
    """Predictions by sample id, and what a reader must know of how they were read."""
    if row is TASKS["semantic"] and are_label_ids(whole):
        ids = dict(enumerate(LABELS))
        return as_classes(row.read(path, dataset.samples, whole.samples, ids)), ()
    names = row.names(whole)
    is_ours = row.origin is None and path.is_file()
    first = 1 if is_ours and whole.name == "yolo" and counts_from_one(path) else 0
    by_number = {number + first: name for number, name in names.items()}
    found = row.read(path, dataset.samples, whole.samples, by_number)
    said = list(found.notes if isinstance(found, Predictions) else ())
    if first:
        said.append(f"{path.name}: classes counted from 1, as ultralytics writes them")
        found = {k: replace(one, categories=one.categories - 1) for k, one in found.items()}
    return found, said


def _notes(task: str, dataset: Dataset) -> list[str]:
    """What a reader must know of the labels that a task compares with."""
    of_objects = TASKS[task].names(dataset) == dataset.categories
    return notes(dataset.samples, dataset.categories) if of_objects else []
