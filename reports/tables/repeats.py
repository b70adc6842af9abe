"""Numbers over several seeds of a rain, or several trainings of a derainer, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.findings.repeats import reliabilities, repeats
from reports.results.cell import IDENTITY
from reports.results.marks import mark_of_all, marks
from reports.tables.summary import SEEDS
from reports.tables.text import Table, plain, span

if TYPE_CHECKING:
    from reports.results.results import Results


def table(runs: Sequence[Results]) -> Table:
    """A row for each number that was found at least twice."""
    rows = []
    marked: set[str] = set()
    every = repeats(runs)
    are_told = len({found.place for found in every}) < len(every)
    for found in every:
        place, decimals = found.place, found.row.decimals
        spreads = [
            "–" if spread is None else f"{spread:.{decimals + 1}f}"
            for spread in (found.over_seeds, found.over_trainings)
        ]
        rows.append(
            [
                plain(place.rain),
                "–" if place.derainer == IDENTITY else plain(place.derainer),
                plain(place.data),
                plain(place.task if place.network is None else f"{place.task} by {place.network}"),
                found.row.heading,
                str(found.seeds),
                str(found.trainings),
                f"{found.mean:.{decimals}f}{mark_of_all(found.records, marked)}",
                *spreads,
                span(found.ci, decimals, sign=False),
                span(found.both_ci, decimals, sign=False),
                *([", ".join(run[:12] for run in found.runs)] if are_told else []),
            ]
        )
    headings = ["rain", "derainer", "data set", "task", "metric", "seeds", "trainings", "mean"]
    headings += [SEEDS, "spread over trainings", "95 % over images", "95 % over all"]
    headings += ["runs"] if are_told else []
    notes = [
        "Mean over seeds of the rain and trainings, and the standard deviation over each. The last "
        "interval resamples seeds with the images, and adds Student's t for trainings: few of them "
        "make it wide."
    ]
    return headings, rows, notes + marks(marked)


def reliability_table(runs: Sequence[Results]) -> Table:
    """A row for each rain and task whose single images were scored under several seeds."""
    rows = []
    for found in reliabilities(runs):
        place = found.place
        rows.append(
            [
                plain(place.rain),
                plain(place.data),
                plain(place.task if place.network is None else f"{place.task} by {place.network}"),
                f"{found.value:.3f}",
                span(found.ci, 3, sign=False),
                str(found.seeds),
                str(found.among),
                f"{found.images:,}",
            ]
        )
    headings = ["rain", "data set", "task", "correlation", "95 % interval", "seeds", "derainers"]
    notes = [
        "Spearman's rank correlation of the scores of one image under one seed of the rain with "
        "those under another, across its derainers and the rainy input, then the mean over images: "
        "how far an image's score repeats under another rain of the kind. A measure that knows "
        "nothing of the seed reaches at most about its square root; one that sees the rainy or "
        "derained image may go beyond."
    ]
    return [*headings, "images"], rows, notes
