"""Scores by class and object size: a table, and what deraining changes of each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.results.conditions import conditions
from reports.tables.text import Table, label, marks, plain, written

if TYPE_CHECKING:
    from reports.results.results import Results

SIZES = {
    "ap_small": "small",
    "ap_medium": "medium",
    "ap_large": "large",
    "mask_ap_small": "small",
    "mask_ap_medium": "medium",
    "mask_ap_large": "large",
}
"""Metrics by object size: below 32², to 96², and above, in pixels."""
BY_CLASS = {"detection": "ap/", "instance": "mask_ap/", "semantic": "iou/"}
"""How the metrics of single classes begin."""


def table(results: Results) -> Table:
    """Headings, rows and notes: a row per class or size, a column per condition."""
    shown = [c for c in conditions(results) if "/" not in c[1]]
    marked: set[str] = set()
    rows = []
    for task, begin in BY_CLASS.items():
        held = [r.metric for r in results.records if r.task == task]
        for metric in dict.fromkeys(held):
            name = SIZES.get(metric) or (metric.startswith(begin) and metric[len(begin) :])
            found = [results.value(*c, task, metric) for c in shown]
            if name and any(r is not None and r.value is not None for r in found):
                rows.append([task, plain(name), *(written(r, marked) for r in found)])
    notes = [
        "AP of boxes, AP of masks and IoU of pixels; small, medium and large: objects below 32², "
        "to 96² and above, in pixels. Classes without an object are left out.",
        *marks(marked),
    ]
    return ["task", "class or size", *(label(*c) for c in shown)], rows, notes
