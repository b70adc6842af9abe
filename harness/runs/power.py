"""How many images would show a change, before a run: from a pilot, or from photographs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.ledger.ledger import LEDGER
from harness.ledger.runs import finished_runs
from harness.plan.plan import Plan, make_plan
from harness.plan.rows import metric_rows
from harness.scores.replicates import draws_for
from harness.spec import RunSpec, UsageError
from reports.results.cell import IDENTITY
from reports.results.intervals import FEWEST, LEVEL, shown_deviations
from reports.results.metrics import MetricRow
from reports.results.results import QUALITY, Results
from tasks import quality
from tasks import rows as tasks
from tasks.rows import TASKS

OF_PHOTOGRAPHS = {"ap_pooled": 0.109, "mask_ap_pooled": 0.077, "psnr_y_db": 1.30}
"""Standard deviation of the paired change, times the root of the number of images: the median
filter on coco128 under photoshop-heavy, YOLOv8n; the other filters change less, and vary less.
From docs/statistics.json, where ``benchmarks/coverage.py deviation/coco128/METRIC`` puts them."""
MOST = 10**7
"""Images that nobody has."""


@dataclass(frozen=True)
class Need:
    """The images that one task needs."""

    task: str
    row: MetricRow
    """Of its primary metric."""
    deviation: float | None
    """Of the paired change, times the root of the number of images; None where it is not known."""
    source: str
    """Where that is known from, in words."""
    images: int | None
    """Of which 80 % of studies show the change; groups, where images come in groups."""


def needs(spec: RunSpec, change: float) -> tuple[int, list[Need]]:
    """Derainers that are judged together, and what each task needs to show a change.

    Args:
        spec: The run.
        change: In the unit of the primary metric; of the tasks where there is one, else of PSNR.

    Raises:
        UsageError, DatasetError, DerainerError, TaskError: As `make_plan`.
    """
    if not 0 < change < math.inf:
        raise UsageError(f"--power {change}: give the change to show, above 0: 0.01")
    plan = make_plan(spec, {})
    family = len({c.derainer.name for c in plan.conditions} - {IDENTITY})
    pilots = (
        finished_runs([Path(spec.workspace)]) if (Path(spec.workspace) / LEDGER).is_file() else []
    )
    wanted = dict.fromkeys(task.name for task in plan.tasks) or {QUALITY: None}
    return family, [_need(plan, task, change, family, pilots) for task in wanted]


def _need(plan: Plan, task: str, change: float, family: int, pilots: Sequence[Results]) -> Need:
    """What one task needs, by the newest run that knows it."""
    found, source = None, ""
    row = tasks.QUALITY if task == QUALITY else TASKS[task].scores
    named = (
        {m: quality.metric_row(m) for m in plan.metrics} if task == QUALITY else TASKS[task].metrics
    )
    rows = metric_rows(row, named, 0)
    metric = next((m for m, about in rows.items() if about.primary), None)
    if metric is None:
        raise UsageError("--power: the run has no task, and PSNR is not among --quality")
    for run in pilots:
        found = paired_deviation(run, task, metric)
        if found is not None:
            source = f"run {run.run[:12]} of this workspace"
            break
    else:
        found = OF_PHOTOGRAPHS.get(metric)
        source = "the median filter on 128 photographs under photoshop-heavy"
    images = None if found is None else images_needed(found, change, family)
    return Need(task, rows[metric], found, source, images)


def paired_deviation(run: Results, task: str, metric: str) -> float | None:
    """The largest of a run's derainers, times the root of its groups; None where it has none."""
    found = []
    for record in run.records:
        floor = run.at(record.condition.rainy, record.judge, metric)
        is_one = record.task == task and record.metric == metric
        if floor is None or not is_one or not record.condition.is_restored:
            continue
        a, b = run.draws.get(floor.cell), run.draws.get(record.cell)
        groups = run.groups(record)
        if a is None or b is None or groups < FEWEST or record.condition.is_dry:
            continue
        drawn = float(np.nanstd(b.astype(np.float64) - a, ddof=1))
        found.append(drawn * math.sqrt(groups / (groups - 1)) * math.sqrt(groups))
    return max(found, default=None)


def images_needed(deviation: float, change: float, family: int) -> int | None:
    """The fewest images of which 80 % of studies show a change.

    Args:
        deviation: Of the paired change, times the root of the number of images.
        change: In the same unit.
        family: Derainers that are judged together. How they move together is not known before a
            run, so each gets an equal part of the level, which asks for rather too many images.

    Returns:
        At least `FEWEST`; None above `MOST`.
    """
    level = LEVEL / max(family, 1)

    def shows(images: int) -> bool:
        drawn = deviation * math.sqrt((images - 1) / images) / math.sqrt(images)
        times = draws_for(max(family, 1), images)
        return drawn * shown_deviations(images, level, times) <= change

    low, high = FEWEST, MOST
    if not shows(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if shows(middle) else (middle + 1, high)
    return low
