"""What deraining gives back, breaks and how often, as numbers of the task ``robustness``."""

from __future__ import annotations

from dataclasses import replace

from reports.results.effects import Effect, effects
from reports.results.record import Record
from reports.results.results import Results


def robustness(results: Results) -> list[Record]:
    """Derived from each task's primary metric, for every derainer.

    Returns:
        ``recovery/<metric>``: share of what the rain cost that came back, never of decibels;
        ``harm/<metric>``, of rain ``none``: derained clean − clean; ``worse/<metric>``: share of
        the images whose own score deraining lowered.
    """
    found = {r.cell(): r for effect in effects(results) for r in _derived(results, effect)}
    return list(found.values())


def _derived(results: Results, effect: Effect) -> list[Record]:
    record = results.value(effect.rain, effect.derainer, effect.task, effect.metric)
    assert record is not None
    share = replace(record, task="robustness", unit="fraction", ci=None, why=None, n_identical=0)
    made = []
    if effect.unit == "fraction":
        why = None if effect.recovery is not None else "what the rain cost is not clear"
        recovery = replace(share, value=effect.recovery, ci=effect.recovery_ci, why=why)
        made.append(replace(recovery, metric=f"recovery/{effect.metric}"))
    if effect.harm is not None:
        harm = replace(share, value=effect.harm, ci=effect.harm_ci, unit=effect.unit)
        made.append(replace(harm, metric=f"harm/{effect.metric}", rain="none"))
    if effect.lower is not None:
        made.append(replace(share, metric=f"worse/{effect.metric}", value=effect.lower))
    return made
