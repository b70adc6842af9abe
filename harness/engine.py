"""Samples through conditions and tasks: computes what the ledger lacks, reduces, reports."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import keys
from harness.chain import Entry, UnitKeys
from harness.doubts import check, doubts
from harness.ledger import STORED, ImageCache, Ledger, Predictions, pack, unpack
from harness.plan import Condition, Plan, make_plan, run_digest, seen
from harness.provenance import provenance
from harness.record import GalleryItem, Record, Results, level_interval
from harness.replicates import DRAWS, VERSION, resample_counts, sampling_units
from harness.save import cell, save_predictions
from harness.spec import RunSpec
from harness.task_plan import TaskPlan
from harness.unit import Failure, Finished, Worker, message, one_thread_each
from tasks import quality
from tasks.task import Evidence, Score

Progress = Callable[[str, int, int], None]
"""Called with (condition, images done, images in all)."""

CHUNK_ON_CUDA = 16
"""Images per forward of a task network on CUDA; one on the CPU, where a batch changes results."""
GALLERY = 4
"""Images whose pictures are kept for the page."""


def run(
    spec: RunSpec,
    derainers: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Results:
    """Evaluate derainers on a data set; continue where an earlier run of the workspace stopped.

    Args:
        spec: What to run.
        derainers: Derainers of the caller by name, run beside those of the spec: ``nn.Module``s
            from ``(B, 3, H, W)`` RGB in [0, 1] to the same, `Derainer`s, or objects with
            ``restore(image, sample_id)``.
        progress: Told of every finished image.

    Returns:
        All records; written to ``spec.out`` too, if it is given.

    Raises:
        UsageError, DatasetError, DerainerError, TaskError: The user's mistakes, one line each.
    """
    own = dict(derainers or {})
    words = tuple(spec.derainer) + tuple(name for name in own if name not in spec.derainer)
    spec = spec.model_copy(update={"derainer": words})
    started = time.monotonic()
    plan = make_plan(spec, own)
    ledger = Ledger(Path(spec.workspace))
    os.environ.setdefault("YOLO_CONFIG_DIR", str(Path(spec.workspace).resolve()))
    cache = ImageCache(ledger.workspace)
    try:
        entries, failures = _entries(plan)
        _complete(plan, entries, failures, ledger, cache, progress or (lambda *_: None))
        kept = [e for e in entries if e.sample.id not in failures]
        results = _results(plan, kept, sorted(failures.values(), key=_order), ledger, started)
        _save(results, ledger)
        if spec.out is not None and spec.save:
            save_predictions(plan, kept, ledger, Path(spec.out))
    finally:
        ledger.close()
        cache.trim(spec.cache_gb)
    if spec.out is not None:
        results.report(spec.out)
    return results


def _entries(plan: Plan) -> tuple[list[Entry], dict[str, Failure]]:
    """Samples with the digests of their files; those that cannot be read are failures."""
    entries, failures = [], {}
    for sample in plan.dataset.samples:
        try:
            entries.append(Entry.of(sample))
        except OSError as error:
            failures[sample.id] = Failure(sample.id, "read", message(error))
    return entries, failures


def _complete(
    plan: Plan,
    entries: Sequence[Entry],
    failures: dict[str, Failure],
    ledger: Ledger,
    cache: ImageCache,
    progress: Progress,
) -> None:
    """Compute what the ledger lacks, condition by condition; images that fail go into ``failures``.

    An image that failed is not tried under later conditions: it is left out of all cells anyway.
    """
    pictured = frozenset(e.sample.id for e in entries[:GALLERY])
    check(plan, ledger)
    for condition in plan.conditions:
        alive = [e for e in entries if e.sample.id not in failures]
        size = CHUNK_ON_CUDA if plan.device == "cuda" else 1
        chunks = [alive[i : i + size] for i in range(0, len(alive), size)]
        shown, have, done = _known(plan, condition, alive, pictured, ledger)
        todo = [chunk for chunk in chunks if not all(e.sample.id in done for e in chunk)]
        label = f"{condition.rain} · {condition.derainer.name}"
        finished = len(alive) - sum(map(len, todo))
        progress(label, finished, len(alive))
        if not todo:
            continue
        predictions = Predictions(ledger.workspace, cell(plan, condition))
        with one_thread_each(plan.device), contextlib.closing(predictions):
            for task in plan.tasks if condition.is_shown else ():
                task.task.load()
            worker = Worker(plan, condition, cache, predictions, pictured)
            calls = ((chunk, shown, have) for chunk in todo)
            for outcomes in _parallel(worker.run, calls, plan.workers):
                _commit(outcomes, failures, ledger, predictions)
                finished += len(outcomes)
                progress(label, finished, len(alive))


def _known(
    plan: Plan,
    condition: Condition,
    entries: Sequence[Entry],
    pictured: frozenset[str],
    ledger: Ledger,
) -> tuple[dict[str, str], frozenset[str], set[str]]:
    """What the ledger has: digests of images shown, evidence keys, and ids that lack nothing."""
    units = [UnitKeys(plan, condition, e) for e in entries]
    shown = ledger.get("images", [u.restored for u in units])
    wanted: dict[str, list[str]] = {}
    for u in units:
        digest = shown.get(u.restored)
        if digest is not None:
            tasks = [u.evidence(t, digest) for t in plan.tasks if condition.is_shown]
            wanted[u.entry.sample.id] = [*u.quality().values(), *tasks]
    have = frozenset(ledger.has("evidence", [k for ks in wanted.values() for k in ks]))
    saved = _saved(plan, condition, units, shown, ledger)
    pictures = ledger.has("pictures", [u.picture() for u in units if u.entry.sample.id in pictured])
    done = {
        u.entry.sample.id
        for u in units
        if u.entry.sample.id in wanted
        and u.entry.sample.id in saved
        and have.issuperset(wanted[u.entry.sample.id])
        and (u.entry.sample.id not in pictured or u.picture() in pictures)
    }
    return shown, have, done


def _saved(
    plan: Plan,
    condition: Condition,
    units: Sequence[UnitKeys],
    shown: Mapping[str, str],
    ledger: Ledger,
) -> set[str]:
    """Ids of images whose predictions are kept, or all where none will be written to files."""
    if not plan.spec.save or not condition.is_shown:
        return {u.entry.sample.id for u in units}
    with contextlib.closing(Predictions(ledger.workspace, cell(plan, condition))) as store:
        return {
            u.entry.sample.id
            for u in units
            if u.restored in shown
            and all(store.has(u.prediction(task, shown[u.restored])) for task in plan.tasks)
        }


def _commit(
    outcomes: Sequence[Finished | Failure],
    failures: dict[str, Failure],
    ledger: Ledger,
    predictions: Predictions,
) -> None:
    """Write finished images in one transaction; note the others."""
    finished = [o for o in outcomes if isinstance(o, Finished)]
    failures.update({o.sample: o for o in outcomes if isinstance(o, Failure)})
    predictions.put([row for o in finished for row in o.predictions])
    with ledger.transaction():
        for outcome in finished:
            for table in STORED:
                ledger.put(table, getattr(outcome, table))


def _parallel(
    work: Callable[..., list[Finished | Failure]], calls: Iterator[tuple[Any, ...]], workers: int
) -> Iterator[list[Finished | Failure]]:
    """Call on threads with one call waiting per thread; yields results as they come."""
    with ThreadPoolExecutor(workers) as pool:
        pending: set[Future[list[Finished | Failure]]] = set()
        try:
            while True:
                pending.update(
                    pool.submit(work, *call) for call in islice(calls, 2 * workers - len(pending))
                )
                if not pending:
                    return
                ready, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in ready:
                    yield future.result()
        finally:
            for future in pending:
                future.cancel()


def _order(failure: Failure) -> tuple[str, str, str]:
    return failure.sample, failure.stage, failure.message


def _results(
    plan: Plan,
    entries: Sequence[Entry],
    failures: Sequence[Failure],
    ledger: Ledger,
    started: float,
) -> Results:
    """Reduce the evidence of all images that finished everywhere."""
    # pycocotools breaks ties of score by the image's number, so that is the order here.
    entries = sorted(entries, key=lambda e: (len(e.sample.id), e.sample.id))
    fingerprint = keys.key("data", contents=sorted(e.content for e in entries))
    drawn = sampling_units(groups := [e.sample.group for e in entries])
    records: list[Record] = []
    draws: dict[str, NDArray[np.float32]] = {}
    cost: list[dict[str, Any]] = []
    for condition in plan.conditions:
        units = [UnitKeys(plan, condition, e) for e in entries]
        shown = ledger.get("images", [u.restored for u in units])
        stages: list[tuple[TaskPlan | None, list[list[str]]]] = [
            (None, [list(u.quality().values()) for u in units])
        ]
        if condition.is_shown:
            stages += [(t, [[u.evidence(t, shown[u.restored])] for u in units]) for t in plan.tasks]
        for task, wanted in stages:
            evidences = _evidences(ledger, wanted)
            scores, samples = _scored(plan, task, evidences, fingerprint, drawn, wanted, ledger)
            for metric, score in scores.items():
                record = _record(plan, condition, task, metric, score, drawn, samples)
                records.append(record)
                if metric in samples:
                    draws[record.cell()] = samples[metric]
        seconds = sorted(ledger.get("timings", [u.timing() for u in units]).values())
        tiles = ledger.get("tiles", [u.timing() for u in units]).values()
        if seconds:
            cost.append(
                {
                    "rain": condition.rain,
                    "derainer": condition.derainer.name,
                    "n": len(seconds),
                    "median_s_per_image": float(np.median(seconds)),
                    "workers": plan.workers,
                    "device": plan.device,
                    "tiled": len(tiles),
                    "smallest_tile_px": min(tiles, default=None),
                }
            )
    return Results(
        run=run_digest(plan, fingerprint),
        spec=plan.spec.public(),
        provenance={
            **provenance(plan, fingerprint, time.monotonic() - started),
            "doubts": doubts(plan, ledger),
            "groups": len(set(drawn)),
            "blocks": drawn != groups,
        },
        cost=cost,
        errors=[{"sample": f.sample, "stage": f.stage, "message": f.message} for f in failures],
        records=sorted(records, key=lambda r: (r.task, r.metric, r.rain, r.derainer)),
        draws=draws,
        gallery=_gallery(plan, ledger, entries),
    )


def _evidences(ledger: Ledger, wanted: Sequence[Sequence[str]]) -> list[Evidence]:
    """Each image's evidence, its parts put together."""
    rows = ledger.get("evidence", [k for ks in wanted for k in ks])
    merged: list[Evidence] = []
    for ks in wanted:
        parts: dict[str, NDArray[Any]] = {}
        for k in ks:
            parts.update(unpack(rows[k]))
        merged.append(parts)
    return merged


