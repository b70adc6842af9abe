"""How far rankings of derainers carry over, as dots with intervals."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.findings.rankings import Carried, carried
from reports.plots.figure import Plot, panels
from reports.plots.names import shorts
from reports.tables.csv import inert
from reports.tables.rankings import WORDS, common
from reports.tables.text import plain

if TYPE_CHECKING:
    from reports.results.results import Results

MOST = 24
"""Pairs that a plot shows; the table has all."""

SAYS = "At 1 two rankings of the derainers agree, at 0 no better than by chance, at -1 not at all."


def rankings(results: Results) -> Plot | None:
    """A row for each pair of rankings; None where there is none."""
    found = carried([results])[:MOST]
    if not found:
        return None
    figure, (panel,) = panels(1, 6.4, 1.2 + 0.36 * len(found))
    for y, pair in enumerate(found):
        if pair.ci is not None:
            panel.plot(pair.ci, (y, y), color="0.4", lw=2, alpha=0.6)
        panel.plot(pair.tau, y, "o", color="black", ms=6)
    panel.axvline(0, color="black", lw=1)
    called = shorts({pair: [plain(_label(pair))] for pair in found})
    panel.set_yticks(range(len(found)), list(called.values()))
    panel.set_ylim(len(found) - 0.5, -0.5)
    panel.set_xlim(-1.05, 1.05)
    panel.set_xlabel("Kendall's τ of the rankings of derainers")
    panel.grid(axis="x", alpha=0.3)
    said = "; ".join(f"{_label(pair)} {pair.tau:+.2f}" for pair in found)
    alt = f"Kendall's τ between rankings of derainers, with 95 % intervals: {said}"
    return Plot("rankings", "Does a ranking carry over?", figure, alt, _csv(found), SAYS)


def _label(pair: Carried) -> str:
    first, second = (str(getattr(place, pair.differs)) for place in (pair.first, pair.second))
    return f"{WORDS[pair.differs]}: {first}, {second} ({common(pair)})"


def _csv(found: Sequence[Carried]) -> str:
    """The rows as numbers."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["differs", "first", "second", "tau", "low", "high", "derainers"])
    for pair in found:
        places = (inert(" ".join(map(str, place))) for place in (pair.first, pair.second))
        writer.writerow(
            [pair.differs, *places, pair.tau, *(pair.ci or (None, None)), pair.derainers]
        )
    return buffer.getvalue()
