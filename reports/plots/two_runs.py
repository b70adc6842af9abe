"""What changed from one run to another, as dots with intervals."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from reports.plots.figure import Plot, panels, style
from reports.plots.names import labels
from reports.results.two_runs import Change, changes
from reports.tables.csv import inert
from reports.tables.text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reports.results.cell import Judge
    from reports.results.results import Results

SAYS = (
    "Second run − first run with the 95 % interval of the difference; a filled mark differs by "
    "more than chance, all rows taken together."
)


def dots(first: Results, second: Results) -> Plot | None:
    """A panel per task, a row per condition; None where the two have nothing in common."""
    import matplotlib as mpl

    by_judge: dict[Judge, list[Change]] = {}
    for change in changes(first, second):
        by_judge.setdefault(change.first.judge, []).append(change)
    if not by_judge:
        return None
    most = max(map(len, by_judge.values()))
    with mpl.rc_context({"text.parse_math": False}):
        figure, drawn = panels(len(by_judge), 5.0, 1.0 + 0.36 * most)
        for panel, (judge, mine) in zip(drawn, by_judge.items(), strict=True):
            for y, change in enumerate(mine):
                look = style(0)
                if change.ci is not None:
                    panel.plot(change.ci, (y, y), color=look["color"], lw=2, alpha=0.6)
                filled = change.verdict in ("higher", "lower")
                panel.plot(
                    change.difference,
                    y,
                    **look,
                    ms=7,
                    markerfacecolor=look["color"] if filled else "white",
                )
            panel.axvline(0, color="black", lw=1)
            called = labels(c.first.condition for c in mine)
            panel.set_yticks(range(len(mine)), [called[c.first.condition] for c in mine])
            panel.set_ylim(len(mine) - 0.5, -0.5)
            heading = first.metrics[mine[0].first.metric].heading
            panel.set_title(plain(first.called(judge)), fontsize=10)
            panel.set_xlabel(f"{heading}, second − first")
            panel.grid(axis="x", alpha=0.3)
    alt = "Differences between the two runs, a row per condition, the numbers of the table"
    return Plot("compare", "What changed", figure, alt, _csv(by_judge), SAYS)


def _csv(by_judge: Mapping[Judge, Sequence[Change]]) -> str:
    """The dots as numbers."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["rain", "derainer", "task", "metric", "difference", "low", "high", "verdict"])
    for change in (c for found in by_judge.values() for c in found):
        at = change.first
        place = at.rain, at.condition.name, at.task, at.metric
        ends = change.ci or ("", "")
        writer.writerow([*map(inert, place), change.difference, *ends, change.verdict])
    return buffer.getvalue()
