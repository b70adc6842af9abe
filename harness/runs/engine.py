"""Samples through conditions and tasks: computes what the ledger lacks, then reduces it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from datasets.labels import require_fitting
from harness.ledger.folder import holds
from harness.ledger.images import ImageCache
from harness.ledger.leases import Claims, in_words
from harness.ledger.ledger import STORED, Ledger
from harness.ledger.packed import pack
from harness.ledger.predictions import PredictionFiles
from harness.ledger.runs import load_results
from harness.machine.disk import message, require_writable
from harness.machine.log import logged, notes
from harness.plan.plan import Plan, make_plan
from harness.plan.unit_keys import Entry, cell
from harness.runs.export import save_images, save_predictions
from harness.runs.found_objects import found_objects
from harness.scores.gallery import exemplary, gallery
from harness.scores.reduction import reduced
from harness.spec import RunSpec, UsageError
from harness.work.doubts import check
from harness.work.executors import Executor, Threads
from harness.work.labels import ask, compared, noted
from harness.work.restored_elsewhere import require_made_of_these
from harness.work.todo import Lacking
from harness.work.trial import tried
from harness.work.unit import Finished, Outcome
from reports.folder import require_free, staging
from reports.results.record import ImageError
from reports.results.results import Results
from reports.results.written import arrays_of, to_json
from reports.write import write

_log = logging.getLogger(__name__)
Progress = Callable[[str, int, int], None]
"""Called with (condition, images done, images in all)."""

POLL_S = 0.2
"""Between looks at what another process has in work."""
SILENT_S = 5.0
"""Shorter waits are not worth a word."""
COPIES = 3
"""Times that derained images are copied, and those that vanished or broke made again."""
CHUNK_ON_DEVICE = 8
"""Images per forward on a device; one on the CPU, where a batch changes results."""


@dataclass(frozen=True)
class _Session:
    """What stays open from a run's start to its end."""

    plan: Plan
    ledger: Ledger
    claims: Claims
    executor: Executor
    progress: Progress
    due: dict[str, float] = field(default_factory=dict)
    """When, by the monotonic clock, an owner of claims that are waited for is spoken of next."""


def run(
    spec: RunSpec,
    derainers: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    only: Collection[str] | None = None,
    said: Callable[[str], None] | None = None,
    layout: str | None = None,
) -> Results:
    """Evaluate derainers on a data set; continue where an earlier run of the workspace stopped.

    Args:
        spec: What to run.
        derainers: Derainers of the caller by name, run beside those of the spec: ``nn.Module``s
            from ``(B, 3, H, W)`` RGB in [0, 1] to the same, `Derainer`s, or objects with
            ``restore(image, sample_id)``.
        progress: Told of every finished image.
        only: Ids of the images to take; None = all of the spec.
        said: Told at the end how devices were used, where there are any.
        layout: See `reports.write.write`.

    Returns:
        All records; written to ``spec.out`` too, if it is given.

    Raises:
        UsageError, DatasetError, DerainerError, TaskError, FolderError: The user's mistakes, one
            line each.
    """
    own = dict(derainers or {})
    if spec.out is not None:
        require_writable(Path(spec.out), "--out")
        require_free(Path(spec.out))
    spec = with_own(spec, own)
    started = time.monotonic()
    plan = make_plan(spec, own)
    if only is not None:
        samples = [s for s in plan.dataset.samples if s.id in only]
        plan = replace(plan, dataset=replace(plan.dataset, samples=samples))
    ledger = Ledger(Path(spec.workspace))
    with logged(ledger.workspace):
        notes.info("run begins: %s", spec.public())
        asked = _Asked(progress or (lambda *_: None), said, layout, started)
        results = _finished(plan, ledger, asked)
        notes.info("run %s ends after %.1f s", results.run[:12], time.monotonic() - started)
    return results


class _Asked(NamedTuple):
    """What the caller of a run wants beside its numbers."""

    progress: Progress
    said: Callable[[str], None] | None
    layout: str | None
    started: float
    """When the run began, by the monotonic clock."""


