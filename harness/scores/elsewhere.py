"""Numbers of what was made elsewhere: restored images, predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from harness.plan.rows import metric_rows, task_row
from harness.scores.replicates import on_resampled, resample_counts
from reports.results.cell import Cell, Condition, Data
from reports.results.intervals import level_interval
from reports.results.metrics import MetricRow, TaskRow
from reports.results.record import Record
from reports.results.results import ByImage
from tasks.rows import ScoresRow
from tasks.task import Evidence, Score, Scorer


@dataclass(frozen=True)
class Numbers:
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


def numbers(made: Made, scorer: Scorer, row: ScoresRow, evidences: Sequence[Evidence]) -> Numbers:
    """Scores of the set, their values on its resamples, and the numbers of single images.

    Args:
        made: What is scored.
        scorer: Scores it.
        row: The task's.
        evidences: One per image, in the order of ``made.samples``.
    """
    tasks = {made.task: task_row(row)}
    if not evidences:
        return Numbers([], {}, {}, tasks, ByImage(), {})
    cell, n = made.cell, len(evidences)
    rows = metric_rows(row, scorer.rows(), n)
    counts = resample_counts(made.fingerprint, made.units)
    draws = {
        cell.of(metric): values.astype(np.float32)
        for metric, values in on_resampled(partial(scorer.resample, evidences), counts).items()
        if row.resampled(metric, n)
    }
    records = [
        _record(made, cell.of(metric), rows[metric], score, draws.get(cell.of(metric)))
        for metric, score in scorer.reduce(evidences).items()
    ]
    values, curves = (
        {cell.of(metric): array.astype(np.float32) for metric, array in arrays.items()}
        for arrays in (scorer.by_image(evidences), scorer.curves(evidences))
    )
    held = {r.metric for r in records} | {place.metric for place in values}
    return Numbers(
        records=sorted(records, key=lambda r: r.metric),
        draws={r.cell: draws[r.cell] for r in records if r.cell in draws},
        metrics={metric: about for metric, about in rows.items() if metric in held},
        tasks=tasks,
        by_image=ByImage(tuple(made.samples), tuple(made.units), values),
        curves=curves,
    )


def _record(
    made: Made, cell: Cell, row: MetricRow, score: Score, drawn: NDArray[np.float32] | None
) -> Record:
    ci = None
    if score.value is not None and score.has_interval and drawn is not None:
        ci = level_interval(drawn, score.value, len(set(made.units)))
    condition = cell.condition
    return Record(
        dataset=condition.data.name,
        split=condition.data.split,
        rain=condition.rain,
        derainer=condition.derainer,
        weights=None,
        task=cell.task,
        model=cell.network,
        metric=cell.metric,
        value=score.value,
        n=len(made.units),
        ci=ci,
        seen=None,
        seed=condition.seed,
        unit=row.unit,
        why=score.why,
        n_identical=score.n_identical,
    )
