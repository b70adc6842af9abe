"""What of a cell was trained on."""

from __future__ import annotations

from harness.plan.data import data_name
from harness.plan.networks import TaskPlan
from harness.plan.plan import ConditionPlan, Plan
from harness.plan.trained_on import Names, holds


def seen(plan: Plan, condition: ConditionPlan, task: TaskPlan | None) -> tuple[str, ...] | None:
    """What of a cell was trained on; None where a part of the answer is unknown."""
    derainer, marks = condition.derainer, set()
    name, split = data_name(plan.spec, plan.dataset), plan.dataset.split
    learners = [("rain", "images", derainer.rain_families, derainer.images)]
    if task is not None:
        told = task.learned
        learners.append(("task-rain", "task-images", told.rain_families, told.images))
    for rain, images, families, trained in learners:
        fell = _has_fallen(plan, condition.rain, families, trained)
        if fell is None or trained is None:
            return None
        marks |= {rain} if fell else set()
        marks |= {images} if holds(trained, name, split) else set()
    return tuple(sorted(marks))


def _has_fallen(plan: Plan, rain: str, families: Names, images: Names) -> bool | None:
    """Whether weights were trained on a kind of rain; None where that is unknown.

    Args:
        plan: The run.
        rain: A condition's.
        families: Of the rains that they were trained on.
        images: That they were trained on.
    """
    if families is None or images is None:
        return None
    if rain == "given" and families:
        # Whose rain is whose is known where the very data set brought it.
        name = data_name(plan.spec, plan.dataset)
        return True if "given" in families and holds(images, name, "all") else None
    made = plan.rains.get(rain)
    return made is not None and made.family in families
