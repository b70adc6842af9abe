"""From the evidence in the ledger to the numbers of a run: scores, replicates, single images."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.duplicates import first_alike, glance
from harness.ledger.ledger import Ledger
from harness.ledger.packed import unpack
from harness.plan import keys
from harness.plan.plan import ConditionPlan, Plan, run_digest
from harness.plan.rows import part_row, task_row
from harness.plan.unit_keys import Entry, Keyring, UnitKeys, images_sha256, labels_sha256
from harness.scores.class_order import ClassOrder
from harness.scores.confidences import Confidences
from harness.scores.costs import of_derainer, of_network
from harness.scores.kept import Images, Scored, beside_clean, draws, kept, part
from harness.scores.numbers import About, Numbers, groups_of, of_set
from harness.scores.parts import parts as parts_of
from harness.scores.photographs import VERSION as PHOTOGRAPHS
from harness.scores.photographs import Photographs, photographs
from harness.scores.provenance import provenance
from harness.scores.replicates import Resampling, draws_for
from harness.scores.seen import seen
from reports.findings.correlations import Counts, correlations
from reports.findings.robustness import with_robustness
from reports.results.cell import Cell, Condition
from reports.results.intervals import FEWEST
from reports.results.metrics import MetricRow, TaskRow
from reports.results.record import Correlation, Cost, ImageError, Record
from reports.results.results import QUALITY, ByImage, Results
from tasks import quality
from tasks import rows as tasks_of
from tasks.rows import TASKS
from tasks.task import BesideClean, Evidence, Score

NOTHING = Score(None)


def reduced(
    plan: Plan,
    entries: Sequence[Entry],
    failures: Mapping[str, ImageError],
    ledger: Ledger,
    started: float,
    doubts: Sequence[str],
) -> Results:
    """The numbers of a run, from the evidence of all images that finished everywhere.

    Args:
        plan: The run.
        entries: All images that could be read.
        failures: Those that failed somewhere, by id; they are left out of all cells.
        ledger: Holds the evidence of the others; keeps the replicates.
        started: When the run began, by the monotonic clock.
        doubts: What looked wrong of derainers from elsewhere, in words.
    """
    # pycocotools breaks ties of score by the image's number, so that is the order here.
    entries = sorted(
        (e for e in entries if e.sample.id not in failures),
        key=lambda e: (len(e.sample.id), e.sample.id),
    )
    labels = labels_sha256(entries, {task.name for task in plan.tasks})
    fingerprint = images_sha256(entries)
    shown = _photographs(plan, entries, fingerprint, ledger)
    family = len({c.derainer.name for c in plan.conditions})
    sets = Resampling(
        fingerprint=fingerprint,
        units=shown.units,
        times=draws_for(family, len(set(shown.units))),
    )
    parts = parts_of([e.sample for e in entries])
    numbers = Numbers()
    pixels: dict[Condition, tuple[str, ...]] = {}
    cost: list[Cost] = []
    cleans = _Cleans(plan, entries, ledger)
    looked: dict[str, list[float]] = {}
    for condition in plan.conditions:
        units, digests = _units(plan, condition, entries, ledger)
        pixels[condition.place] = tuple(digests[u.restored][:16] for u in units)
        for scored in _scored(plan, condition):
            images = _images(ledger, scored, units, digests)
            clean = cleans.of(scored)
            numbers.take(_numbers(plan, condition, scored, images, clean, sets, parts, ledger))
            if scored.task is not None:
                of = looked.setdefault(f"{scored.name} by {scored.task.model}", [])
                of += of_network(scored.task, units, digests, ledger)
        cost += of_derainer(plan, condition, [u.timing() for u in units], ledger)
    ids = tuple(e.sample.id for e in entries)
    by_image = ByImage(ids, tuple(sets.units), numbers.values, pixels)
    tasks = _tasks(plan)
    made = provenance(plan, sets.fingerprint, time.monotonic() - started)
    found = Results(
        run=run_digest(plan, sets.fingerprint, labels),
        spec=plan.spec.public(),
        provenance=replace(
            made,
            data_notes=(
                *made.data_notes,
                *shown.notes,
                *numbers.cuts(),
                *numbers.doubts({t.name: TASKS[t.name].names(plan.dataset) for t in plan.tasks}),
            ),
            doubts=tuple(doubts),
            labels=labels,
            groups=len(set(sets.units)),
            network_s_per_image={k: float(np.median(v)) for k, v in looked.items() if v} or None,
            objects=numbers.objects or None,
        ),
        cost=cost,
        errors=sorted(failures.values(), key=lambda e: (e.sample, e.stage, e.message)),
        records=sorted(numbers.records, key=_order),
        draws=numbers.draws,
        metrics=_ordered(numbers, tasks),
        tasks=tasks,
        by_image=by_image,
        curves=numbers.curves,
        correlations=_told(by_image, tasks, sets.counts, plan),
    )
    whole = with_robustness(found)
    return replace(whole, records=sorted(whole.records, key=_order))


def _photographs(
    plan: Plan, entries: Sequence[Entry], fingerprint: str, ledger: Ledger
) -> Photographs:
    """What each image is drawn with; the ledger keeps which images are alike."""

    def looked() -> dict[str, NDArray[np.int64]]:
        with ThreadPoolExecutor(plan.workers) as pool:
            glances = list(pool.map(lambda entry: glance(entry.sample.read()), entries))
        return {"first": first_alike(glances)}

    key = keys.key("photographs", version=PHOTOGRAPHS, data=fingerprint)
    first = kept(ledger, key, looked)["first"]
    samples = [e.sample for e in entries]
    return photographs([s.id for s in samples], [s.group for s in samples], first)


def _told(
    by_image: ByImage, tasks: Mapping[str, TaskRow], counts: Counts, plan: Plan
) -> list[Correlation]:
    """Whether quality tells the tasks' scores."""
    every = (c.derainer for c in plan.conditions)
    plain = {derainer.name for derainer in every if derainer.weights_sha256 is None}
    return correlations(by_image, tasks, counts, plain) if by_image.values else []


