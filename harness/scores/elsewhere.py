"""Records of what was made elsewhere: restored images, predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from reports.results.intervals import level_interval
from reports.results.record import Record
from reports.results.results import ByImage
from tasks.task import Score


def by_image_of(
    samples: Sequence[str],
    units: Sequence[str],
    where: str,
    values: Mapping[str, NDArray[np.float64]],
) -> ByImage:
    """Numbers of single images of one condition and task, whose cells begin with ``where``."""
    cells = {f"{where}|{metric}": v.astype(np.float32) for metric, v in values.items()}
    return ByImage(tuple(samples), tuple(units), cells)


def records_of(
    scores: Mapping[str, Score],
    drawn: Mapping[str, NDArray[np.float64]],
    groups: Sequence[str],
    of: Mapping[str, str],
) -> tuple[list[Record], dict[str, NDArray[np.float32]]]:
    """Numbers of what was made elsewhere, and their values on resampled sets by cell.

    Args:
        scores: By metric.
        drawn: ``(B,)`` values of each primary metric.
        groups: What each image was drawn with.
        of: ``dataset split derainer task`` of the records.
    """
    records, draws = [], {}
    for metric, found in scores.items():
        samples = drawn[metric].astype(np.float32) if metric in drawn else None
        ci = None
        if found.value is not None and samples is not None:
            ci = level_interval(samples, found.value, len(set(groups)))
        record = Record(
            **of,
            rain="given",
            weights=None,
            model=None,
            metric=metric,
            value=found.value,
            n=len(groups),
            ci=ci,
            seen=None,
            seed=0,
            unit=found.unit,
            why=found.why,
            n_identical=found.n_identical,
        )
        records.append(record)
        if samples is not None:
            draws[record.cell()] = samples
    return records, draws
