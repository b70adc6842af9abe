"""Numbers of what was made elsewhere: restored images, predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from harness.plan.rows import task_row
from harness.scores.numbers import About, of_set
from harness.scores.replicates import draws_for, on_resampled, resample_counts
from reports.results.cell import Cell, Condition, Data
from reports.results.metrics import MetricRow, TaskRow
from reports.results.record import Record
from reports.results.results import ByImage
from tasks.rows import ScoresRow
from tasks.task import Evidence, Scorer


@dataclass(frozen=True)
class Held:
    """What a `Results` holds of one condition and task, under the names that it has there."""

    records: list[Record]
    draws: dict[Cell, NDArray[np.float32]]
    metrics: dict[str, MetricRow]
    tasks: dict[str, TaskRow]
    by_image: ByImage
    curves: dict[Cell, NDArray[np.float32]]


@dataclass(frozen=True)
class Made:
    """What was made elsewhere, and of what."""

    data: Data
    folder: str
    """Its own name, which stands for the derainer."""
    task: str
    samples: Sequence[str]
    """Ids of the images."""
    units: Sequence[str]
    """What each image is drawn with."""
    fingerprint: str
    """Digest of the data."""

    @property
    def cell(self) -> Cell:
        """Where its numbers stand, but for the metric."""
        condition = Condition(self.data, "given", 0, f"dir:{self.folder}")
        return Cell(condition, self.task, None, "")


def numbers(made: Made, scorer: Scorer, row: ScoresRow, evidences: Sequence[Evidence]) -> Held:
    """Scores of the set, their values on its resamples, and the numbers of single images.

    Args:
        made: What is scored.
        scorer: Scores it.
        row: The task's.
        evidences: One per image, in the order of ``made.samples``.
    """
    tasks = {made.task: task_row(row)}
    if not evidences:
        return Held([], {}, {}, tasks, ByImage(), {})
    units = len(set(made.units))
    times = draws_for(1, units)
    counts = resample_counts(made.fingerprint, made.units, times)
    resample = partial(scorer.resample, evidences, units=made.units)
    drawn = {
        metric: values.astype(np.float32)
        for metric, values in on_resampled(resample, counts).items()
        if row.resampled(metric, units)
    }
    scores = scorer.reduce(evidences)
    found = of_set(About(made.cell), scorer, row, evidences, made.units, scores, drawn)
    held = {r.metric for r in found.records} | {place.metric for place in found.values}
    return Held(
        records=sorted(found.records, key=lambda r: r.metric),
        draws=found.draws,
        metrics={metric: about for metric, about in found.metrics.items() if metric in held},
        tasks=tasks,
        by_image=ByImage(tuple(made.samples), tuple(made.units), found.values),
        curves=found.curves,
    )