def _finished(plan: Plan, ledger: Ledger, asked: _Asked) -> Results:
    """Compute what the ledger lacks, reduce and write it; closes the ledger."""
    spec = plan.spec
    try:
        plan = tried(plan, ledger)
    except BaseException:
        ledger.close()
        raise
    claims = Claims(ledger)
    os.environ.setdefault("YOLO_CONFIG_DIR", str(Path(spec.workspace).resolve()))
    cache = ImageCache(ledger.workspace)
    executor = _executor(plan, cache)
    session = _Session(plan, ledger, claims, executor, asked.progress)
    try:
        entries, failures = entries_of(plan)
        require_made_of_these(plan, entries)
        doubts = check(plan, ledger)
        ask(plan, ledger)
        plan = noted(plan, entries, ledger)
        _complete(session, entries, failures)
        plan = replace(plan, placement=replace(plan.placement, workers=executor.workers))
        results = reduced(plan, entries, failures, ledger, asked.started, doubts)
        if spec.images:
            chosen = _pictured(session, entries, failures, exemplary(results))
            results = replace(results, gallery=gallery(plan, ledger, entries, chosen))
        before = _same_as(results, ledger)
        results = before or results
        if before is None:
            _save(results, ledger)
        staged = _staged(session, entries, failures, before, asked.layout)
        _pass_on(executor.said(), asked.said)
    finally:
        executor.close()
        # On a disk that is full or gone claims end with the process.
        with contextlib.suppress(sqlite3.Error, UsageError):
            claims.release_all()
        ledger.close()
        cache.trim(spec.cache_gb)
    if spec.out is not None and staged is not None:
        write(results, spec.out, asked.layout, staged=staged)
    kept = [e for e in entries if e.sample.id not in failures]
    return replace(results, found=partial(found_objects, plan, kept, ledger.workspace))


def _pass_on(words: Sequence[str], said: Callable[[str], None] | None) -> None:
    """Tell somebody who listens."""
    if said is not None:
        for each in words:
            said(each)


def with_own(spec: RunSpec, own: Mapping[str, Any]) -> RunSpec:
    """A spec with the caller's derainers among its own."""
    words = tuple(spec.derainer) + tuple(name for name in own if name not in spec.derainer)
    return spec.model_copy(update={"derainer": words})


def _executor(plan: Plan, cache: ImageCache) -> Executor:
    """What the spec's ``--engine`` names."""
    if plan.spec.engine == "local":
        return Threads(plan, cache)
    from harness.work.ray_engine import Actors

    return Actors(plan, cache)


def entries_of(plan: Plan) -> tuple[list[Entry], dict[str, ImageError]]:
    """Samples with the digests of their files; those that cannot be read are failures.

    Raises:
        DatasetError: If a task's labels are of pictures of another size.
    """
    entries, failures = [], {}
    for sample in plan.dataset.samples:
        try:
            entries.append(Entry.of(sample))
        except OSError as error:
            failures[sample.id] = ImageError(sample.id, "read", message(error))
    if plan.tasks:
        require_fitting(compared([entry.sample for entry in entries], plan.tasks))
    return entries, failures


def _complete(
    session: _Session,
    entries: Sequence[Entry],
    failures: dict[str, ImageError],
    pictured: frozenset[str] = frozenset(),
) -> None:
    """Compute what the ledger lacks, image by image; images that fail go into ``failures``.

    An image that failed is not tried under later conditions: it is left out of all cells anyway.
    Of images in ``pictured`` the pictures for the page are made too. What another process has in
    work is waited for, and that is said.
    """
    plan, ledger = session.plan, session.ledger
    lacking = Lacking(plan, pictured, ledger, session.claims)
    size = _together(plan)
    alive = [e for e in entries if e.sample.id not in failures]
    # Cut before those that failed are left out: on a device what stands beside an image counts.
    cut = (entries[i : i + size] for i in range(0, len(entries), size))
    chunks = [part for c in cut if (part := [e for e in c if e.sample.id not in failures])]
    told = [-1] * len(plan.conditions)
    files = PredictionFiles(ledger.workspace, [cell(plan, c) for c in plan.conditions])
    with contextlib.closing(files):
        work = session.executor.work(files.of, pictured)
        while chunks:
            for outcomes in work(lacking.calls(chunks, 2 * session.executor.workers)):
                _commit(outcomes, failures, session, files, lacking)
                _tell(session, lacking, told, len(alive))
            chunks = [[e for e in c if e.sample.id not in failures] for c in lacking.elsewhere]
            chunks = [chunk for chunk in chunks if chunk]
            if chunks:
                _say_who_is_waited_for(lacking.others, session.due)
                time.sleep(POLL_S)
    _tell(session, lacking, told, len(alive))


def _pictured(
    session: _Session,
    entries: Sequence[Entry],
    failures: Mapping[str, ImageError],
    chosen: Mapping[str, str],
) -> dict[str, str]:
    """Make the pictures of the chosen images; those that can be shown, as `exemplary` gives them.

    An image that cannot be drawn is left out of the page alone: its numbers are known.
    """
    failed = dict(failures)
    _complete(session, entries, failed, frozenset(chosen))
    for name in chosen.keys() & failed.keys():
        _log.warning("the page shows no picture of %s: %s", name, failed[name].message)
    return {name: why for name, why in chosen.items() if name not in failed}


