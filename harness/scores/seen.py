"""What of a cell was trained on."""

from __future__ import annotations

import re
from pathlib import Path

from harness.plan.data import data_name
from harness.plan.networks import TaskPlan
from harness.plan.plan import ConditionPlan, Plan
from harness.plan.trained_on import Names, Some, holds

COCO = "coco"
COCO_FILE = re.compile(r"(COCO_\w+_)?000000\d{6}(?!\d)")
"""How COCO's own image files are called; exports lengthen the name."""
COCO_SPLIT = re.compile(r"(train|val|test|test-dev|unlabeled)20\d\d")
LOOKED_AT = 1000
"""Images whose names are looked at, since every condition and task asks anew."""


def seen(plan: Plan, condition: ConditionPlan, task: TaskPlan | None) -> tuple[str, ...] | None:
    """What of a cell was trained on; None where a part of the answer is unknown.

    Weights of which some of what they saw is known leave it open where none of that is here.
    """
    derainer, marks = condition.derainer, set()
    learners = [("rain", "images", derainer.rain_families, derainer.images)]
    if task is not None:
        told = task.learned
        learners.append(("task-rain", "task-images", told.rain_families, told.images))
    for rain, images, families, trained in learners:
        fell = _has_fallen(plan, condition.rain, families, trained)
        among = None if trained is None else _are_among(plan, trained)
        marks |= ({rain} if fell else set()) | ({images} if among else set())
        if isinstance(families, Some) or isinstance(trained, Some):
            if not (fell or among):
                return None
        elif fell is None or among is None:
            return None
    return tuple(sorted(marks))


def _are_among(plan: Plan, trained: frozenset[str]) -> bool | None:
    """Whether a run's images are of those that weights were trained on; None where it is unknown.

    A label file of one's own, or another form than COCO's, hides whose images these are; the names
    of their files and folders tell of COCO's.

    Args:
        plan: The run.
        trained: See `harness.plan.trained_on.images`.
    """
    name, split = data_name(plan.spec, plan.dataset), plan.dataset.split
    if holds(trained, name, split):
        return True
    named = (each.partition("/") for each in trained)
    known = {part for of, _, part in named if of.casefold() == COCO}
    if not known or (plan.dataset.name == COCO and not plan.spec.annotations):
        return False
    paths = [sample.path for sample in plan.dataset.samples[:LOOKED_AT]]
    are_theirs = any(COCO_FILE.match(path.name) for path in paths)
    if not are_theirs and plan.dataset.name != COCO:
        return False
    file = Path(plan.spec.annotations or "").name.partition(".")[0].removeprefix("instances_")
    splits = {name, split.partition(":")[0], file, *(path.parent.name for path in paths)} - {""}
    if splits & known or ("" in known and are_theirs):
        return True
    is_another = any(map(COCO_SPLIT.fullmatch, splits)) or not are_theirs
    return False if is_another and all(map(COCO_SPLIT.fullmatch, known)) else None


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
