"""Does a ranking of derainers carry over? As a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.findings.rankings import FEWEST, PLACE, Carried, Place, carried
from reports.tables.text import Table, plain, span

if TYPE_CHECKING:
    from reports.results.results import Results

WORDS = {"data": "data set", "network": "network", "rain": "rain", "seed": "seed", "task": "task"}
"""What two rankings differ in, in words."""


def table(runs: Sequence[Results]) -> Table:
    """A row for every pair of rankings; none where there are too few derainers."""
    rows = [
        [
            WORDS[c.differs],
            _value(c.first, c.differs),
            _value(c.second, c.differs),
            common(c),
            f"{c.tau:+.2f}",
            span(c.ci, 2),
            str(c.derainers),
        ]
        for c in carried(runs)
    ]
    headings = ["carried over to another", "from", "to", "of", "τ", "95 % interval", "derainers"]
    notes = [
        "Kendall's τ of two rankings of the same derainers by the task's primary metric: 1 for the "
        "same order, 0 for no relation, −1 for the opposite one. Intervals over resampled images, "
        f"which rank anew each time. Fewer than {FEWEST} derainers are not ranked."
    ]
    return headings, rows, notes


def _value(place: Place, name: str) -> str:
    shown = str(getattr(place, name))
    return plain(f"{shown} by {place.network}" if name == "task" else shown)


def common(pair: Carried) -> str:
    """What both rankings share, in words."""
    left_out = {pair.differs, "seed"} | ({"network"} if pair.differs == "task" else set())
    shared = [str(getattr(pair.first, name)) for name in PLACE if name not in left_out]
    return plain(", ".join(shared))
