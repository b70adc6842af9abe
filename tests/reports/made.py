"""Results made by hand: the rows that tables need, and what deraining took."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.plan.rows import metric_rows, with_rows
from reports.results.cell import Condition, Data
from reports.results.record import Cost, Record
from reports.results.results import Results
from tasks import quality
from tasks.rows import QUALITY as OF_IMAGES

COCO = Data("coco", "val")
"""What the records of these tests are of."""


def rowed(results: Results, **changes: Any) -> Results:
    """The results, changed, with the rows that their metrics' names tell of."""
    made = with_rows(replace(results, **{"metrics": {}, "tasks": {}, **changes}))
    told = {c.quality: quality.metric_row(c.quality) for c in made.correlations}
    return replace(made, metrics=metric_rows(OF_IMAGES, told, 0) | made.metrics)


def cost(rain: str, derainer: str, seconds: float, **changes: Any) -> Cost:
    """What deraining took."""
    made = Cost(Condition(COCO, rain, 0, derainer), 100, seconds, 2, "cpu", 0, None)
    return replace(made, **changes)


def record(**given: Any) -> Record:
    """A number of `COCO`, of the first seed, before its interval is known."""
    plain = {"dataset": COCO.name, "split": COCO.split, "stage": None, "weights": None}
    return Record(**{**plain, "model": None, "ci": None, "seen": (), "seed": 0, **given})
