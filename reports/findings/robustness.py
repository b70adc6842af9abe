"""What deraining gives back, breaks and how often, as numbers of the task ``robustness``."""

from __future__ import annotations

from dataclasses import replace

from reports.findings.effects import ROBUSTNESS, Effect, effects
from reports.results.metrics import MetricRow
from reports.results.record import Record
from reports.results.results import Results


def with_robustness(results: Results) -> Results:
    """The results with what follows from each task's primary metric, for every derainer.

    Their names: ``recovery/<metric>`` is the share of what the rain cost that came back, never of
    decibels; ``harm/<metric>``, of the rain ``none``, is derained clean − clean; ``worse/<metric>``
    is the share of the images whose own score deraining made worse. What results hold of them
    already is made anew.
    """
    numbers = [r for r in results.records if r.task != ROBUSTNESS]
    found: dict[object, Record] = {}
    rows: dict[str, MetricRow] = {}
    for effect in effects(results):
        for record, row in _derived(results, effect):
            found[record.cell] = record
            rows[record.metric] = row
    return replace(results, records=[*numbers, *found.values()], metrics=results.metrics | rows)


def _derived(results: Results, effect: Effect) -> list[tuple[Record, MetricRow]]:
    record = results.at(effect.condition, effect.judge, effect.metric)
    assert record is not None
    share = replace(record, task=ROBUSTNESS, unit="fraction", ci=None, why=None, n_identical=0)
    made: dict[str, Record] = {}
    if effect.row.unit == "fraction":
        why = (
            None
            if effect.recovery is not None
            else "what the rain cost, or what came back, cannot be told from nothing"
        )
        made["recovery"] = replace(share, value=effect.recovery, ci=effect.recovery_ci, why=why)
    dry = results.at(effect.condition.dry, effect.judge, effect.metric)
    if effect.harm is not None and dry is not None:
        of_dry = replace(dry, task=ROBUSTNESS, why=None, n_identical=0)
        made["harm"] = replace(of_dry, value=effect.harm, ci=effect.harm_ci)
    if effect.lower is not None:
        made["worse"] = replace(share, value=effect.lower, n=effect.lower_n)
    return [
        (replace(number, metric=f"{kind}/{effect.metric}"), row_of(kind, effect.row))
        for kind, number in made.items()
    ]


def row_of(kind: str, about: MetricRow) -> MetricRow:
    """What tables must know of a number of this task.

    Args:
        kind: ``recovery``, ``harm`` or ``worse``.
        about: The metric that it is derived from.
    """
    if kind == "harm":
        title = f"change of clean images, {about.title}"
        return MetricRow(title, about.unit, about.decimals, about.higher_is_better)
    what = {"recovery": "share of the rain's cost", "worse": "images made worse"}[kind]
    return MetricRow(f"{what}, {about.title}", "fraction", 3, kind == "recovery")
