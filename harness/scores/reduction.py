"""From the evidence in the ledger to the numbers of a run: scores, replicates, single images."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.ledger.ledger import Ledger
from harness.ledger.packed import pack, unpack
from harness.plan import keys
from harness.plan.networks import TaskPlan
from harness.plan.plan import Condition, Plan, run_digest
from harness.plan.seen import seen
from harness.plan.unit_keys import Entry, Keyring
from harness.scores.provenance import provenance
from harness.scores.replicates import KEPT, VERSION, draws_for, resample_counts, sampling_units
from harness.scores.slices import METRIC, slices
from harness.work.doubts import doubts
from reports.results.correlations import correlations
from reports.results.intervals import FEWEST, level_interval
from reports.results.record import Failure, Record
from reports.results.results import ByImage, Results
from reports.results.robustness import robustness
from tasks import quality
from tasks.task import Evidence, Score

Counts = Callable[[], NDArray[np.int64]]
"""How often each resampled set holds each image, drawn when first asked for."""
NOTHING = Score(None)


def reduced(
    plan: Plan,
    entries: Sequence[Entry],
    failures: Mapping[str, Failure],
    ledger: Ledger,
    started: float,
) -> Results:
    """The numbers of a run, from the evidence of all images that finished everywhere.

    Args:
        plan: The run.
        entries: All images that could be read.
        failures: Those that failed somewhere, by id; they are left out of all cells.
        ledger: Holds the evidence of the others; keeps the replicates.
        started: When the run began, by the monotonic clock.
    """
    # pycocotools breaks ties of score by the image's number, so that is the order here.
    entries = sorted(
        (e for e in entries if e.sample.id not in failures),
        key=lambda e: (len(e.sample.id), e.sample.id),
    )
    fingerprint = keys.key("data", contents=sorted(e.content for e in entries))
    drawn = sampling_units(groups := [e.sample.group for e in entries])
    records: list[Record] = []
    draws: dict[str, NDArray[np.float32]] = {}
    curves: dict[str, NDArray[np.float32]] = {}
    values: dict[str, NDArray[np.float32]] = {}
    pixels: dict[str, tuple[str, ...]] = {}
    cost: list[dict[str, Any]] = []
    times = draws_for(len({c.derainer.name for c in plan.conditions}))
    counts = functools.cache(lambda: resample_counts(fingerprint, drawn, times))
    cuts = slices([e.sample for e in entries])
    for condition in plan.conditions:
        ring = Keyring(plan, condition)
        units = [ring.of(e) for e in entries]
        shown = ledger.get("images", [u.restored for u in units])
        name = f"{condition.rain}|{condition.derainer.name}"
        pixels[name] = tuple(shown[u.restored][:16] for u in units)
        stages: list[tuple[TaskPlan | None, list[list[str]]]] = [
            (None, [list(u.quality().values()) for u in units])
        ]
        if condition.is_shown:
            stages += [(t, [[u.evidence(t, shown[u.restored])] for u in units]) for t in plan.tasks]
        for task, wanted in stages:
            evidences = _evidences(ledger, wanted)
            key = {"evidence": [list(ks) for ks in wanted], "groups": drawn, "data": fingerprint}
            key |= {"draws": times}
            scores, samples = _scored(plan, task, evidences, counts, key, ledger)
            for metric, score in scores.items():
                record = _record(plan, condition, task, metric, score, drawn, samples)
                records.append(record)
                if metric in samples:
                    draws[record.cell()] = samples[metric]
            for name, places in cuts.items():
                metric = METRIC[task.name if task else "quality"]
                if scores.get(metric, NOTHING).value is None:
                    continue
                part, sample = _cut(plan, task, evidences, places, metric, counts, key, ledger)
                of = [drawn[i] for i in places]
                named = f"{metric}/{name}"
                record = _record(plan, condition, task, named, part, of, {named: sample})
                records.append(record)
                if len(set(of)) >= FEWEST:
                    draws[record.cell()] = sample
            place = (condition.rain, condition.derainer.name, task.name if task else "quality")
            alone, drawn_curves = _details(plan, task, evidences)
            values |= {"|".join((*place, m)): v.astype(np.float32) for m, v in alone.items()}
            curves |= {"|".join((*place, m)): v.astype(np.float32) for m, v in drawn_curves.items()}
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
    by_image = ByImage(tuple(e.sample.id for e in entries), tuple(drawn), values, pixels)
    results = Results(
        run=run_digest(plan, fingerprint),
        spec=plan.spec.public(),
        provenance={
            **provenance(plan, fingerprint, time.monotonic() - started),
            "doubts": doubts(plan, ledger),
            "groups": len(set(drawn)),
            "blocks": drawn != groups,
        },
        cost=cost,
        errors=[
            {"sample": f.sample, "stage": f.stage, "message": f.message}
            for f in sorted(failures.values(), key=_order)
        ],
        records=sorted(records, key=_place),
        draws=draws,
        by_image=by_image,
        curves=curves,
        correlations=correlations(by_image, counts()) if values else [],
    )
    return replace(results, records=sorted([*records, *robustness(results)], key=_place))


def _place(record: Record) -> tuple[str, ...]:
    """Where a number stands among the others."""
    return record.task, record.metric, record.rain, record.derainer


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
    counts: Counts,
    key: Mapping[str, Any],
    ledger: Ledger,
) -> tuple[dict[str, Score], dict[str, NDArray[np.float32]]]:
    """Scores of the set and the values on its resamples, which the ledger keeps."""
    if not evidences:
        return {}, {}
    scores = task.task.reduce(evidences) if task else quality.reduce(evidences, plan.metrics)
    if task is None and not plan.dataset.has_clean:
        scores = {m: _without_clean(m, score) for m, score in scores.items()}
    name = task.name if task else "quality"

    def drawn() -> dict[str, NDArray[np.float32]]:
        values = _resampled(plan, task, evidences, counts())
        return {metric: v.astype(np.float32) for metric, v in values.items()}

    kept = keys.key("replicates", version=VERSION, kept=KEPT, task=name, **key)
    return scores, _kept(ledger, kept, drawn)


def _cut(
    plan: Plan,
    task: TaskPlan | None,
    evidences: Sequence[Evidence],
    places: NDArray[np.int64],
    metric: str,
    counts: Counts,
    key: Mapping[str, Any],
    ledger: Ledger,
) -> tuple[Score, NDArray[np.float32]]:
    """A metric of a part of the set, and its values on the resamples of the whole set."""

    def drawn() -> dict[str, NDArray[Any]]:
        once = np.ones((1, len(places)), np.int64)
        both = np.concatenate([once, counts()[:, places]])
        values = _resampled(plan, task, [evidences[i] for i in places], both)[metric]
        return {"value": values[:1], "draws": values[1:].astype(np.float32)}

    where = {"places": places.tolist(), "metric": metric}
    kept = keys.key("slice", version=VERSION, **where, **key)
    found = _kept(ledger, kept, drawn)
    value, unit = float(found["value"][0]), "dB" if metric.endswith("_db") else "fraction"
    missing = Score(None, unit, "nothing to count in these images")
    return Score(value, unit) if np.isfinite(value) else missing, found["draws"]


def _resampled(
    plan: Plan, task: TaskPlan | None, evidences: Sequence[Evidence], counts: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    if task is None:
        return quality.resample(evidences, plan.metrics, counts)
    return task.task.resample(evidences, counts)


def _kept(
    ledger: Ledger, key: str, make: Callable[[], dict[str, NDArray[Any]]]
) -> dict[str, NDArray[Any]]:
    """Arrays that the ledger holds, made first where it does not."""
    found = ledger.get("replicates", [key])
    if key in found:
        return unpack(found[key])
    arrays = make()
    with ledger.transaction():
        ledger.put("replicates", {key: pack(arrays)})
    return arrays


def _without_clean(metric: str, score: Score) -> Score:
    """A metric that compares, on photographs of real rain: not measured."""
    if quality.metric(metric).reference:
        return Score(None, score.unit, "real rain: there is no clean image")
    return score


def _details(
    plan: Plan, task: TaskPlan | None, evidences: Sequence[Evidence]
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Numbers of single images and curves of the set, by metric."""
    if not evidences:
        return {}, {}
    if task is None:
        return quality.by_image(evidences, plan.metrics), {}
    return task.task.by_image(evidences), task.task.curves(evidences)


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


def _order(failure: Failure) -> tuple[str, str, str]:
    return failure.sample, failure.stage, failure.message
