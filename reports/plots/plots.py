"""Plots of a run: dots with intervals, sweeps, and one number against another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from reports.plots.figure import Plot
from reports.plots.scores import scores
from reports.results.sweeps import sweeps as sweeps_of
from reports.tables.csv import csv_text
from reports.tables.text import plain

if TYPE_CHECKING:
    from reports.results.results import Results


def plots(results: Results) -> list[Plot]:
    """All plots, task by task."""
    import matplotlib as mpl

    with mpl.rc_context({"text.parse_math": False}):  # names are text, whatever they hold
        return [
            plot for task in results.tasks for plot in _of_task(results, task) if plot is not None
        ]


def _of_task(results: Results, task: str) -> Iterator[Plot | None]:
    """What was regained, scores, sweeps, single images, curves, classes, one against another."""
    from reports.plots import classes, curves, gains, regained, scatter, sweeps

    names = [m for t, m in results.columns if t == task]
    if not names:
        return
    held = [r for r in results.records if r.task == task and r.metric in names]
    titles = ", ".join(results.metrics[m].heading for m in names)
    yield regained.regained(results, task)
    figure = scores(results, task)
    if figure is not None:
        alt = f"{titles} of {len(results.conditions)} conditions, the numbers of the table"
        yield Plot(task, f"Scores, {task}", figure, alt, csv_text(results, held))
    for sweep in sweeps_of(results):
        figure = sweeps.draw(results, sweep, task)
        if figure is not None:
            name = re.sub(r"[^\w.=-]+", "-", f"{sweep.rain}-{sweep.parameter}-{task}")
            by = f"by {plain(sweep.parameter)} of {plain(sweep.rain)}"
            inputs = set(sweep.inputs.values())
            numbers = csv_text(
                results, [r for r in held if r.condition.is_dry or r.condition.rainy in inputs]
            )
            yield Plot(name, f"Scores {by}, {task}", figure, f"{titles} {by}", numbers)
    yield gains.gains(results, task)
    yield curves.curves(results, task)
    yield classes.change(results, task)
    yield from scatter.scatters(results, task)
