"""Points that deraining regains: its change of the task's primary metric, with the verdict."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.findings.effects import Effect, effects
from reports.plots.figure import Plot, legend_below, panels, style
from reports.plots.names import rains, ways
from reports.results.cell import Condition, Judge
from reports.results.conditions import derainers
from reports.tables.csv import inert
from reports.tables.text import plain, signed

if TYPE_CHECKING:
    from reports.results.results import Results

SAYS = (
    "Paired difference to the rainy input with its 95 % interval; a filled mark differs by more "
    "than chance, and the dashed line is all that the rain cost."
)


def regained(results: Results, judge: Judge) -> Plot | None:
    """A panel per rain, a row per derainer; a hollow mark where no difference was shown.

    The dashed line is all that the rain cost: a derainer that reaches it gives the clean score.
    """
    found = [e for e in effects(results) if e.judge == judge]
    if not found:
        return None
    wet, order = list(dict.fromkeys(e.condition.rainy for e in found)), derainers(results)
    rows = sorted({e.condition.name for e in found}, key=order.index)
    title = found[0].row.heading
    called, under = ways(results), rains(results)
    figure, drawn = panels(len(wet), 4.2, 1.4 + 0.36 * len(rows), sharex=True, sharey=True)
    for panel, rainy in zip(drawn, wet, strict=True):
        for effect in (e for e in found if e.condition.rainy == rainy):
            name = effect.condition.name
            y, look = rows.index(name), style(order.index(name))
            if effect.ci is not None:
                panel.plot(effect.ci, (y, y), color=look["color"], lw=2, alpha=0.6)
            is_shown = effect.verdict in ("better", "worse")
            face = look["color"] if is_shown else "white"
            panel.plot(effect.difference, y, **look, ms=7, markerfacecolor=face)
            panel.annotate(
                signed(effect.difference, effect.row.decimals),
                (effect.difference, y),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
        panel.axvline(0, color="black", lw=1)
        cost = _cost(results, found[0], rainy)
        if cost is not None:
            panel.axvline(cost, color="black", lw=1, ls="--", label="all that the rain cost")
        panel.set_title(under[rainy.rain], fontsize=10)
        panel.set_xlabel(f"{title}, derained − rainy")
        panel.grid(axis="x", alpha=0.3)
        panel.margins(x=0.12)
    drawn[0].set_yticks(range(len(rows)), [called[name] for name in rows])
    drawn[0].set_ylim(len(rows) - 0.5, -0.7)
    legend_below(figure)
    said = "; ".join(
        f"{e.condition.rain}, {e.condition.name} {signed(e.difference, e.row.decimals)}, "
        f"{e.verdict or 'no verdict'}"
        for e in found
    )
    alt = f"Change of {title} by each derainer, with 95 % intervals: {said}"
    task = plain(results.called(judge))
    return Plot(
        f"change-{results.slug(judge)}",
        f"Points regained, {task}",
        figure,
        alt,
        _csv(found),
        SAYS,
    )


def _cost(results: Results, effect: Effect, rainy: Condition) -> float | None:
    """What the rain cost; None in decibels, where the clean image has no finite score."""
    clean, floor = (results.at(c, effect.judge, effect.metric) for c in (rainy.clean, rainy))
    if clean is None or floor is None or clean.value is None or floor.value is None:
        return None
    return clean.value - floor.value


def _csv(found: Sequence[Effect]) -> str:
    """The rows as numbers."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["rain", "derainer", "metric", "change", "low", "high", "verdict"])
    for e in found:
        names = map(inert, (e.condition.rain, e.condition.name, e.metric))
        writer.writerow([*names, e.difference, *(e.ci or (None, None)), e.verdict])
    return buffer.getvalue()
