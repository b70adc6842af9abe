"""Many runs on one page: a leaderboard."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reports.findings.effects import Effect, effects
from reports.folder import put_pages
from reports.pages.run import shown
from reports.pages.template import rendered
from reports.results.conditions import place
from reports.results.marks import marks
from reports.tables import rankings, repeats
from reports.tables.text import Table, cell, grid, plain, signed, span, words, written

if TYPE_CHECKING:
    from reports.plots.figure import Plot
    from reports.results.record import Record
    from reports.results.results import Results


TELLING = {
    "data": "data: digest of the images, which one name may stand for.",
    "labels": "labels: digest of what the task compares with.",
    "code": "code: digest of all that decides what a derainer does.",
    "weights": "",
    "seed": "",
    "finished": "",
}
"""Columns of the leaderboard that stand there where rows of one place differ in them, and what is
said of them."""


def write_board(
    runs: Sequence[Results], directory: Path, more: Mapping[str, str | None] | None = None
) -> None:
    """Write ``board.html`` and ``board.md``: every condition of every run.

    ``rankings`` too where derainers were ranked in several places, ``repeats`` where something was
    found under several seeds, or by several trainings, and ``reliability`` where the scores of
    single images are known under several seeds.

    Args:
        runs: Newest first.
        directory: Made if needed.
        more: Further pages by name; None: such a page of before goes.

    Raises:
        FolderError: If a file of one's own would be written over; nothing is written then.
    """
    number = len({_name(run) for run in runs})
    sets = {(run.spec.get("dataset"), run.provenance.data_fingerprint) for run in runs}
    of_runs = f"{number} {'run' if number == 1 else 'runs'}"
    said = [f"{of_runs} of {len(sets)} {'set' if len(sets) == 1 else 'sets'} of images."]
    pages: dict[str, str | None] = {**as_pages(board(runs), "Leaderboard", said, "board")}
    pages |= more or {}
    for name, heading, table in (
        ("rankings", "Does a ranking carry over?", rankings.table(runs)),
        ("repeats", "Over seeds and trainings", repeats.table(runs)),
        ("reliability", "How well single scores repeat", repeats.reliability_table(runs)),
    ):
        made = as_pages(table, heading, said, name)
        pages |= made if table[1] else dict.fromkeys(made)
    put_pages(directory, pages)


def as_pages(
    table: Table, heading: str, said: list[str], name: str, drawn: Sequence[Plot] = ()
) -> dict[str, str]:
    """A table as ``NAME.html`` and ``NAME.md``, with sentences above it, and plots."""
    headings, rows, notes = table
    page = rendered(
        "board.html.j2",
        heading=heading,
        sentences=said,
        headings=headings,
        rows=rows,
        notes=notes,
        plots=[shown(plot) for plot in drawn],
    )
    lines = [*map(cell, said), *grid(headings, rows), *map(cell, notes)]
    text = "\n".join(line if line.startswith("|") else f"{line}\n" for line in lines)
    return {f"{name}.html": page, f"{name}.md": text + "\n"}


def board(runs: Sequence[Results]) -> Table:
    """Each task's primary metric of every condition of every run.

    Args:
        runs: Newest first; one that lies in several workspaces is shown once.
    """
    place = ["rain", "derainer", "data set", "task", "network", "metric"]
    values = ["value", "95 % interval", "against rainy", "verdict", "images"]
    marked: set[str] = set()
    rows: dict[tuple[Any, ...], tuple[Any, _Row]] = {}
    order = list(dict.fromkeys(task for run in runs for task in run.tasks))
    for run in runs:
        judged = {(e.condition, e.judge): e for e in effects(run)}
        wanted = {task: run.primary(task) for task in run.tasks}
        for record in run.records:
            if record.metric != wanted.get(record.task) or record.stage is not None:
                continue
            effect = judged.get((record.condition, record.judge))
            row = _row(run, record, effect, marked)
            rows.setdefault((*_name(run), record.cell), (_rank(run, record, order), row))
    ranked = [row for _, row in sorted(rows.values(), key=lambda pair: pair[0])]
    shown = _differing(ranked)
    notes = [
        "Of each task its primary metric, the best first within images, task, labels and rain; "
        "against rainy: paired difference to the rainy input of the same run; verdict: significant "
        "at 5 % for all derainers of that run's rain and task (minP). Values of other images or "
        "labels do not compare. Every run has rows of its own."
    ]
    notes += [TELLING[name] for name in shown if TELLING[name]]
    cells = [[*r.place, *r.values, *(r.telling[name] for name in shown), r.run] for r in ranked]
    return [*place, *values, *shown, "run"], cells, notes + marks(marked)


class _Row(NamedTuple):
    """A row of the leaderboard."""

    place: tuple[str, ...]
    values: tuple[str, ...]
    telling: Mapping[str, str]
    run: str


def _name(run: Results) -> tuple[str, str | None]:
    """What a run is told from others by; made again elsewhere, it may have other numbers."""
    return run.run, run.provenance.finished


def _differing(rows: Sequence[_Row]) -> list[str]:
    """The columns of `TELLING` in which rows of one place differ."""
    groups: dict[tuple[str, ...], list[Mapping[str, str]]] = {}
    for row in rows:
        groups.setdefault(row.place, []).append(row.telling)
    return [n for n in TELLING if any(len({t[n] for t in group}) > 1 for group in groups.values())]


def _rank(run: Results, record: Record, tasks: Sequence[str]) -> tuple[Any, ...]:
    """Data set, images, task, labels and rain, and within them the best score first."""
    made = run.provenance
    data = record.dataset, record.split, made.data_fingerprint or ""
    task = tasks.index(record.task), (made.labels or {}).get(record.task, "")
    sign = -1 if run.metrics[record.metric].higher_is_better else 1
    none = -math.inf if record.is_identical else math.inf
    value = none if record.value is None else sign * record.value
    return *data, *task, place(record.rain), value


def _row(run: Results, record: Record, effect: Effect | None, marked: set[str]) -> _Row:
    row, made = run.metrics[record.metric], run.provenance
    decimals = row.decimals
    change = effect and f"{signed(effect.difference, decimals)} {span(effect.ci, decimals)}"
    code = (made.code or {}).get(record.condition.name)
    weights = "+".join(digest[:8] for digest in (record.weights or "").split("+"))
    finished = (made.finished or "").replace("T", " ").removesuffix("+00:00")
    return _Row(
        place=(
            *words(record.condition),
            plain(f"{record.dataset} {record.split}"),
            record.task,
            plain(record.model or "–"),
            row.heading,
        ),
        values=(
            written(run, record, marked),
            span(record.ci, decimals, sign=False),
            change or "–",
            (effect and effect.verdict) or "–",
            str(record.n),
        ),
        telling={
            "data": plain(made.data_fingerprint or "")[:8] or "–",
            "labels": plain((made.labels or {}).get(record.task, ""))[:8] or "–",
            "code": plain(code or "")[:8] or "–",
            "weights": plain(weights) or "–",
            "seed": str(record.seed),
            "finished": plain(finished) or "–",
        },
        run=run.run[:12],
    )
