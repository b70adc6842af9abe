"""The layout of remedies: what to do against rain, down, and where it falls, across.

A table of scores for each task and each family of networks, with what a remedy costs; a second of
its paired differences to doing nothing, and a third of those to training on rain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from reports.findings.remedies import (
    BOTH,
    DERAINED,
    GIVEN,
    MIXTURE,
    NOTHING,
    RAIN,
    Family,
    Number,
    One,
    Remedy,
    families,
)
from reports.results.cell import NO_RAIN
from reports.results.marks import mark_of_all
from reports.tables.latex import Float, escaped, slug
from reports.tables.summary import notes
from reports.tables.text import cell, grid, plain, signed, span

if TYPE_CHECKING:
    from reports.results.results import Results

NONE = (
    "No remedies: the runs hold no task network of which is known what it was trained on. Train "
    "one on rain and its twin on clean images (train yolo --rain WORD, --rain none), and give all "
    "of them with --model."
)


class _Table(NamedTuple):
    title: str
    headings: list[str]
    rows: list[list[str]]
    notes: list[str]


def remedies(runs: Sequence[Results], kind: str) -> str:
    """Runs in that layout.

    Args:
        runs: Those of the same images are one table, their rain seeds repeats.
        kind: ``md`` or ``tex``.
    """
    made = [table for family in families(runs) for table in _tables(runs, family)]
    if kind == "tex":
        return "\n".join(map(_latex, made)) or f"% {NONE}\n"
    return "\n".join(map(_markdown, made)) or f"{NONE}\n"


def _tables(runs: Sequence[Results], family: Family) -> list[_Table]:
    """Scores, then differences to each of two references."""
    marked: set[str] = set()
    nothing, trained = family.first(NOTHING), family.first(RAIN, MIXTURE)
    about = f"{family.task}, {family.row.title}, networks that began as " + (
        "one" if family.network is None else plain(family.network)
    )
    columns = [_heading(family, rain) for rain in family.rains]
    headings = ["remedy", *columns, "trainings", "steps", "training [h]", "ms an image"]
    rows = [
        [
            plain(r.title),
            *(_score(family, r, rain, marked) for rain in family.rains),
            *_costs(runs, family, r),
        ]
        for r in family.cells
    ]
    said = [note for run in runs[:1] for note in notes(run, marked)]
    tables = [_Table(about, headings, rows, [*said, *_notes(family)])]
    for other in (nothing, trained):
        if other is not None:
            rows = [
                [plain(r.title)] + [_change(family, r, other, rain) for rain in family.rains]
                for r in family.cells
                if r != other
            ]
            title = f"{about}: against {plain(other.title)}"
            tables.append(_Table(title, ["remedy", *columns], rows, [DIFFERENCES]))
    return [table for table in tables if table.rows]


DIFFERENCES = (
    "Paired differences on the same images and rain, with 95 % intervals over images, trainings "
    "and seeds of the rain, as far as there are several; – where repeats do not pair."
)


def _heading(family: Family, rain: str) -> str:
    if rain == NO_RAIN:
        return "dry images"
    if rain == GIVEN:
        return "rain of the set"
    seen = {True: "seen rain", False: "unseen rain", None: "rain, seen or not is not known"}
    return plain(f"{rain} ({seen[family.is_seen(rain)]})")


def _score(family: Family, remedy: Remedy, rain: str, marked: set[str]) -> str:
    found = family.number(remedy, rain)
    if found is None:
        return "–"
    signs = mark_of_all((one.record for one in family.cells[remedy][rain]), marked)
    text = f"{found.value:.{family.row.decimals}f}{signs}"
    return text + (f" {span(found.ci, family.row.decimals, sign=False)}" if found.ci else "")


def _change(family: Family, remedy: Remedy, other: Remedy, rain: str) -> str:
    found: Number | None = family.against(remedy, other, rain)
    if found is None:
        return "–"
    text = signed(found.value, family.row.decimals)
    return text + (f" {span(found.ci, family.row.decimals)}" if found.ci else "")


def _costs(runs: Sequence[Results], family: Family, remedy: Remedy) -> list[str]:
    """Trainings, their steps and hours beyond what was begun with, and milliseconds an image."""
    ones = family.ones(remedy)
    networks = {one.record.model: one.training for one in ones}.values()
    is_free = remedy.kind == NOTHING or not remedy.rains
    told = [
        "–" if is_free else _all([t.steps for t in networks], lambda v: f"{v:,.0f}"),
        "–" if is_free else _all([t.hours for t in networks], lambda v: f"{v:.2f}"),
    ]
    return [str(len(networks)), *told, _milliseconds(runs, ones)]


def _all(values: Sequence[float | None], text: Callable[[float], str]) -> str:
    """The mean of the trainings; a dash where one of them does not tell."""
    known = [value for value in values if value is not None]
    return text(fmean(known)) if known and len(known) == len(values) else "–"


def _milliseconds(runs: Sequence[Results], ones: Sequence[One]) -> str:
    """What deraining adds an image, the mean over conditions."""
    if all(one.record.condition.is_input for one in ones):
        return "0"
    wanted = {one.record.condition for one in ones}
    found = [run.seconds(c) for run in runs for c in run.cost if c.condition in wanted]
    return f"{1000 * fmean(found):,.0f}" if found else "–"


def _notes(family: Family) -> list[str]:
    """What a reader must know of the rows."""
    said = [
        "Training hours are those of the task network, beyond what it began with; a derainer's own "
        "are not in them."
    ]
    if family.network is None:
        said.append("The network that the trainings began with is not in the run.")
    lacking = [plain(remedy.title) for remedy in family.without_twin()]
    if lacking:
        said.append(
            f"Without a twin of as many steps on clean images: {'; '.join(lacking)}. What is "
            "their rain's and what is longer training's cannot be told apart."
        )
    if not any(r.kind in (RAIN, MIXTURE, DERAINED, BOTH) for r in family.cells):
        said.append("No network of the run was trained on rain.")
    return said


def _markdown(table: _Table) -> str:
    lines = [f"{cell(note)}  " for note in table.notes]
    return "\n".join(
        [f"**{cell(table.title)}**", "", *grid(table.headings, table.rows), "", *lines, ""]
    )


def _latex(table: _Table) -> str:
    heading, *rows = (
        " & ".join(map(escaped, row)) + r" \\" for row in (table.headings, *table.rows)
    )
    about = Float(f"{table.title}.", slug("remedies", table.title), table.notes, is_wide=True)
    columns = "l" + "c" * (len(table.headings) - 1)
    return about.around(columns, [heading, r"\midrule", *rows])
