"""What the tables of the study need of its pieces, as plain values.

The primary contrasts are those that docs/study-plan.md names; all else is of single runs.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from study import HELD_OUT, LEARNED, LEARNING_RATES, PRIMARY, RAIN_SEEDS, SEEN, read_took

from harness.ledger.folder import load
from harness.ledger.frozen import digests, frozen
from reports.beside import beside
from reports.findings.contrasts import judged
from reports.findings.rankings import Place, Ranking, agreement, by_quality, rankings
from reports.findings.remedies import (
    BOTH,
    CLEAN,
    DERAIN,
    GIVEN,
    MIXTURE,
    NOTHING,
    RAIN,
    Family,
    Remedy,
    families,
)
from reports.layouts.remedies import remedies
from reports.results.cell import Judge
from reports.results.conditions import conditions
from reports.results.marks import mark, marks
from reports.results.record import Record
from reports.results.results import QUALITY, Results
from reports.tables import break_even, gates

FROZEN = "benchmark-v1"
"""What the piece `benchmark` became; rows that came later are part of it."""
FIRST = tuple(f"first-{seed}" for seed in RAIN_SEEDS)
"""The pieces of the primary contrasts as they were run first; the weights of their X are lost."""
Kept = Mapping[str, Any]
"""What the tables of the page need of the pieces."""


class Contrast(NamedTuple):
    """One of the primary contrasts of docs/study-plan.md."""

    name: str
    remedy: int
    other: int
    rain: str
    expected: tuple[float, float]
    """Between which the plan expected it."""


CONTRASTS = (
    Contrast("P1", DERAIN, RAIN, SEEN, (-0.05, 0.05)),
    Contrast("P2", BOTH, RAIN, SEEN, (0, 0.05)),
    Contrast("P3", RAIN, CLEAN, SEEN, (0, inf)),
    Contrast("P4", DERAIN, RAIN, HELD_OUT, (-inf, 0)),
    Contrast("P5", MIXTURE, NOTHING, "none", (-0.05, 0)),
)


def gathered(out: Path, before: Kept) -> dict[str, Any]:
    """What the tables need of the pieces that are done, and of the frozen benchmark.

    Args:
        out: The folder of the pieces.
        before: What was kept of pieces that may lie elsewhere by now; it stays where `out` has no
            newer ones.

    Raises:
        SystemExit: If a derainer of one name has other weights in one piece than in another.
    """
    took = read_took(out / "pieces.json")
    names = [name for name in took if (out / name / "results.json").is_file()]
    runs = {name: load(out / name) for name in names}
    if FROZEN in digests():
        runs["benchmark"] = frozen(FROZEN).board()
    kept = {name: dict(before.get(name, {})) for name in ("took", "runs", "remedies")}
    kept["took"] |= took
    kept["runs"] |= {name: _of_run(run) for name, run in runs.items()}
    kept["remedies"] |= {
        name: remedies([runs[name]], "md").splitlines()
        for name in ("scenes", "coco-remedies", "footing")
        if name in runs
    }
    _require_one_of_each_name(kept["runs"])
    more: dict[str, Any] = {}
    if all(name in runs for name in PRIMARY):
        alike = _alike([runs[name] for name in PRIMARY])
        more |= {"primary": primary(alike), "headline": headline(alike)}
    if PRIMARY[0] in runs and "benchmark" in runs:
        more["rivals"] = rivals(runs[PRIMARY[0]], runs["benchmark"])
    if "rates" in runs:
        rates = _bundled(_with_pixels(runs["rates"], out / "rates"))
        more |= {"break_even": break_even.table(rates), "gates": gates.table(rates)}
    if "for-task" in runs:
        more["for_task"] = list(_for_task(_bundled(runs["for-task"])))
    if "benchmark" in runs:
        more["orders"] = list(_orders({n: _bundled(r, has_gates=False) for n, r in runs.items()}))
        elsewhere = [o for o in before.get("orders", ()) if o["piece"] not in runs]
        more["orders"] += elsewhere
    if "trials" in runs:
        more["trials"] = _trials(out, runs["trials"])
    return {**before, **kept, **more}


def _of_run(run: Results) -> dict[str, Any]:
    """What a run is of, and one metric a task of its first network: the primary one if held."""
    run = _bundled(run)
    shown = {task: run.primary(task) or next(iter(of), None) for task, of in run.held.items()}
    about = {name: run.spec[name] for name in ("dataset", "split", "seed")}
    marked: set[str] = set()
    place = {condition: i for i, condition in enumerate(conditions(run))}
    held = [r for r in run.records if r.metric == shown[r.task] and r.stage is None]
    records = [_kept(run, r, marked) for r in sorted(held, key=lambda r: place[r.condition])]
    failed = len({error.sample for error in run.errors})
    found = {"run": run.run, **about, "n": max(r.n for r in run.records), "failed": failed}
    weights = {r.condition.name: r.weights for r in held if r.weights}
    return {**found, "weights": weights, "records": records, "marks": marks(marked)}


def _require_one_of_each_name(runs: Kept) -> None:
    """Pieces that were made at several times are of the same derainers."""
    known: dict[str, str] = {}
    for piece, run in runs.items():
        for derainer, weights in run.get("weights", {}).items():
            if known.setdefault(derainer, weights) != weights:
                raise SystemExit(
                    f"{piece}: {derainer} has other weights ({weights[:8]}) than in another piece "
                    f"({known[derainer][:8]}): make the older piece again"
                )


def _bundled(run: Results, has_gates: bool = True) -> Results:
    """A run as the first network of each task sees it, which is none of those we trained."""
    trainings = run.provenance.trainings
    first = {task: Judge(task, next(iter(networks))) for task, networks in trainings.items()}
    first[QUALITY] = Judge(QUALITY)
    left = set() if has_gates else set(run.provenance.gates)
    records = [r for r in run.records if r.judge == first.get(r.task) and r.derainer not in left]
    return replace(run, records=records)


def _kept(run: Results, record: Record, marked: set[str]) -> dict[str, Any]:
    """A number; its change is that to the rainy input, of that itself to the clean one."""
    condition = record.condition
    floor = condition.clean if condition.is_input else condition.rainy
    before = None if floor == condition else run.at(floor, record.judge, record.metric)
    found = None if before is None else run.compare(before, record)
    names = ("rain", "task", "model", "metric", "unit", "value", "n", "n_identical", "ci")
    return {name: getattr(record, name) for name in names} | {
        "derainer": condition.name,
        "heading": run.metrics[record.metric].heading,
        "mark": mark(record, marked),
        "change": found and found.difference,
        "change_ci": found and found.ci,
    }


def _alike(runs: Sequence[Results]) -> list[Results]:
    """Runs of several seeds of the rain, less what not all of them have been run with."""
    met = [{(r.method, r.weights) for r in run.records} for run in runs]
    shared = set.intersection(*met)
    return [
        replace(run, records=[r for r in run.records if (r.method, r.weights) in shared])
        for run in runs
    ]


def _detection(runs: Sequence[Results]) -> Family:
    """The remedies of the detectors."""
    (family,) = (f for f in families(runs) if f.task == "detection")
    return family


def headline(runs: Sequence[Results]) -> dict[str, Any]:
    """Every remedy with its change against doing nothing, on dry images and under each rain."""
    family = _detection(runs)
    rows = []
    for remedy in family.cells:
        pairs = [
            (family.number(remedy, rain), family.against(remedy, family.first(NOTHING), rain))
            for rain in family.rains
        ]
        hours = {one.training.sha256: one.training.hours for one in family.ones(remedy)}.values()
        known = [h for h in hours if h is not None]
        # What is begun with has none of its own.
        is_told = remedy.rains and len(known) == len(hours)
        rows.append(
            {
                "remedy": remedy.title,
                "cells": [
                    {
                        "value": number and number.value,
                        "change": change and change.value,
                        "ci": change and change.ci,
                    }
                    for number, change in pairs
                ],
                "hours": sum(known) / len(known) if is_told else None,
            }
        )
    seen = {rain: family.is_seen(rain) for rain in family.rains}
    (one, *_) = family.ones(next(iter(family.cells)))
    return {"rains": seen, "rows": rows, "n": one.record.n, "seeds": len(runs)}


def rivals(contrasts: Results, board: Results) -> list[dict[str, Any]]:
    """Each derainer of the benchmark against training on rain, by scenes that both runs have.

    Args:
        contrasts: A run of the contrasts, of which the detectors without a derainer count.
        board: The benchmark's rows, of the same images and rain.
    """
    family = _detection([beside(contrasts, board)])
    wet = family.first(RAIN)
    rows = []
    for remedy in family.cells:
        if remedy.kind != DERAIN or wet is None:
            continue
        found = {rain: family.against(remedy, wet, rain) for rain in family.rains}
        cells = {r: {"value": n.value, "ci": n.ci} for r, n in found.items() if n is not None}
        rows.append({"remedy": remedy.title, "cells": cells})
    return rows


def primary(runs: Sequence[Results]) -> dict[str, Any]:
    """The primary contrasts, of what all seeds of the rain have been run with."""
    family = _detection(runs)
    pairs = [_pair(family, c) for c in CONTRASTS]
    numbers = [
        None if first is None else family.against(first, other, c.rain)
        for c, (first, other) in zip(CONTRASTS, pairs, strict=True)
    ]
    rows = []
    found = zip(CONTRASTS, pairs, numbers, judged(numbers, family.row), strict=True)
    for contrast, (first, other), number, said in found:
        about: dict[str, Any] = {"name": contrast.name, "rain": contrast.rain}
        if number is None or first is None or other is None:
            rows.append({**about, "value": None})
            continue
        values = None if number.table is None else number.table.mean((-1, 0, 2))
        many = values is not None and len(values) > 1
        rows.append(
            {
                **about,
                "contrast": f"{first.title} − {other.title}",
                "value": number.value,
                "ci": said.ci,
                "p_value": said.p_value,
                "verdict": said.verdict,
                "n": family.cells[first][contrast.rain][0].record.n,
                "repeats": None if number.table is None else list(number.table.shape[:2]),
                "spread": float(values.std(ddof=1)) if many and values is not None else None,
            }
        )
    return {"rows": rows, "without_twin": [remedy.title for remedy in family.without_twin()]}


def _pair(family: Family, contrast: Contrast) -> tuple[Remedy | None, Remedy | None]:
    """The remedies of a contrast; both at once is of the network that was trained on rain alone."""
    wet = family.first(RAIN)
    rains = () if wet is None else wet.rains
    found = [
        next(
            (r for r in family.cells if r.kind == kind and (kind != BOTH or r.rains == rains)), None
        )
        for kind in (contrast.remedy, contrast.other)
    ]
    return found[0], found[1]


def _with_pixels(run: Results, folder: Path) -> Results:
    """A loaded run with the digests of what was shown, by which a gate's share is counted."""
    known = {(c.rain, c.name): c for c in run.conditions}
    pixels: dict[Any, list[str]] = {}
    with (folder / "images.csv").open(newline="") as opened:
        for row in csv.DictReader(opened):
            if (row["rain"], row["derainer"]) in known:
                condition = known[row["rain"], row["derainer"]]
                pixels.setdefault(condition, []).append(row["pixels"])
    shown = {condition: tuple(digests) for condition, digests in pixels.items()}
    return replace(run, by_image=replace(run.by_image, pixels=shown))


