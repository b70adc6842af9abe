"""The numbers of a set under one condition, of one task or of image quality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from harness.plan.rows import metric_rows
from harness.scores.class_order import ClassOrder
from harness.scores.confidences import Confidences
from reports.results.cell import Cell
from reports.results.intervals import FEWEST, level_interval
from reports.results.metrics import MetricRow
from reports.results.record import Record
from reports.results.results import QUALITY
from tasks.rows import ScoresRow
from tasks.task import Evidence, Score, Scorer


@dataclass
class Numbers:
    """The numbers of some conditions."""

    records: list[Record] = field(default_factory=list)
    metrics: dict[str, MetricRow] = field(default_factory=dict)
    draws: dict[Cell, NDArray[np.float32]] = field(default_factory=dict)
    values: dict[Cell, NDArray[np.float32]] = field(default_factory=dict)
    curves: dict[Cell, NDArray[np.float32]] = field(default_factory=dict)
    objects: dict[str, int] = field(default_factory=dict)
    ranked: dict[tuple[str, str], Confidences] = field(default_factory=dict)
    """By the network, in words, and what it found."""
    ordered: dict[tuple[str, str], ClassOrder] = field(default_factory=dict)
    """By the task and its network."""

    def take(self, other: Numbers) -> None:
        """Add those of another condition or task."""
        self.records += other.records
        self.metrics |= other.metrics
        self.draws |= other.draws
        self.values |= other.values
        self.curves |= other.curves
        self.objects |= other.objects
        for found, confidences in other.ranked.items():
            self.ranked[found] = self.ranked.get(found, Confidences()) + confidences
        for found, order in other.ordered.items():
            self.ordered[found] = self.ordered.get(found, ClassOrder()) + order

    def doubts(self, names: Mapping[str, Mapping[int, str]]) -> list[str]:
        """Whose classes may be in another order than the data set's, by task."""
        return [
            text
            for (task, network), order in self.ordered.items()
            for text in order.doubt(f"{task} by {network}", names.get(task, {}))
        ]

    def cuts(self) -> list[str]:
        """Whose boxes or masks were cut at a confidence."""
        return [text for found, of in self.ranked.items() for text in of.doubt(*found)]


@dataclass(frozen=True)
class About:
    """What all numbers of a condition and task have in common."""

    place: Cell
    """Where they stand, but for the metric."""
    weights: str | None = None
    seen: tuple[str, ...] | None = None
    """See `Record.seen`."""

    def record(
        self,
        metric: str,
        row: MetricRow,
        score: Score,
        units: Sequence[str],
        sample: NDArray[np.float32] | None,
        groups: int | None = None,
    ) -> Record:
        """One number with all that it belongs to.

        Args:
            metric: Its name.
            row: The metric's.
            score: The number.
            units: What each of its images is drawn with.
            sample: ``(B,)`` on the resampled sets; None where these give it no interval.
            groups: Of how many units it is, see `groups_of`; None: of all.
        """
        place, ci = self.place.condition, None
        count = len(set(units)) if groups is None else groups
        if score.value is not None and sample is not None:
            ci = level_interval(sample, score.value, count)
        return Record(
            dataset=place.data.name,
            split=place.data.split,
            rain=place.rain,
            derainer=place.derainer,
            stage=place.stage,
            weights=self.weights,
            task=self.place.task,
            model=self.place.network,
            metric=metric,
            value=score.value,
            n=len(units),
            ci=ci,
            seen=self.seen,
            seed=place.seed,
            unit=row.unit,
            why=score.why,
            n_identical=score.n_identical,
            groups=None if count == len(units) else count,
        )


def groups_of(
    scorer: Scorer, evidences: Sequence[Evidence], units: Sequence[str]
) -> dict[str, int]:
    """Of how many groups of images each mean over images is: those where one has a value.

    An image that equals its reference has no PSNR, and one without structure no NIQE.
    """
    return {
        metric: len({unit for unit, value in zip(units, values, strict=True) if isfinite(value)})
        for metric, values in scorer.by_image(evidences).items()
    }


def of_set(
    about: About,
    scorer: Scorer,
    row: ScoresRow,
    evidences: Sequence[Evidence],
    units: Sequence[str],
    scores: Mapping[str, Score],
    drawn: Mapping[str, NDArray[np.float32]],
) -> Numbers:
    """Scores of the set, their values on its resamples, and the numbers of single images.

    Args:
        about: What they are of.
        scorer: Made the scores.
        row: The task's.
        evidences: One per image, at least one.
        units: What each image is drawn with.
        scores: By metric.
        drawn: ``(B,)`` of those that are resampled, by metric.

    Raises:
        ValueError: If the task has no row for one of its scores.
    """
    groups = len(set(units))
    rows, of = metric_rows(row, scorer.rows(), groups), dict[str, int]()
    if about.place.task == QUALITY:
        of = groups_of(scorer, evidences, units)
    if of and groups >= FEWEST:
        drawn = {metric: each for metric, each in drawn.items() if of[metric] >= FEWEST}
    levels = {metric: each for metric, each in drawn.items() if row.has_level(metric, groups)}
    if strange := scores.keys() - rows.keys():
        raise ValueError(f"task {about.place.task} has no row for its number {min(strange)}")
    values, curves = (
        {about.place.of(metric): array.astype(np.float32) for metric, array in arrays.items()}
        for arrays in (scorer.by_image(evidences), scorer.curves(evidences))
    )
    return Numbers(
        records=[
            about.record(m, rows[m], s, units, levels.get(m), of.get(m)) for m, s in scores.items()
        ],
        metrics=rows,
        draws={about.place.of(metric): drawn[metric] for metric in scores if metric in drawn},
        values=values,
        curves=curves,
    )
