"""The rows of tasks and metrics that travel with a run's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

from reports.findings import robustness
from reports.findings.effects import ROBUSTNESS
from reports.results.metrics import MetricRow, TaskRow
from reports.results.results import QUALITY, Results
from tasks import quality
from tasks import rows as tasks
from tasks.rows import TASKS, ScoresRow
from tasks.task import MetricRow as Measured


def task_row(row: ScoresRow) -> TaskRow:
    """What tables must know of a task."""
    return TaskRow(row.title, row.caption, row.image_metric, row.found, row.colours)


def metric_rows(
    row: ScoresRow, measured: Mapping[str, Measured], units: int
) -> dict[str, MetricRow]:
    """What tables must know of a task's metrics.

    Args:
        row: The task's.
        measured: What its scorer says of each metric.
        units: That the run resamples: few of them have another primary metric than many.
    """
    wanted = row.primary_of(units)
    # Under another protocol alone, that is the primary metric.
    primary = next((m for m in measured if m == wanted or m.startswith(f"{wanted}@")), None)
    return {
        name: MetricRow(
            **asdict(each),
            decimals=3 if each.unit == "fraction" else 2,
            primary=name == primary,
        )
        for name, each in measured.items()
    }


def part_row(row: MetricRow, of: str, label: str) -> MetricRow:
    """The row of a metric of a part of the set alone.

    Args:
        row: The metric's of the whole set.
        of: Its name.
        label: The part, ``attribute=value``.
    """
    return replace(
        row, by="part", label=label, of=of, primary=False, is_column=False, is_judged=False
    )


def every_row() -> dict[str, MetricRow]:
    """The metrics of the harness that stand literally in its tables: what print is held against."""
    found = metric_rows(tasks.QUALITY, {m: quality.metric_row(m) for m in quality.METRICS}, 0)
    for row in TASKS.values():
        found |= metric_rows(row.scores, row.metrics, 0)
    return found


def with_rows(results: Results) -> Results:
    """Results with the rows of tasks and metrics; version 0.1 wrote none."""
    if results.metrics:
        return results
    units = results.resampled
    rows = {name: row.scores for name, row in TASKS.items()} | {QUALITY: tasks.QUALITY}
    held = {r.task for r in results.records}
    rows = {name: row for name, row in rows.items() if name in held}
    metrics: dict[str, MetricRow] = {}
    for task, row in rows.items():
        names = {r.metric: None for r in results.records if r.task == task}
        metrics |= _rows_of_names(task, row, list(names), units)
    for record in (r for r in results.records if r.task == ROBUSTNESS):
        kind, _, of = record.metric.partition("/")
        metrics[record.metric] = robustness.row_of(kind, metrics[of])
    known = {name: task_row(row) for name, row in rows.items()}
    return replace(results, tasks=known, metrics=metrics)


def _rows_of_names(task: str, row: ScoresRow, names: list[str], units: int) -> dict[str, MetricRow]:
    """Rows of metrics by what their names say, as far as version 0.1 had them."""
    if task == QUALITY:
        places = list(quality.METRICS)
        names = sorted(names, key=lambda m: places.index(quality.literal(m)))
    literal = {} if task == QUALITY else dict(TASKS[task].metrics)
    whole = dict(literal)
    parts: dict[str, tuple[str, str]] = {}
    for name in names:
        base, slash, label = name.partition("/")
        if task == QUALITY and not slash:
            whole[name] = quality.metric_row(name)
        elif slash and base == row.metric_of_parts and "=" in label:
            parts[name] = base, label
        elif slash and base in literal and literal[base].is_column and base != "box_ap":
            whole[name] = literal[base].of("class", label)
        elif name not in whole:
            whole[name] = Measured("IoU").of("class", label) if slash else Measured(name)
    rows = metric_rows(row, whole, units)
    return rows | {name: part_row(rows[of], of, label) for name, (of, label) in parts.items()}