def _scored(
    plan: Plan,
    task: TaskPlan | None,
    evidences: Sequence[Evidence],
    fingerprint: str,
    groups: Sequence[str],
    wanted: Sequence[Sequence[str]],
    ledger: Ledger,
) -> tuple[dict[str, Score], dict[str, NDArray[np.float32]]]:
    """Scores of the set and the values on its resamples, which the ledger keeps."""
    if not evidences:
        return {}, {}
    scores = task.task.reduce(evidences) if task else quality.reduce(evidences, plan.metrics)
    if task is None and not plan.dataset.has_clean:
        scores = {m: _without_clean(m, score) for m, score in scores.items()}
    key = keys.key(
        "replicates",
        version=VERSION,
        task=task.name if task else "quality",
        evidence=[list(ks) for ks in wanted],
        fingerprint=fingerprint,
        draws=DRAWS,
        groups=list(groups),
    )
    kept = ledger.get("replicates", [key])
    if key in kept:
        return scores, unpack(kept[key])
    counts = resample_counts(fingerprint, groups)
    values = (
        task.task.resample(evidences, counts)
        if task
        else quality.resample(evidences, plan.metrics, counts)
    )
    samples = {metric: v.astype(np.float32) for metric, v in values.items()}
    with ledger.transaction():
        ledger.put("replicates", {key: pack(samples)})
    return scores, samples


