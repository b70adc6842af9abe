"""One unit of work: an image under one condition, through derainer, metrics and tasks."""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.ledger.images import Images
from harness.ledger.packed import DamagedError, pack, unpack
from harness.ledger.predictions import Kept
from harness.machine.disk import message, storage_error
from harness.plan import keys
from harness.plan.networks import TaskPlan
from harness.plan.plan import Condition, Plan
from harness.plan.unit_keys import Entry, Keyring
from harness.work.pictures import Pictures
from reports.results.record import Failure
from tasks import quality


@dataclass
class Finished:
    """Rows that one finished image adds to the ledger, by table."""

    sample: str
    images: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, bytes] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    tiles: dict[str, int] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    predictions: list[tuple[str, bytes]] = field(default_factory=list)


class Worker:
    """Computes units of one condition; used by several threads at once."""

    def __init__(
        self,
        plan: Plan,
        condition: Condition,
        cache: Images,
        predictions: Kept,
        pictured: frozenset[str],
        own: threading.local,
    ) -> None:
        """Load the condition's derainer; task networks are copied once per thread, into ``own``."""
        self._plan = plan
        self._condition = condition
        self._ring = Keyring(plan, condition)
        self._cache = cache
        self._predictions = predictions
        self._pictured = pictured
        self._restorer = condition.derainer.load(plan.device, plan.spec.dtype, plan.spec.tile_px)
        self._tasks = plan.tasks if condition.is_shown else ()
        self._local, self._own = threading.local(), own

    def run(
        self, entries: Sequence[Entry], shown: dict[str, str], have: frozenset[str]
    ) -> list[Finished | Failure]:
        """Finish a few images.

        Args:
            entries: The images; task networks see those that need it in one batch.
            shown: Digests of restored images that are known already, by key.
            have: Evidence keys that are in the ledger already.

        Returns:
            One outcome per image, in order.
        """
        restorer, tasks = self._tools()
        pictures = [Pictures(self._ring, e, restorer, self._cache) for e in entries]
        outcomes: list[Finished | Failure] = []
        for picture in pictures:
            try:
                outcomes.append(self._image(picture, shown, have))
            except Exception as error:
                outcomes.append(_failure(picture, picture.stage, error))
        for task in tasks:
            self._task(task, pictures, outcomes, have)
        for i, (picture, outcome) in enumerate(zip(pictures, outcomes, strict=True)):
            if picture.entry.sample.id in self._pictured and isinstance(outcome, Finished):
                try:
                    outcome.pictures[picture.keys.picture()] = picture.jpeg()
                except Exception as error:
                    outcomes[i] = _failure(picture, picture.stage, error)
        return outcomes

    def _tools(self) -> tuple[Any, tuple[TaskPlan, ...]]:
        """This thread's own networks: some keep state in a forward, as ultralytics its anchors."""
        if not hasattr(self._local, "restorer"):
            from derainers.chain import per_thread

            self._local.restorer = per_thread(self._restorer)
        if self._tasks and not hasattr(self._own, "tasks"):
            self._own.tasks = copy.deepcopy(self._tasks)
        return self._local.restorer, self._own.tasks if self._tasks else ()

    def _image(self, picture: Pictures, shown: dict[str, str], have: frozenset[str]) -> Finished:
        """Restore if needed and measure quality."""
        finished = Finished(picture.entry.sample.id)
        wanted = {m: k for m, k in picture.keys.quality().items() if k not in have}
        picture.shown = shown.get(picture.keys.restored)
        if picture.shown is None or wanted:
            floats = not self._condition.derainer.is_identity and quality.needs_float(wanted)
            exact = picture.exact if floats else None
            image = picture.restored
            if picture.shown is None:
                picture.shown = keys.pixels_sha256(image)
                finished.images[picture.keys.restored] = picture.shown
            if picture.seconds is not None:
                finished.timings[picture.keys.timing()] = picture.seconds
            if picture.tiled_px is not None:
                finished.tiles[picture.keys.timing()] = picture.tiled_px
            picture.stage = "quality"
            judged = image if exact is None else exact
            values = picture.judge(judged, list(wanted))
            finished.evidence.update({k: pack({m: values[m]}) for m, k in wanted.items()})
        return finished

    def _task(
        self,
        task: TaskPlan,
        pictures: Sequence[Pictures],
        outcomes: list[Finished | Failure],
        have: frozenset[str],
    ) -> None:
        """Predict where no prediction is kept, then compare with the labels."""
        stored: dict[int, Any] = {}
        missing: list[int] = []
        for i, picture in enumerate(pictures):
            if isinstance(outcomes[i], Failure) or picture.shown is None:
                continue
            needed = picture.entry.sample.id in self._pictured or bool(self._plan.spec.save)
            if picture.keys.evidence(task, picture.shown) in have and not needed:
                continue
            data = self._predictions.get(picture.keys.prediction(task, picture.shown))
            if data is not None:
                with contextlib.suppress(DamagedError):
                    stored[i] = task.task.unpack(unpack(data))
            if i not in stored:
                missing.append(i)
        images = []
        for i in missing.copy():
            try:
                images.append(pictures[i].restored)
            except Exception as error:
                missing.remove(i)
                outcomes[i] = _failure(pictures[i], pictures[i].stage, error)
        fresh: dict[int, Any] = {}
        try:
            fresh = dict(zip(missing, task.task.predict(images) if images else [], strict=True))
        except Exception as error:
            for i in missing:
                outcomes[i] = _failure(pictures[i], "predict", error)
        for i, prediction in (stored | fresh).items():
            picture, finished = pictures[i], outcomes[i]
            assert isinstance(finished, Finished)
            assert picture.shown is not None
            try:
                evidence = task.task.evidence(prediction, picture.entry.sample)
            except Exception as error:
                outcomes[i] = _failure(picture, "evidence", error)
                continue
            finished.evidence[picture.keys.evidence(task, picture.shown)] = pack(evidence)
            if picture.entry.sample.id in self._pictured:
                picture.draw(task, prediction)
            if i in fresh:
                key = picture.keys.prediction(task, picture.shown)
                finished.predictions.append((key, pack(task.task.pack(prediction))))


def _failure(picture: Pictures, stage: str, error: Exception) -> Failure:
    """That an image could not be finished; an error of the disk is none of the image."""
    if storage_error(error) is not None:
        raise error
    return Failure(picture.entry.sample.id, stage, message(error))
