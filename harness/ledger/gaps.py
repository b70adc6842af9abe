"""Which images the means of a results folder leave out, by its ``images.csv``."""

from __future__ import annotations

import csv
import io
from collections import Counter

import numpy as np

from reports.results.cell import Cell
from reports.results.gaps import gap
from reports.results.results import QUALITY, Results
from reports.tables.by_image import column
from reports.tables.csv import inert

IMAGES = "images.csv"


def gaps_of(results: Results, table: bytes) -> dict[Cell, bytes | None]:
    """What `reports.results.gaps.gap` gives of the numbers of single images, which stay unread.

    Args:
        results: The folder's records.
        table: Its ``images.csv``.

    Returns:
        By cell of image quality; empty where every mean is over all images.

    Raises:
        ValueError: If it is no such table.
    """
    means = [r for r in results.records if r.task == QUALITY]
    if not any(r.n_identical or r.why for r in means):
        return {}
    try:
        lines = list(csv.DictReader(io.StringIO(table.decode(), newline="")))
    except csv.Error as error:
        raise ValueError(f"{IMAGES}: {error}") from error
    held: dict[tuple[str, str], list[dict[str, str]]] = {}
    for line in lines:
        held.setdefault((line["rain"], line["derainer"]), []).append(line)
    places = {r.condition: (inert(r.rain), inert(r.condition.name)) for r in means}
    times = Counter(places.values())
    found = {}
    for record in means:
        place, name = places[record.condition], column(results, record.judge, record.metric)
        mine = held.get(place, [])
        if times[place] == 1 and mine and name in mine[0]:
            values = [float(line[name] or "nan") for line in mine]
            found[record.cell] = gap(np.array(values, np.float64))
    return found