def _without_clean(metric: str, score: Score) -> Score:
    """A metric that compares, on photographs of real rain: not measured."""
    if quality.metric(metric).reference:
        return Score(None, score.unit, "real rain: there is no clean image")
    return score


def _record(
    plan: Plan,
    condition: Condition,
    task: TaskPlan | None,
    metric: str,
    score: Score,
    groups: Sequence[str],
    samples: Mapping[str, NDArray[np.float32]],
) -> Record:
    """One number with all that it belongs to."""
    ci = None
    if score.value is not None and metric in samples:
        ci = level_interval(samples[metric], score.value, len(set(groups)))
    return Record(
        dataset=plan.dataset.name,
        split=plan.dataset.split,
        rain=condition.rain,
        derainer=condition.derainer.name,
        weights=condition.derainer.weights_sha256,
        task=task.name if task else "quality",
        model=task.model if task else None,
        metric=metric,
        value=score.value,
        n=len(groups),
        ci=ci,
        seen=seen(plan, condition, task),
        seed=plan.spec.seed,
        unit=score.unit,
        why=score.why,
        n_identical=score.n_identical,
    )


def _gallery(plan: Plan, ledger: Ledger, entries: Sequence[Entry]) -> list[GalleryItem]:
    """The pictures that were kept, image by image."""
    items = []
    for entry in entries:
        units = [UnitKeys(plan, c, entry) for c in plan.conditions]
        rows = ledger.get("pictures", [u.picture() for u in units])
        for u in units:
            if u.picture() in rows:
                name = u.condition.derainer.name
                data = rows[u.picture()]
                items.append(
                    GalleryItem.of(entry.sample.id, u.condition.rain, name, u.picture(), data)
                )
    return items


def _save(results: Results, ledger: Ledger) -> None:
    """Keep the run in the ledger, so that `report` can make its pages again."""
    gallery = json.dumps([[g.sample, g.rain, g.derainer, g.key] for g in results.gallery])
    ledger.save_run(
        results.run, datetime.now(UTC).isoformat(), results.to_json(), pack(results.draws), gallery
    )
