"""What of a cell was trained on."""

from __future__ import annotations

from harness.plan.data import data_name
from harness.plan.networks import TaskPlan
from harness.plan.plan import ConditionPlan, Plan
from harness.plan.trained_on import holds


def seen(plan: Plan, condition: ConditionPlan, task: TaskPlan | None) -> tuple[str, ...] | None:
    """What of a cell was trained on; None where a part of the answer is unknown."""
    derainer, marks = condition.derainer, set()
    if derainer.rain_families is None or derainer.images is None:
        return None
    name, split = data_name(plan.spec, plan.dataset), plan.dataset.split
    if condition.rain == "given" and derainer.rain_families:
        # Whose rain is whose is known where the very data set brought it.
        if "given" not in derainer.rain_families or not holds(derainer.images, name, "all"):
            return None
        marks.add("rain")
    rain = plan.rains.get(condition.rain)
    if rain is not None and rain.family in derainer.rain_families:
        marks.add("rain")
    if holds(derainer.images, name, split):
        marks.add("images")
    if task is not None:
        if task.trained_on is None:
            return None
        if holds(task.trained_on, name, split):
            marks.add("task-images")
    return tuple(sorted(marks))
