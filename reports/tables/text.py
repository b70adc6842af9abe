"""The main numbers of a run as rows of text, for every kind of output."""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.results.record import Comparison, Record
    from reports.results.results import Results

Table = tuple[list[str], list[list[str]], list[str]]
"""Headings, rows and notes."""


SEEN = {
    "rain": "the derainer was trained on this kind of rain",
    "images": "the derainer was trained on this data set",
    "task-images": "the task network was trained on these images",
}


def plain(text: str) -> str:
    """Text on one line, with signs that steer terminals or turn the writing replaced."""
    if not text.isprintable():
        text = "".join(
            c if c.isprintable() or c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text
        )
    return " ".join(text.split())


def label(rain: str, derainer: str) -> str:
    """A condition in words."""
    if rain == "none":
        return "clean" if derainer == "identity" else plain(f"clean · {derainer}")
    return plain(f"{rain} · {'rainy' if derainer == 'identity' else derainer}")


def words(rain: str, derainer: str) -> list[str]:
    """A condition in two cells."""
    if rain == "none":
        return ["clean", "–" if derainer == "identity" else plain(derainer)]
    return [plain(rain), "rainy" if derainer == "identity" else plain(derainer)]


def signed(value: float, unit: str) -> str:
    """A difference with its sign."""
    return f"{value:+.{places(unit)}f}"


def span(ci: tuple[float, float] | None, unit: str, *, sign: bool = True) -> str:
    """An interval, of a difference or of a value."""
    if ci is None:
        return "–"
    low, high = (f"{v:{'+' if sign else ''}.{places(unit)}f}" for v in ci)
    return f"[{low}, {high}]"


def places(unit: str) -> int:
    """Decimal places of a unit's numbers."""
    return 2 if unit == "dB" else 3


def written(record: Record | None, marked: set[str]) -> str:
    """A value with its mark of contamination."""
    if record is None:
        return "–"
    if record.value is None:
        return "identical" if record.n_identical else "–"
    return f"{record.value:.{places(record.unit)}f}{mark(record, marked)}"


def mark(record: Record, marked: set[str]) -> str:
    """† where something of a number was trained on what it measures, ? where that is not known.

    Args:
        record: The number.
        marked: Takes what the mark stands for, so that `marks` can say it below the table.
    """
    marked.update(["unknown"] if record.seen is None else record.seen)
    return "?" if record.seen is None else "†" if record.seen else ""


def marks(marked: Collection[str]) -> list[str]:
    """What the marks of a table's values stand for."""
    said = [f"† {SEEN[m]}." for m in SEEN if m in marked]
    unknown = ["? whether the weights were trained on this is not known."]
    return said + (unknown if "unknown" in marked else [])


def change(results: Results, record: Record) -> Comparison | None:
    """A derainer's paired difference to the same images without deraining, if there is one."""
    if not record.is_derained:
        return None
    floor = results.value(record.rain, "identity", record.task, record.metric)
    return None if floor is None else results.compare(floor, record)


def written_change(results: Results, record: Record | None, marked: set[str] | None = None) -> str:
    """`change` with its interval, and its mark where one is asked for."""
    if record is None or not record.is_derained:
        return ""
    found = change(results, record)
    if found is None:
        return "–"
    interval = "" if found.ci is None else f" {span(found.ci, record.unit)}"
    shown = "" if marked is None else mark(record, marked)
    return signed(found.difference, record.unit) + shown + interval


def grid(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = ["| " + " | ".join(map(cell, headings)) + " |", "|" + " --- |" * len(headings)]
    return lines + ["| " + " | ".join(map(cell, row)) + " |" for row in rows]


def cell(value: str) -> str:
    """Text that Markdown shows as it is."""
    text = html.escape(plain(value), quote=False)
    for sign in "\\|`*_[]$":
        text = text.replace(sign, "\\" + sign)
    return text
