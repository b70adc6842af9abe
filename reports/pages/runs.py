"""Many runs on one page: a leaderboard, and two runs against each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from reports.findings.effects import Effect, effects
from reports.pages.template import rendered
from reports.results.conditions import place
from reports.results.intervals import FEWEST, LEVEL, Family, interval
from reports.tables import rankings, repeats
from reports.tables.text import Table, cell, grid, marks, plain, signed, span, words, written

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results


TELLING = ("code", "weights", "seed", "finished")
"""Columns of the leaderboard that stand there where rows of one place differ in them."""


def write_board(runs: Sequence[Results], directory: Path) -> None:
    """Write ``board.html`` and ``board.md``: every condition of every run.

    ``rankings`` too where derainers were ranked in several places, ``repeats`` where something was
    found under several seeds, or by several trainings, and ``ceilings`` where the scores of single
    images are known under several seeds.
    """
    number = len({_name(run) for run in runs})
    said = [f"{number} runs of {len({r.spec.get('dataset') for r in runs})} data sets."]
    _write(board(runs), "Leaderboard", said, directory / "board")
    for name, heading, table in (
        ("rankings", "Does a ranking carry over?", rankings.table(runs)),
        ("repeats", "Over seeds and trainings", repeats.table(runs)),
        ("ceilings", "How well single scores repeat", repeats.ceiling_table(runs)),
    ):
        if table[1]:
            _write(table, heading, said, directory / name)


def write_comparison(first: Results, second: Results, directory: Path) -> None:
    """Write ``compare.html`` and ``compare.md``: what changed from the first run to the second."""
    table = comparison(first, second)
    _write(table, "Two runs", differences(first, second), directory / "compare")


def _write(table: Table, heading: str, said: list[str], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    headings, rows, notes = table
    page = rendered(
        "board.html.j2", heading=heading, sentences=said, headings=headings, rows=rows, notes=notes
    )
    file.with_suffix(".html").write_text(page, encoding="utf-8")
    lines = [*map(cell, said), *grid(headings, rows), *map(cell, notes)]
    text = "\n".join(line if line.startswith("|") else f"{line}\n" for line in lines)
    file.with_suffix(".md").write_text(text + "\n", encoding="utf-8")


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
        "Of each task its primary metric, the best first within a data set, task and rain; against "
        "rainy: paired difference to the rainy input of the same run; verdict: significant at 5 % "
        "for all derainers of that run's rain and task (minP). Values of different data sets or "
        "numbers of images do not compare. Every run has rows of its own."
    ]
    if "code" in shown:
        notes.append("code: digest of all that decides what a derainer does.")
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
    """Data set, task and rain, and within them the best score first."""
    sign = -1 if run.metrics[record.metric].higher_is_better else 1
    value = -math.inf if record.value is None else sign * record.value
    return record.dataset, record.split, tasks.index(record.task), place(record.rain), value


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
            "code": plain(code or "")[:8] or "–",
            "weights": plain(weights) or "–",
            "seed": str(record.seed),
            "finished": plain(finished) or "–",
        },
        run=run.run[:12],
    )


def comparison(first: Results, second: Results) -> Table:
    """Each number that both runs hold, of the tasks' primary metrics: second − first."""
    order = list(first.tasks)
    pairs = sorted(_common(first, second), key=lambda pair: _rank(first, pair[0], order)[:-1])
    paired = _same_sets(first, second)
    drawn = [_drawn(first, second, a, b, paired) for a, b in pairs]
    groups = min(
        (run.groups(r.n) for pair in pairs for run, r in zip((first, second), pair, strict=True)),
        default=0,
    )
    family = Family.of([d for d in drawn if d is not None], groups)
    corrected = iter(family.p_values)
    marked: set[str] = set()
    rows = []
    for (a, b), d in zip(pairs, drawn, strict=True):
        assert a.value is not None
        assert b.value is not None
        change, row = b.value - a.value, first.metrics[a.metric]
        verdict = "the same" if change == 0 else "–"
        p = None if d is None else next(corrected)
        if p is not None and change != 0:
            word = "higher" if change > 0 else "lower"
            verdict = word if p < LEVEL else "no significant difference"
        rows.append(
            [
                *words(a.condition),
                plain(first.called(a.judge)),
                row.heading,
                written(first, a, marked),
                written(second, b, marked),
                signed(change, row.decimals),
                span(None if d is None else interval(d, groups), row.decimals),
                verdict,
            ]
        )
    headings = ["rain", "derainer", "task", "metric", f"run {first.run[:12]}"]
    headings += [f"run {second.run[:12]}", "difference", "95 % interval", "verdict"]
    how = "paired over the same resampled images" if paired else "of independent sets of images"
    notes = [
        f"Differences second − first, {how}; verdict: significant at 5 % for all rows together "
        "(minP).",
    ]
    return headings, rows, notes + marks(marked)