def _scored(plan: Plan, condition: ConditionPlan) -> list[Scored]:
    """Image quality, and the tasks where they are shown the image."""
    scorer = quality.Quality(plan.metrics, plan.dataset.has_clean)
    found = [Scored(QUALITY, scorer, tasks_of.QUALITY)]
    if condition.is_shown:
        found += [Scored(t.name, t.task, TASKS[t.name].scores, t) for t in plan.tasks]
    return found


def _tasks(plan: Plan) -> dict[str, TaskRow]:
    """The run's tasks in the order of tables."""
    mine = {task.name for task in plan.tasks}
    rows = {name: task_row(row.scores) for name, row in TASKS.items() if name in mine}
    return rows | {QUALITY: task_row(tasks_of.QUALITY)}


def _ordered(numbers: Numbers, tasks: Mapping[str, TaskRow]) -> dict[str, MetricRow]:
    """The rows of the metrics that the run holds, in the order of tables."""
    held = {r.metric for r in numbers.records} | {cell.metric for cell in numbers.values}
    of = {cell.metric: cell.task for cell in numbers.values}
    of |= {r.metric: r.task for r in numbers.records}
    places = list(tasks)
    names = [name for name in numbers.metrics if name in held]
    return {
        name: numbers.metrics[name] for name in sorted(names, key=lambda m: places.index(of[m]))
    }


def _order(record: Record) -> tuple[str, ...]:
    """Where a number stands among the others."""
    return record.task, record.metric, record.rain, record.condition.name


def _units(
    plan: Plan, condition: ConditionPlan, entries: Sequence[Entry], ledger: Ledger
) -> tuple[list[UnitKeys], dict[str, str]]:
    """The keys of the images under a condition, and the digests of what was shown."""
    ring = Keyring(plan, condition)
    units = [ring.of(e) for e in entries]
    return units, ledger.all("images", [u.restored for u in units])


def _images(
    ledger: Ledger, scored: Scored, units: Sequence[UnitKeys], shown: Mapping[str, str]
) -> Images:
    """What the images contribute."""
    wanted = [
        list(u.quality().values())
        if scored.task is None
        else [u.evidence(scored.task, shown[u.restored])]
        for u in units
    ]
    return Images(_evidences(ledger, wanted), wanted)