def _for_task(run: Results) -> Iterator[dict[str, Any]]:
    """Both derainers and their paired difference, by every network and in PSNR-Y."""
    twin, tuned = LEARNED
    for rain in dict.fromkeys(r.rain for r in run.records):
        for judge in dict.fromkeys(r.judge for r in run.records):
            metric = run.primary(judge.task)
            if metric is None:
                continue
            before, after = (
                run.value(rain, name, judge.task, metric, network=judge.network)
                for name in (twin, tuned)
            )
            if before.value is None or after.value is None:
                continue
            found = run.compare(before, after)
            named = f"{judge.network}, " if judge.network else ""
            yield {
                "rain": rain,
                "unit": after.unit,
                "judge": f"{named}{run.metrics[metric].heading}",
                **{
                    name: {"value": r.value, "n": r.n, "n_identical": r.n_identical}
                    for name, r in ((twin, before), (tuned, after))
                },
                "difference": found and found.difference,
                "ci": found and found.ci,
            }


def _orders(runs: Mapping[str, Results]) -> Iterator[dict[str, Any]]:
    """Whether PSNR-Y orders derainers as the tasks do, and other images as the scenes."""
    scenes = runs["benchmark"]
    for found in by_quality(scenes):
        told = found.tau, found.ci, found.derainers
        yield _order("benchmark", found.second, "PSNR-Y", told)
    here: dict[tuple[str, str], Ranking] = {}
    for ranking in rankings(scenes):
        here[ranking.place.task, ranking.place.rain] = ranking
    for name in ("coco", "camvid", "carlarain"):
        for other in rankings(runs[name]) if name in runs else ():
            own = other.place.rain == GIVEN
            mine = here.get((other.place.task, SEEN if own else other.place.rain))
            tau = None if mine is None else agreement(mine, other)
            if mine is not None and tau is not None:
                under = ", under its own rain" if own else ""
                said = f"{name}, by {other.place.network}{under}"
                yield _order(name, mine.place, said, tau)


def _order(piece: str, place: Place, other: str, tau: tuple[float, Any, int]) -> dict[str, Any]:
    """An order on the scenes beside another, which is that of a piece."""
    order = f"{place.task} by {place.network}"
    names = {"piece": piece, "rain": place.rain, "order": order, "other": other}
    return names | dict(zip(("tau", "ci", "derainers"), tau, strict=True))


def _trials(out: Path, run: Results) -> list[dict[str, Any]]:
    """The trials of the learning rate: pooled AP of each on dry images of `val`."""
    made = []
    for rate in LEARNING_RATES:
        file = out / f"trial-{rate}" / "yolo-streetsim.safetensors"
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        trainings = run.provenance.trainings["detection"]
        (network,) = (name for name, t in trainings.items() if t.sha256 == digest)
        record = run.value("none", "identity", "detection", "ap_pooled", network=network)
        made.append({"learning_rate": rate, "value": record.value, "ci": record.ci, "n": record.n})
    return made
