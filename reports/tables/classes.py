"""Scores by class and object size: a table, and what deraining changes of each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.results.conditions import conditions
from reports.results.marks import marks
from reports.tables.text import Table, label, plain, written

if TYPE_CHECKING:
    from reports.results.results import Results


def table(results: Results) -> Table:
    """Headings, rows and notes: a row per class or size, a column per condition."""
    shown = [c for c in conditions(results) if c.stage is None]
    objects = results.provenance.objects or {}
    marked: set[str] = set()
    rows = []
    for judge in results.judges:
        for metric in results.held[judge.task]:
            row = results.metrics[metric]
            found = [results.at(c, judge, metric) for c in shown]
            some = any(r is not None and r.value is not None for r in found)
            if row.by in ("class", "size") and some:
                cells = (written(results, r, marked) for r in found)
                count = objects.get(row.label) if row.by == "class" else None
                counted = ["–" if count is None else f"{count:,}"] if objects else []
                rows.append([plain(results.called(judge)), plain(row.label), *counted, *cells])
    notes = [
        "AP of boxes, AP of masks and IoU of pixels; small, medium and large: objects below 32², "
        "to 96² and above, in pixels; near, middle and far: up to 30 m, to 50 m and beyond. Recall "
        "c25-iou50: at confidence 0.25; fppi0.1 and fppi1: above the confidence that leaves so "
        "many false positives an image on the clean images. Classes without an object are "
        "left out.",
        *marks(marked),
    ]
    counted = ["objects"] if objects else []
    return ["task", "class or size", *counted, *map(label, shown)], rows, notes
