"""The networks of a run: loaded when they are first needed, and kept until it ends."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from harness.machine.generators import TURNS
from harness.plan.networks import TaskPlan
from harness.plan.plan import Plan
from harness.work.restoration import Restoration, Restorers, restored_together
from harness.work.scene import Scene
from harness.work.seats import PerSeat, Seats

if TYPE_CHECKING:
    from derainers.restorer import Restorer


Batches = Callable[[Sequence[Scene], bool], list[Restoration]]
"""Derains images, with their values before rounding where that is asked for."""


class Models:
    """Derainers and task networks; used by several threads."""

    def __init__(self, plan: Plan, is_alone: bool = False) -> None:
        """Load nothing yet.

        Args:
            plan: The run.
            is_alone: Whether one thread alone asks, which needs no copy of the tasks' networks.
        """
        self.seats = Seats(plan.placement)
        self._plan, self._is_alone = plan, is_alone
        self._restorers: dict[str, Restorers] = {}
        """By the derainer's name: one serves all rains."""
        self.batch_differs: dict[str, float] = {}
        """By how much, of white, a derainer's first image in a batch differs from it alone."""
        # Some networks keep state in a forward.
        self._tasks = PerSeat(self.seats, lambda _: copy.deepcopy(plan.tasks))

    def load(self, places: Sequence[int]) -> None:
        """Load what the conditions at these places of the plan need.

        Raises:
            DerainerError, TaskError, UsageError: If something cannot be loaded.
        """
        for place in places:
            condition = self._plan.conditions[place]
            derainer = condition.derainer
            for task in self._plan.tasks if condition.is_shown else ():
                task.task.load()
            if derainer.name not in self._restorers and not derainer.is_identity:
                with TURNS.alone():  # a network may be tried when it is loaded
                    made = Restorers(derainer, self._plan.placement, self.seats)
                self._restorers[derainer.name] = made

    def restorer(self, place: int) -> Restorer | None:
        """The derainer of a condition that the calling thread may use; None where there is none."""
        found = self._restorers.get(self._plan.conditions[place].derainer.name)
        return None if found is None else found.own()

    def batches(self, place: int) -> Batches | None:
        """What derains images of one size in one forward; None where they are derained alone.

        A user's own network is: nobody knows what it makes of one image beside another.
        """
        from derainers.derainer import Derainer

        restorer, derainer = self.restorer(place), self._plan.conditions[place].derainer
        if derainer.is_own or not isinstance(restorer, Derainer):
            return None

        def together(scenes: Sequence[Scene], exact: bool) -> list[Restoration]:
            is_first = len(scenes) > 1 and derainer.name not in self.batch_differs
            made = restored_together(scenes, restorer, exact or is_first)
            if is_first:
                alone = restored_together(scenes[:1], restorer, exact=True)
                self.batch_differs[derainer.name] = _difference(made[0], alone[0])
            return made if exact else [replace(each, exact=None) for each in made]

        return together

    def tasks(self) -> tuple[TaskPlan, ...]:
        """The tasks, with the networks that the calling thread may use."""
        return self._plan.tasks if self._is_alone else self._tasks()


def _difference(one: Restoration, other: Restoration) -> float:
    assert one.exact is not None
    assert other.exact is not None
    return float(np.abs(one.exact - other.exact).max())
