"""The board of a frozen benchmark: its own rows and those of submissions, one table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from reports.beside import machine, on_board, rows_of
from reports.findings.effects import effects
from reports.folder import put_pages
from reports.pages.runs import as_pages
from reports.results.cell import IDENTITY, NO_RAIN
from reports.results.conditions import place
from reports.tables.csv import csv_text
from reports.tables.summary import about, footnotes
from reports.tables.text import Table, plain, written, written_change

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results

ARROWS = {"better": " ↑", "worse": " ↓"}
"""What a verdict looks like behind a difference."""
NOTES = (
    "Behind a value its paired difference to the same images without deraining, with its 95 % "
    "interval; ↑ and ↓: significant at 5 % among all rows of that rain and task (minP); on dry "
    "images nothing is judged. A task's rows stand in the order of their values under {rain}; "
    "neighbours may differ by chance. Milliseconds are medians, of a gate the mean, on the machine "
    "that is named, and compare on one machine alone. A submission's numbers are its author's: "
    "verify recomputes them."
)


def write_leaderboard(
    name: str, sha256: str, kept: Results, submissions: Mapping[str, Results], directory: Path
) -> Table:
    """Write ``board.html``, ``board.md`` and, with every number, ``board.csv``.

    Args:
        name: The benchmark's.
        sha256: Of what is frozen of it.
        kept: Its own rows.
        submissions: Others by where they are from.
        directory: Made if needed.

    Returns:
        The table, for the terminal.

    Raises:
        ValueError: As of `reports.beside.on_board`; nothing is written then.
        FolderError: If a file of one's own would be written over; neither then.
    """
    both = on_board(kept, submissions)
    made = board(both, kept, submissions)
    said = [about(both), f"{name}, evidence {sha256[:12]}, run {kept.run[:12]}."]
    pages = as_pages(made, f"Leaderboard of {name}", said, "board")
    put_pages(directory, pages | {"board.csv": csv_text(both, both.records)})
    return made


def board(both: Results, kept: Results, submissions: Mapping[str, Results]) -> Table:
    """Each task's primary metric: a row for each derainer, columns for each rain."""
    sources = {name: (source, run) for source, run in submissions.items() for name in rows_of(run)}
    rains = _rains(kept)
    first = next((rain for rain in rains if rain != NO_RAIN), NO_RAIN)
    verdicts = {(e.condition, e.judge): ARROWS.get(e.verdict or "", "") for e in effects(both)}
    marked: set[str] = set()
    rows = []
    for judge in both.judges:
        metric = both.primary(judge.task)
        held = [r for r in both.records if (r.judge, r.metric) == (judge, metric)]
        at = {(r.derainer, r.rain): r for r in held}
        names = dict.fromkeys(r.derainer for r in held)
        for name in sorted(names, key=lambda n: _rank(both, n, at.get((n, first)))):
            source, run = sources.get(name, ("", kept))
            cells = []
            for record in (at.get((name, rain)) for rain in rains):
                arrow = verdicts.get((record.condition, judge), "") if record else ""
                cells += [written(both, record, marked), written_change(both, record) + arrow]
            title = "" if metric is None else both.metrics[metric].heading
            rows.append(
                [
                    plain(f"{both.called(judge)}: {title}"),
                    "no derainer" if name == IDENTITY else plain(name),
                    *cells,
                    *_times(run, name),
                    plain(f"{source}, run {run.run[:12]}") if source else "frozen",
                ]
            )
    headings = ["task", "derainer"]
    for rain in rains:
        headings += (
            ["dry images", "against dry"] if rain == NO_RAIN else [plain(rain), "against rainy"]
        )
    headings += ["ms an image", "machine", "from"]
    return headings, rows, [NOTES.format(rain=plain(first)), *footnotes(both, marked)]


def _rains(kept: Results) -> list[str]:
    """Dry first, then as they were asked for."""
    asked = [*(kept.spec.get("rain") or ())]
    held = {record.rain for record in kept.records}
    order = {rain: asked.index(rain) if rain in asked else len(asked) for rain in held}
    return sorted(held, key=lambda rain: (rain != NO_RAIN, order[rain], place(rain)))


def _rank(both: Results, name: str, record: Record | None) -> tuple[bool, float]:
    """No derainer first, then the best value."""
    if record is None or record.value is None:
        return name != IDENTITY, -math.inf if record and record.is_identical else math.inf
    up = both.metrics[record.metric].higher_is_better
    return name != IDENTITY, -record.value if up else record.value


def _times(run: Results, name: str) -> tuple[str, str]:
    """Milliseconds of an image, the mean over rains, and of which machine."""
    if name == IDENTITY:
        return "0", "–"
    seconds = [run.seconds(c) for c in run.cost if c.condition.name == name]
    dtype = run.spec.get("dtype", "fp32")
    host = machine(run) + ("" if dtype == "fp32" else f", {dtype}")
    if not seconds:
        return "–", plain(host)
    mean = 1000 * fmean(seconds)
    return (f"{mean:,.0f}" if mean >= 10 else f"{mean:.2g}"), plain(host)