def _together(plan: Plan) -> int:
    """Images that belong into one call: several where something takes them in one forward."""
    derainers = [c.derainer for c in plan.conditions]
    takes_several = plan.tasks or any(not (d.is_own or d.is_identity) for d in derainers)
    return CHUNK_ON_DEVICE if plan.placement.devices and takes_several else 1


def _tell(session: _Session, lacking: Lacking, told: list[int], images: int) -> None:
    """Tell how far conditions are of which more is done than was told last."""
    for place, (condition, done) in enumerate(
        zip(session.plan.conditions, lacking.done, strict=True)
    ):
        if told[place] != len(done):
            told[place] = len(done)
            session.progress(f"{condition.rain} · {condition.derainer.name}", len(done), images)


def _say_who_is_waited_for(others: Mapping[str, float], due: dict[str, float]) -> None:
    """Whose claims are waited for and until when, once that has taken a while.

    Args:
        others: In how many seconds the claims of each owner end without a sign of life.
        due: When each is spoken of next, by the monotonic clock; changed here.
    """
    now = time.monotonic()
    for owner, left_s in others.items():
        if now >= due.setdefault(owner, now + SILENT_S):
            due[owner] = now + max(left_s, SILENT_S)
            until = datetime.now().astimezone() + timedelta(seconds=left_s)
            _log.warning(
                "waiting for images that %s has in work: they are taken over at %s if it gives no "
                "sign of life until then",
                in_words(owner),
                f"{until:%H:%M:%S}",
            )


def _commit(
    outcomes: Sequence[Outcome],
    failures: dict[str, ImageError],
    session: _Session,
    predictions: PredictionFiles,
    lacking: Lacking,
) -> None:
    """Write finished images and give up the claims in one transaction; note the others."""
    if not outcomes:
        return
    finished = [(o.place, i) for o in outcomes for i in o.images if isinstance(i, Finished)]
    failures |= {i.sample: i for o in outcomes for i in o.images if isinstance(i, ImageError)}
    for place, image in finished:
        image.workers = dict.fromkeys(image.timings, session.executor.workers)
        if image.predictions:
            predictions.of(place).put(image.predictions)
    with session.ledger.transaction():
        for _, image in finished:
            for table in STORED:
                if rows_of_table := getattr(image, table):
                    session.ledger.put(table, rows_of_table)
        for outcome in outcomes:
            lacking.release(outcome.place, [image.sample for image in outcome.images])
    for place, image in finished:
        lacking.done[place].add(image.sample)


def _same_as(results: Results, ledger: Ledger) -> Results | None:
    """The run as the ledger holds it, where only the time of day has changed since."""
    if results.provenance.dirty or results.run not in ledger.digests():
        return None
    known = load_results(ledger.workspace, results.run)
    then = known.provenance
    clock = replace(results.provenance, finished=then.finished, elapsed_s=then.elapsed_s)
    now = replace(results, provenance=clock)
    same = to_json(now) == to_json(known) and now.gallery == known.gallery
    return known if same else None


def _staged(
    session: _Session,
    entries: Sequence[Entry],
    failures: dict[str, ImageError],
    before: Results | None,
    layout: str | None,
) -> Path | None:
    """The files of ``--out`` that only the workspace has, staged; None where nothing is to write.

    Args:
        session: The run.
        entries: Its images.
        failures: Those that did not finish everywhere.
        before: The run as the ledger held it, where it is still the same.
        layout: Of a further table that the folder must hold.

    Raises:
        UsageError: If derained images vanish before they are copied.
    """
    plan, ledger = session.plan, session.ledger
    if plan.spec.out is None:
        return None
    out, saves = Path(plan.spec.out), plan.spec.save
    laid_out = [] if layout is None else [f"{layout}.md"]
    if before is not None and holds(out, before, [*saves, *laid_out]):
        return None
    staged = staging(out)
    kept = [e for e in entries if e.sample.id not in failures]
    if "predictions" in saves:
        save_predictions(plan, kept, ledger, staged)
    for _ in range(COPIES):
        if "images" not in saves or save_images(plan, kept, ledger, staged):
            return staged
        _complete(session, kept, failures)
    raise UsageError(
        f"{ledger.workspace}: derained images vanish before they are saved: end what else removes "
        "them there (another run's --cache-gb, gc) and run again"
    )


def _save(results: Results, ledger: Ledger) -> None:
    """Keep the run in the ledger, so that `report` can make its pages again."""
    gallery = json.dumps(
        [[g.sample, g.why, g.condition.rain, g.condition.name, g.key] for g in results.gallery]
    )
    finished = datetime.now(UTC).isoformat()
    ledger.save_run(results.run, finished, to_json(results), pack(arrays_of(results)), gallery)
