"""The numbers of single images as a table."""

from __future__ import annotations

import csv
import io
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from reports.results.conditions import conditions
from reports.results.record import parts_of
from reports.tables.csv import inert

if TYPE_CHECKING:
    from reports.results.results import Results


def by_image_csv(results: Results) -> str:
    """A line per condition and image, a column per metric; empty where a number is undefined.

    ``pixels`` is the beginning of the sha256 of what was shown, `ByImage.pixels`.
    """
    values = results.by_image.values
    columns = list(dict.fromkeys(parts_of(cell)[2:] for cell in values))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [f"{task}/{metric}" for task, metric in columns]
    writer.writerow(["image", "unit", "rain", "derainer", "pixels", *names])
    ids = [inert(sample) for sample in results.by_image.samples]
    units = [inert(unit.replace("\0", " block ")) for unit in results.by_image.units]
    absent = np.full(len(ids), np.nan, np.float32)
    for rain, derainer in conditions(results):
        found = [values.get("|".join((rain, derainer, *c)), absent) for c in columns]
        texts = [["" if isnan(v) else f"{v:.6g}" for v in column.tolist()] for column in found]
        where = inert(rain), inert(derainer)
        shown = results.by_image.pixels.get(f"{rain}|{derainer}", ("",) * len(ids))
        writer.writerows(
            [sample, unit, *where, *row]
            for sample, unit, *row in zip(ids, units, shown, *texts, strict=True)
        )
    return buffer.getvalue()
