"""The numbers of single images as a table."""

from __future__ import annotations

import csv
import io
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from reports.results.cell import Judge
from reports.results.conditions import conditions
from reports.tables.csv import inert

if TYPE_CHECKING:
    from reports.results.results import Results


def column(results: Results, judge: Judge, metric: str) -> str:
    """The heading of a metric's column."""
    return str(inert(f"{results.called(judge)}/{metric}"))


def by_image_csv(results: Results) -> str:
    """A line per condition and image, a column per metric; empty where a number is undefined.

    ``pixels`` is the beginning of the sha256 of what was shown, `ByImage.pixels`.
    """
    cells = results.by_image.values
    by_place = {(c.condition, c.judge, c.metric): v for c, v in cells.items()}
    columns = list(dict.fromkeys((cell.judge, cell.metric) for cell in cells))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [column(results, *each) for each in columns]
    writer.writerow(["image", "unit", "rain", "derainer", "pixels", *names])
    ids = [inert(sample) for sample in results.by_image.samples]
    units = [inert(unit.replace("\0", " block ")) for unit in results.by_image.units]
    absent = np.full(len(ids), np.nan, np.float32)
    for condition in conditions(results):
        found = [by_place.get((condition, *c), absent) for c in columns]
        texts = [["" if isnan(v) else f"{v:.6g}" for v in values.tolist()] for values in found]
        where = inert(condition.rain), inert(condition.name)
        shown = results.by_image.pixels.get(condition, ("",) * len(ids))
        writer.writerows(
            [sample, unit, *where, *row]
            for sample, unit, *row in zip(ids, units, shown, *texts, strict=True)
        )
    return buffer.getvalue()
