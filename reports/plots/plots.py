"""Plots of a run: dots with intervals, sweeps, and one number against another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reports.findings.sweeps import sweeps as sweeps_of
from reports.plots.figure import Plot
from reports.plots.scores import scores
from reports.results.cell import Judge
from reports.results.file_names import file_names
from reports.tables.csv import csv_text
from reports.tables.text import plain

if TYPE_CHECKING:
    from reports.results.results import Results

SCORES = "Every value of the first table, with its 95 % interval where it has one."
SWEEP = "How the score of the rainy input and of each derainer falls as the rain grows."


def plots(results: Results) -> list[Plot]:
    """All plots, task by task."""
    import matplotlib as mpl

    from reports.plots import rankings

    with mpl.rc_context({"text.parse_math": False}):  # names are text, whatever they hold
        drawn = [plot for judge in results.judges for plot in _of(results, judge)]
        return [plot for plot in (*drawn, rankings.rankings(results)) if plot is not None]


def _of(results: Results, judge: Judge) -> Iterator[Plot | None]:
    """What was regained, scores, sweeps, single images, curves, classes, one against another."""
    from reports.plots import classes, curves, gains, regained, scatter, sweeps

    names = [m for t, m in results.columns if t == judge.task]
    if not names:
        return
    held = [r for r in results.records if r.judge == judge and r.metric in names]
    titles = ", ".join(results.metrics[m].heading for m in names)
    task = plain(results.called(judge))
    yield regained.regained(results, judge)
    figure = scores(results, judge)
    if figure is not None:
        alt = f"{titles} of {len(results.conditions)} conditions, the numbers of the table"
        yield Plot(
            results.slug(judge), f"Scores, {task}", figure, alt, csv_text(results, held), SCORES
        )
    found = sweeps_of(results)
    named = file_names(f"{sweep.rain}-{sweep.parameter}" for sweep in found)
    for sweep in found:
        figure = sweeps.draw(results, sweep, judge)
        if figure is not None:
            name = f"{named[f'{sweep.rain}-{sweep.parameter}']}-{results.slug(judge)}"
            by = f"by {plain(sweep.parameter)} of {plain(sweep.rain)}"
            inputs = set(sweep.inputs.values())
            numbers = csv_text(
                results, [r for r in held if r.condition.is_dry or r.condition.rainy in inputs]
            )
            yield Plot(name, f"Scores {by}, {task}", figure, f"{titles} {by}", numbers, SWEEP)
    yield gains.gains(results, judge)
    yield curves.curves(results, judge)
    yield classes.change(results, judge)
    yield from scatter.scatters(results, judge)
