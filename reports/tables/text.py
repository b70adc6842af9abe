"""The main numbers of a run as rows of text, for every kind of output."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.results.cell import Condition
from reports.results.marks import mark

if TYPE_CHECKING:
    from reports.results.record import Comparison, Record
    from reports.results.results import Results

Table = tuple[list[str], list[list[str]], list[str]]
"""Headings, rows and notes."""


def plain(text: str) -> str:
    """Text on one line, with signs that steer terminals or turn the writing replaced."""
    if not text.isprintable():
        text = "".join(
            c if c.isprintable() or c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text
        )
    return " ".join(text.split())


def label(condition: Condition) -> str:
    """A condition in words."""
    return plain(" · ".join(parts(condition)))


def parts(condition: Condition) -> list[str]:
    """The words of `label`: the rain, and what was derained."""
    if condition.is_dry:
        return ["clean"] if condition.is_input else ["clean", plain(condition.name)]
    return [plain(condition.rain), condition_name(condition)]


def words(condition: Condition) -> list[str]:
    """A condition in two cells."""
    if condition.is_dry:
        return ["clean", "–" if condition.is_input else plain(condition.name)]
    return [plain(condition.rain), condition_name(condition)]


def condition_name(condition: Condition) -> str:
    """The derainer of a rainy condition, and its stage."""
    return "rainy" if condition.is_input else plain(condition.name)


def signed(value: float, decimals: int) -> str:
    """A difference with its sign."""
    return f"{value:+.{decimals}f}"


def figures(value: float) -> str:
    """A number with three figures, from 1,000 on with all those before the point."""
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:,.0f}"


def span(ci: tuple[float, float] | None, decimals: int, *, sign: bool = True) -> str:
    """An interval around a difference or a value."""
    if ci is None:
        return "–"
    low, high = (f"{v:{'+' if sign else ''}.{decimals}f}" for v in ci)
    return f"[{low}, {high}]"


def written(results: Results, record: Record | None, marked: set[str]) -> str:
    """A value with its mark of contamination, and its images where not all have one."""
    if record is None:
        return "–"
    if record.value is None:
        return "identical" if record.n_identical else "–"
    decimals = results.metrics[record.metric].decimals
    of = f" of {record.n - record.n_identical:,}" if record.n_identical else ""
    return f"{record.value:.{decimals}f}{mark(record, marked)}{of}"


def change(results: Results, record: Record) -> Comparison | None:
    """A derainer's paired difference to the same images without deraining, if there is one."""
    if not record.condition.is_derained:
        return None
    floor = results.at(record.condition.rainy, record.judge, record.metric)
    return None if floor is None else results.compare(floor, record)


def written_change(results: Results, record: Record | None, marked: set[str] | None = None) -> str:
    """`change` with its interval, and its mark where one is asked for."""
    if record is None or not record.condition.is_derained:
        return ""
    found = change(results, record)
    if found is None:
        return "–"
    decimals = results.metrics[record.metric].decimals
    interval = "" if found.ci is None else f" {span(found.ci, decimals)}"
    shown = "" if marked is None else mark(record, marked)
    return signed(found.difference, decimals) + shown + interval


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
