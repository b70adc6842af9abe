"""Gates between never deraining and always deraining, as a table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reports.results.cell import IDENTITY, Condition
from reports.results.conditions import conditions
from reports.results.marks import marks
from reports.tables.text import Table, plain, signed, span, written

if TYPE_CHECKING:
    from reports.results.record import Record
    from reports.results.results import Results


def table(results: Results) -> Table:
    """A row for each gate, rain and task network."""
    marked: set[str] = set()
    rows = []
    for condition in conditions(results):
        behind = results.provenance.gates.get(condition.derainer)
        if behind is None or condition.stage is not None:
            continue
        for judge in results.judges:
            metric = results.primary(judge.task)
            bounds = [replace(condition, derainer=name) for name in (IDENTITY, behind)]
            never, always, gate = (
                metric and results.at(c, judge, metric) for c in (*bounds, condition)
            )
            if not never or not always or not gate or gate.value is None:
                continue
            decimals = results.metrics[gate.metric].decimals
            best = _best(results, never, always)
            lost = best and results.compare(best, gate)
            rows.append(
                [
                    "dry" if condition.is_dry else plain(condition.rain),
                    plain(condition.name),
                    plain(results.called(judge)),
                    results.metrics[gate.metric].heading,
                    _opened(results, condition),
                    *(written(results, r, marked) for r in (never, gate, always)),
                    "–" if best is None else ("always" if best is always else "never"),
                    "–"
                    if not lost
                    else f"{signed(lost.difference, decimals)} {span(lost.ci, decimals)}",
                ]
            )
    headings = ["rain", "gate", "task", "metric", "opened", "never", "gated", "always"]
    headings += ["oracle", "gated − oracle"]
    notes = [
        "Opened: share of images that the gate derained. The oracle knows the rain, and derains "
        "always or never, whichever is better.",
        *marks(marked),
    ]
    return headings, rows, notes


def _best(results: Results, never: Record, always: Record) -> Record | None:
    """The better of the two; None where one was not measured."""
    if never.value is None or always.value is None:
        return None
    is_higher = results.metrics[never.metric].higher_is_better
    return always if (always.value > never.value) == is_higher else never


def _opened(results: Results, condition: Condition) -> str:
    """The share of images that are not those that went in, where pixels are known."""
    pixels = results.by_image.pixels
    before, after = pixels.get(condition.rainy), pixels.get(condition)
    if not before or not after:
        return "–"
    changed = sum(a != b for a, b in zip(before, after, strict=True))
    return f"{changed / len(before):.0%}"
