"""What deraining does to parts of a data set, by an attribute of the images, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.results.marks import marks
from reports.tables.text import Table, change, plain, signed, span, written

if TYPE_CHECKING:
    from reports.results.results import Results

NOTES = [
    "Change: derained − rainy of the images of that part alone, on the task's pooled or mean "
    "metric; 95 % interval over the same resampled images as above, from 20 on. No "
    "verdicts: these are many looks at the same images."
]


def table(results: Results) -> Table:
    """Headings, rows and notes: a row per part, rain and derainer."""
    headings = ["part", "rain", "derainer", "task", "metric", "images"]
    headings += ["clean", "rainy", "derained", "change", "95 % interval"]
    marked: set[str] = set()
    rows = []
    for record in results.records:
        row, condition = results.metrics[record.metric], record.condition
        if row.by != "part" or condition.is_dry or not condition.is_derained:
            continue
        where = record.judge, record.metric
        clean, floor = (results.at(c, *where) for c in (condition.clean, condition.rainy))
        found = change(results, record)
        rows.append(
            [
                plain(row.label),
                plain(condition.rain),
                plain(condition.name),
                plain(results.called(record.judge)),
                row.heading,
                f"{record.n:,}",
                *(written(results, r, marked) for r in (clean, floor, record)),
                "–" if found is None else signed(found.difference, row.decimals),
                "–" if found is None else span(found.ci, row.decimals),
            ]
        )
    return headings, rows, [*NOTES, *marks(marked)]
