"""The tables of a run in the order in which they are read, for page and Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.tables import (
    break_even,
    changes,
    classes,
    gates,
    parts_of_set,
    predictors,
    rankings,
    repeats,
    sweeps,
)
from reports.tables.answers import answers
from reports.tables.summary import summary
from reports.tables.text import cell, grid

if TYPE_CHECKING:
    from reports.results.results import Results


@dataclass(frozen=True)
class Part:
    """One table with what a reader must know of it."""

    anchor: str
    heading: str
    caption: str
    headings: list[str]
    rows: list[list[str]]
    notes: list[str]


def parts(results: Results) -> list[Part]:
    """All tables that have a row."""
    found = [
        Part("numbers", "In numbers", "Scores of every condition", *summary(results)),
        Part("real", "Is it real?", "What each derainer changes", *changes.verdicts(results)),
        Part("others", "By other metrics", "Changes of other metrics", *changes.others(results)),
        Part("sweep", "Over the sweep", "Means over a rain's sweep", *sweeps.table(results)),
        Part("gates", "Does a gate tell?", "Gates between their bounds", *gates.table(results)),
        Part("pays", "From which rain on?", "Where deraining pays", *break_even.table(results)),
        Part(
            "tells",
            "Does quality tell the score?",
            "Rank correlation of image quality with the task's score",
            *predictors.table(results),
        ),
        Part(
            "repeats",
            "Over trainings",
            "Several trainings of one derainer",
            *repeats.table([results]),
        ),
        Part(
            "carries",
            "Does a ranking carry over?",
            "Agreement of rankings of derainers",
            *rankings.table([results]),
        ),
        Part(
            "parts",
            "By part of the set",
            "Changes by part of the set",
            *parts_of_set.table(results),
        ),
        Part("classes", "By class and size", "Scores by class and size", *classes.table(results)),
    ]
    return [part for part in found if part.rows]


def markdown(results: Results) -> str:
    """The answers and tables as Markdown, but for those of parts and classes, which are long."""
    out: list[str] = []
    for answer in answers(results):
        out += [f"**{cell(answer.about)}: {cell(answer.headline)}** {cell(answer.rain)}", ""]
        out += [f"- {cell(line)}" for line in answer.derainers] + [""]
    for part in parts(results):
        if part.anchor not in ("parts", "classes"):
            lines = [f"{cell(line)}  " for line in part.notes]
            out += [f"## {part.heading}", "", *grid(part.headings, part.rows), "", *lines, ""]
    return "\n".join(out)
