"""Whether images that were restored elsewhere were made of what a run shows, before work starts."""

from __future__ import annotations

from collections.abc import Sequence

from harness.plan import keys
from harness.plan.plan import ConditionPlan, Plan
from harness.plan.unit_keys import Entry
from harness.spec import UsageError
from harness.work.scene import Photograph, Scene, UnfinishedError

ASKED = 4
"""Images that must all be others before a folder is refused; single ones fail one by one."""


def require_made_of_these(plan: Plan, entries: Sequence[Entry]) -> None:
    """Refuse a folder whose first images were all made from others than the run's.

    Raises:
        UsageError: With what makes the run's.
    """
    for condition in plan.conditions:
        derainer = condition.derainer
        while derainer.parts and not derainer.half_size:
            derainer = derainer.parts[0]
        made_from = derainer.made_from or {}
        asked = [entry for entry in entries if entry.sample.id in made_from][:ASKED]
        if asked and all(_is_another(plan, condition, e, made_from[e.sample.id]) for e in asked):
            remedy = (
                "rain falls by an image's id, so give synth this run's --dataset, --annotations, "
                "--rain and --seed, without --jpeg, and derain what it writes"
                if condition.rain in plan.rains
                else "derain this run's images"
            )
            raise UsageError(
                f"{derainer.name}: image {asked[0].sample.id} was derained from another image than "
                f"this run shows: {remedy}"
            )


def _is_another(plan: Plan, condition: ConditionPlan, entry: Entry, made_from: str) -> bool:
    """Whether an image's pixels are not those of a digest; one that cannot be made is left."""
    try:
        shown = Scene(plan, condition.rain, Photograph(entry)).rainy
    except UnfinishedError:
        return False
    return keys.pixels_sha256(shown) != made_from
