"""Numbers over several seeds of a rain, or several trainings of a derainer, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.results.cell import IDENTITY
from reports.results.repeats import repeats
from reports.tables.text import Table, plain, span

if TYPE_CHECKING:
    from reports.results.results import Results


def table(runs: Sequence[Results]) -> Table:
    """A row for each number that was found at least twice."""
    rows = []
    for found in repeats(runs):
        place, decimals = found.place, found.row.decimals
        rows.append(
            [
                found.over,
                str(found.times),
                plain(place.rain),
                "–" if place.derainer == IDENTITY else plain(place.derainer),
                plain(place.data),
                plain(place.task if place.network is None else f"{place.task} by {place.network}"),
                found.row.heading,
                f"{found.mean:.{decimals}f}",
                f"{found.spread:.{decimals + 1}f}",
                span(found.ci, decimals, sign=False),
                span(found.both_ci, decimals, sign=False),
            ]
        )
    headings = ["over", "times", "rain", "derainer", "data set", "task", "metric", "mean"]
    headings += ["spread", "95 % over images", "95 % over images and repeats"]
    notes = [
        "Mean over the repeats, and their standard deviation. The last interval resamples the "
        "repeats with the images; of three repeats it is a rough one."
    ]
    return headings, rows, notes