def differences(first: Results, second: Results) -> list[str]:
    """In words: what sets two runs apart beside their numbers."""
    said = []
    for name, a, b in (
        ("The images", *(r.provenance.data_fingerprint for r in (first, second))),
        ("The labels", *(r.provenance.labels for r in (first, second))),
        ("The commit", *(r.provenance.commit for r in (first, second))),
        ("The versions", *(r.provenance.versions for r in (first, second))),
        ("The task networks", *(r.provenance.models for r in (first, second))),
    ):
        said.append(f"{name}: {'the same' if a == b else 'not the same'}.")
    ours, theirs = first.provenance.code or {}, second.provenance.code or {}
    for name in sorted(n for n in ours.keys() & theirs.keys() if ours[n] != theirs[n]):
        said.append(f"Code or weights of {name}: not the same.")
    for field in sorted({*first.spec, *second.spec}):
        a, b = first.spec.get(field), second.spec.get(field)
        if a != b:
            said.append(f"{field}: {_word(a)} in the first, {_word(b)} in the second.")
    cells = [{_place(run, r) for r in run.records} for run in (first, second)]
    alone = [len(cells[0] - cells[1]), len(cells[1] - cells[0])]
    if any(alone):
        said.append(f"{alone[0]} numbers stand in the first run alone, {alone[1]} in the second.")
    return said


def _word(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, {}) else str(value)


def _common(first: Results, second: Results) -> list[tuple[Record, Record]]:
    theirs = {_place(second, r): r for r in second.records}
    wanted = {task: first.primary(task) for task in first.tasks}
    ours = [(r, _place(first, r)) for r in first.records]
    pairs = [(r, theirs[place]) for r, place in ours if place in theirs]
    return [
        (a, b)
        for a, b in pairs
        if a.metric == wanted.get(a.task) and a.value is not None and b.value is not None
    ]


def _place(of: Results, record: Record) -> tuple[str, str, str, str, str | None]:
    """What a number is of, whatever the data, the seed and, where it has no rival, the network."""
    network = of.network_of(record)
    return record.rain, record.condition.name, record.task, record.metric, network


def _same_sets(first: Results, second: Results) -> bool:
    """Whether both were resampled alike: the same images in the same groups, as often."""
    a, b = first.provenance, second.provenance
    alike = all(
        getattr(a, name) == getattr(b, name) for name in ("data_fingerprint", "groups", "blocks")
    )
    return alike and _times(first) == _times(second)


def _times(run: Results) -> int:
    """How often a run's images were resampled."""
    return len(next(iter(run.draws.values()), ()))


def _drawn(first: Results, second: Results, a: Record, b: Record, paired: bool) -> Any:
    """Differences on resampled sets; None where they say nothing."""
    ours, theirs = first.draws.get(a.cell), second.draws.get(b.cell)
    groups = min(first.groups(a.n), second.groups(b.n))
    if ours is None or theirs is None or groups < FEWEST:
        return None
    if not paired:
        # Resamples of two sets have nothing in common but their number.
        times = min(len(ours), len(theirs))
        ours, theirs = ours[:times], np.random.default_rng(0).permutation(theirs)[:times]
    both = theirs.astype(np.float64) - ours
    return both if np.isfinite(both).sum() > 1 else None