@dataclass
class _Cleans:
    """What the clean images contribute to tasks that compare with it, each read once."""

    plan: Plan
    entries: Sequence[Entry]
    ledger: Ledger
    held: dict[tuple[str, str | None], Images] = field(default_factory=dict)

    def of(self, scored: Scored) -> Images | None:
        """None where the run shows no clean images, or the task does not compare with them."""
        clean = next((c for c in self.plan.conditions if c.place == c.place.clean), None)
        if scored.task is None or clean is None or not isinstance(scored.scorer, BesideClean):
            return None
        name = scored.name, scored.task.model
        if name not in self.held:
            units, shown = _units(self.plan, clean, self.entries, self.ledger)
            self.held[name] = _images(self.ledger, scored, units, shown)
        return self.held[name]


def _numbers(
    plan: Plan,
    condition: ConditionPlan,
    scored: Scored,
    images: Images,
    clean: Images | None,
    sets: Resampling,
    parts: Mapping[str, NDArray[np.int64]],
    ledger: Ledger,
) -> Numbers:
    """All numbers of one task under one condition."""
    evidences, wanted = images.evidences, images.wanted
    if not evidences:
        return Numbers()
    scores, drawn = scored.scorer.reduce(evidences), draws(scored, evidences, wanted, sets, ledger)
    if clean is not None:
        others, drawn_of_others = beside_clean(scored, clean, images, sets, ledger)
        scores, drawn = {**scores, **others}, drawn | drawn_of_others
    network = None if scored.task is None else scored.task.model
    place = Cell(condition.place, scored.name, network, "")
    weights = condition.derainer.weights_sha256
    about = About(place, weights, seen(plan, condition, scored.task))
    found = of_set(about, scored.scorer, scored.row, evidences, sets.units, scores, drawn)
    found.objects |= _objects(plan, evidences)
    found.ranked[f"{scored.name} by {network}", scored.row.found] = Confidences.of(evidences)
    found.ordered[scored.name, str(network)] = ClassOrder.of(evidences)
    metric = scored.row.metric_of_parts
    for label, places in parts.items() if scores.get(metric, NOTHING).value is not None else ():
        score, sample = part(scored, evidences, places, metric, wanted, sets, ledger)
        name, units = f"{metric}/{label}", [sets.units[i] for i in places]
        row = part_row(found.metrics[metric], metric, label)
        found.metrics[name] = row
        groups = len(set(units))
        if scored.task is None:
            mine = [evidences[i] for i in places]
            score = scored.scorer.reduce(mine)[metric]  # which tells of images without a value
            groups = groups_of(scored.scorer, mine, units)[metric]
        is_level = groups >= FEWEST and scored.row.has_level(metric, groups)
        level = sample if is_level else None
        found.records.append(about.record(name, row, score, units, level, groups))
        if groups >= FEWEST:
            found.draws[place.of(name)] = sample
    return found


def _objects(plan: Plan, evidences: Sequence[Evidence]) -> dict[str, int]:
    """Labelled objects that count, by class; nothing where evidence is not of objects."""
    key = next((k for k in evidences[0] if k.endswith("truth_category")), None)
    if key is None:
        return {}
    all_sizes = 0
    found = [e[key][~e[key.replace("category", "ignored")][all_sizes]] for e in evidences]
    numbers, counts = np.unique(np.concatenate(found), return_counts=True)
    names = plan.dataset.categories
    return {names[int(i)]: int(n) for i, n in zip(numbers, counts, strict=True) if int(i) in names}


def _evidences(ledger: Ledger, wanted: Sequence[Sequence[str]]) -> list[Evidence]:
    """Each image's evidence, its parts put together."""
    rows = ledger.all("evidence", [k for ks in wanted for k in ks])
    merged: list[Evidence] = []
    for ks in wanted:
        parts: dict[str, NDArray[Any]] = {}
        for k in ks:
            parts.update(unpack(rows[k]))
        merged.append(parts)
    return merged
