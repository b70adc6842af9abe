"""What runs on a node of a Ray cluster: one actor, with the models it holds."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.machine.device import one_thread_each
from harness.plan.plan import Plan
from harness.plan.stages import computing
from harness.work.models import Models
from harness.work.unit import Call, Outcome, Worker


@dataclass
class Unit:
    """A call of a worker, with what it would else look up in the workspace."""

    call: Call
    pictured: frozenset[str]
    images: dict[str, bytes]
    """Derained images that the cache holds."""
    predictions: dict[str, bytes]
    losses: int = 0
    """Workers that ended with this call in work."""


@dataclass(frozen=True)
class Answer:
    """What a worker made of a unit."""

    outcomes: list[Outcome]
    images: dict[str, bytes]
    """Derained images for the cache."""
    warnings: list[str]


@dataclass
class Luggage:
    """The images and predictions of one unit; a cache that came with it and goes back with it."""

    images: dict[str, bytes] = field(default_factory=dict)
    predictions: dict[str, bytes] = field(default_factory=dict)
    made: dict[str, bytes] = field(default_factory=dict)

    def read(self, key: str) -> bytes | None:
        """One derained image, None if it did not come with the unit."""
        return self.images.get(key)

    def write(self, key: str, data: bytes) -> None:
        """Take one back."""
        self.made[key] = data

    def get(self, key: str) -> bytes | None:
        """One prediction, None if it did not come with the unit."""
        return self.predictions.get(key)


class _Said(logging.Handler):
    """Keeps warnings, to be said where somebody reads them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class Actor:
    """One process on some node: computes one unit after the other, with the models it holds."""

    def __init__(self, folder: str, paths: Sequence[str], plan: bytes) -> None:
        """Be as the process that started the run.

        Args:
            folder: Its current directory, to which paths may be relative.
            paths: Where it finds modules.
            plan: The run without its samples, as `ray.cloudpickle` wrote it.
        """
        from harness.machine.memory import keep_large_blocks

        keep_large_blocks()
        os.chdir(folder)
        sys.path.extend(path for path in paths if path not in sys.path)
        self._pickled = plan
        self._plan: Plan | None = None
        self._luggage = Luggage()
        self._models: Models | None = None
        self._worker: Worker | None = None
        self._pictured: frozenset[str] = frozenset()
        self._said = _Said()
        logging.getLogger("harness").addHandler(self._said)

    def versions(self) -> dict[str, str | None]:
        """The versions of the packages that decide results, and our own sources."""
        return computing()

    def run(self, unit: Unit) -> Answer:
        """Compute a unit; models stay loaded."""
        if self._plan is None or self._models is None:
            import ray

            self._plan = ray.cloudpickle.loads(self._pickled)
            self._models = Models(self._plan, is_alone=True)
        luggage = self._luggage
        luggage.images, luggage.predictions = unit.images, unit.predictions
        if self._worker is None or self._pictured != unit.pictured:
            kept = luggage, lambda _: luggage
            self._worker = Worker(self._plan, *kept, unit.pictured, self._models)
            self._pictured = unit.pictured
        with one_thread_each(self._plan.device):
            self._models.load(unit.call.places)
            outcomes = list(self._worker.run(unit.call))
        made, luggage.made = luggage.made, {}
        said, self._said.lines = self._said.lines, []
        return Answer(outcomes, made, said)
