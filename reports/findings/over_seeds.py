"""Runs that differ in the seed of the rain alone, as one: every number the mean over the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from reports.findings.repeats import reliabilities
from reports.results.intervals import level_interval
from reports.results.results import ByImage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from reports.results.cell import Cell
    from reports.results.record import Correlation, Record
    from reports.results.results import Results

_WHAT = ("rain", "derainer", "task", "network", "metric", "quality", "among", "is_learned")
"""By which the correlations of two runs are told to be the same."""


def averaged(runs: Sequence[Results]) -> Results | None:
    """The first run with the mean of all in the place of its numbers, and their spread beside it.

    Intervals resample the images, the same of all seeds in each resample; what has no number under
    every seed has none. Pictures, curves and costs of single runs are left out.

    Args:
        runs: Of one command, several seeds.

    Returns:
        None where they are of other images.
    """
    first = runs[0]
    if len({run.provenance.data_fingerprint for run in runs}) > 1:
        return None
    are_paired = len({run.sets for run in runs}) == 1
    seeds = [int(run.spec["seed"]) for run in runs]
    draws: dict[Cell, NDArray[np.float64]] = {}
    for cell in first.draws:
        drawn = [run.draws.get(at) for run, at in zip(runs, _places(cell, seeds), strict=True)]
        if are_paired and all(d is not None for d in drawn):
            draws[cell] = np.mean([d for d in drawn if d is not None], 0, np.float64)
    records: list[Record] = []
    spreads: dict[Cell, float] = {}
    for record in first.records:
        places = zip(runs, _places(record.cell, seeds), strict=True)
        twins = [run.at(at.condition, at.judge, at.metric) for run, at in places]
        made_of = [t for t in twins if t is not None]
        records.append(_mean_record(made_of, len(runs), draws.get(record.cell), first))
        if records[-1].value is not None and not record.condition.is_dry:
            spreads[record.cell] = float(np.std([float(t.value or 0) for t in made_of], ddof=1))
    said = (
        f"every number is the mean over {len(seeds)} seeds of the rain, a run each (what came back "
        "of the rain's cost is a share of the means): "
        + ", ".join(
            f"seed {seed} run {run.run[:12]}" for seed, run in zip(seeds, runs, strict=True)
        )
    )
    notes = (*first.provenance.data_notes, said)
    return replace(
        first,
        spec={**first.spec, "seed": min(seeds), "seeds": len(seeds)},
        records=records,
        draws={cell: d.astype(np.float32) for cell, d in draws.items()},
        provenance=replace(first.provenance, data_notes=notes),
        cost=[],
        curves={},
        gallery=[],
        by_image=_by_image(runs, seeds),
        correlations=_correlations(runs),
        spread_over_seeds=spreads,
        found=None,
    )


def _mean_record(
    twins: Sequence[Record], seeds: int, draws: NDArray[np.float64] | None, run: Results
) -> Record:
    """One number over its seeds, with an interval where each has one."""
    one = twins[0]
    values = [t.value for t in twins if t.value is not None]
    if len(values) < seeds:
        why = one.why if one.value is None else "not measured under every seed"
        return replace(one, value=None, ci=None, why=why)
    mean, n = float(np.mean(values)), min(t.n for t in twins)
    ci = None
    if draws is not None and all(t.ci is not None for t in twins):
        ci = level_interval(draws, mean, min(run.groups(t) for t in twins))
    groups = min((t.groups for t in twins if t.groups is not None), default=None)
    return replace(one, value=mean, ci=ci, n=n, groups=groups)


def _places(cell: Cell, seeds: Sequence[int]) -> list[Cell]:
    """The place of a number under each seed."""
    return [replace(cell, condition=replace(cell.condition, seed=seed)) for seed in seeds]


def _by_image(runs: Sequence[Results], seeds: Sequence[int]) -> ByImage:
    """The means of each image's numbers."""
    first = runs[0].by_image
    if any((r.by_image.samples, r.by_image.units) != (first.samples, first.units) for r in runs):
        return ByImage()
    values = {}
    for cell in first.values:
        places = zip(runs, _places(cell, seeds), strict=True)
        found = [run.by_image.values.get(at) for run, at in places]
        if all(f is not None for f in found):
            values[cell] = np.mean([f for f in found if f is not None], 0)
    return replace(first, values=values, pixels={})


def _correlations(runs: Sequence[Results]) -> list[Correlation]:
    """Means over the seeds, with the mean of their intervals' ends, which is rather too wide.

    Beside those within an image stands what its scores under one seed tell of those under another.
    """
    repeated = {(c.place.rain, c.place.task, c.place.network): c for c in reliabilities(runs)}
    found = []
    for one in runs[0].correlations:
        twins = [c for run in runs for c in run.correlations if _same(c, one)]
        if len(twins) < len(runs):
            continue
        mean = replace(
            one,
            value=float(np.mean([t.value for t in twins])),
            ci=_ends([t.ci for t in twins]),
            n=min(t.n for t in twins),
            other_task=_mean([t.other_task for t in twins]),
            other_task_ci=_ends([t.other_task_ci for t in twins]),
            partial=_mean([t.partial for t in twins]),
            partial_ci=_ends([t.partial_ci for t in twins]),
        )
        other = repeated.get((one.rain, one.task, one.network))
        if other is not None and one.derainer is None and not one.is_learned:
            mean = replace(mean, other_seed=other.value, other_seed_ci=other.ci)
        found.append(mean)
    return found


def _same(one: Correlation, other: Correlation) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _WHAT)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def _ends(
    cis: Sequence[tuple[float, float] | None],
) -> tuple[float, float] | None:
    low, high = (_mean([ci and ci[end] for ci in cis]) for end in (0, 1))
    return None if low is None or high is None else (low, high)
