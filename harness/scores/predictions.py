"""Score predictions that were made elsewhere: files and a data set in, the files of a run out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from harness.machine.about import machine
from harness.plan import keys
from harness.plan.data import open_dataset
from harness.plan.networks import evidence_version, scoring_task
from harness.plan.unit_keys import Entry
from harness.scores.elsewhere import by_image_of, records_of
from harness.scores.replicates import resample_counts, sampling_units
from harness.spec import RunSpec, UsageError
from reports.results.results import Results
from tasks.files import read_detections, read_label_maps


def score_predictions(path: Path, spec: RunSpec) -> Results:
    """Numbers of one task's predictions on a data set, without a network.

    Args:
        path: A COCO results file, a folder of ``boxes.json`` and ``masks.json``, or a folder of
            label maps.
        spec: Data set and task; an image without a box in the file counts as one without a find.

    Returns:
        Records of the rain ``given`` and the derainer ``dir:NAME``; values, intervals and draws are
        those of the run that made the predictions.

    Raises:
        UsageError, DatasetError, TaskError: In one line, for what cannot be scored.
    """
    started = time.monotonic()
    if not path.exists():
        raise UsageError(f"--predictions {path}: no such file or folder")
    name = spec.task[0]
    whole = open_dataset(spec.model_copy(update={"limit": None}))
    dataset = whole.limited(spec.limit)
    task = scoring_task(name, dataset)
    predictions: Mapping[str, Any]
    if name == "semantic":
        predictions = read_label_maps(path, dataset.samples, whole.samples)
    else:
        masks = name == "instance"
        predictions = read_detections(path, whole.samples, whole.categories, masks)
    samples = sorted(dataset.samples, key=lambda s: (len(s.id), s.id))
    with ThreadPoolExecutor(spec.workers) as pool:
        evidences = list(pool.map(lambda s: task.evidence(predictions[s.id], s), samples))
        contents = sorted(entry.content for entry in pool.map(Entry.of, samples))
    fingerprint = keys.key("data", contents=contents)
    groups = [s.group for s in samples]
    units = sampling_units(groups)
    counts = resample_counts(fingerprint, units)
    made = f"dir:{path.resolve().name}"
    records, draws = records_of(
        task.reduce(evidences),
        task.resample(evidences, counts),
        units,
        {"dataset": dataset.name, "split": dataset.split, "derainer": made, "task": name},
    )
    files = [path] if path.is_file() else sorted(f for f in path.iterdir() if f.is_file())
    return Results(
        run=keys.key(
            "score",
            files={file.name: keys.file_sha256(file) for file in files},
            data=fingerprint,
            task=[name, evidence_version(name)],
        ),
        spec={**spec.public(), "rain": ["given"], "derainer": [made], "quality": ["none"]},
        provenance=machine(time.monotonic() - started)
        | {
            "data_fingerprint": fingerprint,
            "groups": len(set(units)),
            "blocks": units != groups,
        },
        cost=[],
        errors=[],
        records=sorted(records, key=lambda r: r.metric),
        draws=draws,
        by_image=by_image_of(
            [s.id for s in samples], units, f"given|{made}|{name}", task.by_image(evidences)
        ),
        curves={
            f"given|{made}|{name}|{metric}": curve.astype(np.float32)
            for metric, curve in task.curves(evidences).items()
        },
    )
