"""One unit of work: an image under one condition, through derainer, metrics and tasks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from datasets.image import NDArrayByte, encode_png
from harness.ledger.images import Images
from harness.ledger.packed import DamagedError, pack, unpack
from harness.ledger.predictions import Kept
from harness.machine.disk import message, storage_error
from harness.machine.generators import without_chance
from harness.plan import keys
from harness.plan.networks import TaskPlan
from harness.plan.plan import ConditionPlan, Plan
from harness.plan.unit_keys import Entry, Keyring, UnitKeys
from harness.work.pictures import Seen, picture
from harness.work.restoration import Restoration, Restorers, restoration
from harness.work.scene import Scene, UnfinishedError, during
from reports.results.record import ImageError
from tasks import quality
from tasks.task import Evidence

Networks = Callable[[], tuple[TaskPlan, ...]]
"""Gives the tasks with the networks that the calling thread may use."""


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


@dataclass
class _Unit:
    """One image on its way through a call of `Worker.run`, which alone has it."""

    keys: UnitKeys
    scene: Scene
    shown: str | None
    """Digest of the image that tasks see, once it is known."""
    finished: Finished
    restored: Restoration | None = None
    seen: Seen = field(default_factory=Seen)
    error: ImageError | None = None

    @property
    def sample(self) -> str:
        """Id of the image."""
        return self.scene.entry.sample.id


class Worker:
    """Computes units of one condition; used by several threads at once."""

    def __init__(
        self,
        plan: Plan,
        condition: ConditionPlan,
        cache: Images,
        predictions: Kept,
        pictured: frozenset[str],
        networks: Networks,
    ) -> None:
        """Load the condition's derainer."""
        self._plan = plan
        self._condition = condition
        self._ring = Keyring(plan, condition)
        self._cache = cache
        self._predictions = predictions
        self._pictured = pictured
        self._restorers = Restorers(condition.derainer, plan.placement)
        self._networks = networks

    def run(
        self, entries: Sequence[Entry], shown: dict[str, str], have: frozenset[str]
    ) -> list[Finished | ImageError]:
        """Finish a few images.

        Args:
            entries: The images; task networks see those that need it in one batch.
            shown: Digests of restored images that are known already, by key.
            have: Evidence keys that are in the ledger already.

        Returns:
            One outcome per image, in order.
        """
        units = [self._unit(entry, shown) for entry in entries]
        for unit in units:
            with _noting(unit):
                self._measure(unit, have)
        for task in self._networks() if self._condition.is_shown else ():
            self._task(task, units, have)
        for unit in units:
            if unit.error is None and unit.sample in self._pictured:
                with _noting(unit):
                    image = self._image(unit).image
                    with during("picture"):
                        made = picture(unit.scene, image, unit.seen)
                    unit.finished.pictures[unit.keys.picture()] = made
        return [unit.error or unit.finished for unit in units]

    def _unit(self, entry: Entry, shown: dict[str, str]) -> _Unit:
        unit_keys = self._ring.of(entry)
        scene = Scene(self._plan, self._condition, entry)
        known = shown.get(unit_keys.restored)
        return _Unit(unit_keys, scene, known, Finished(entry.sample.id))

    def _image(self, unit: _Unit, exact: bool = False) -> Restoration:
        """The image that tasks are shown, made once; kept in the cache where it was derained.

        Args:
            unit: The image.
            exact: Whether its values before rounding are needed too, which the cache has not.
        """
        if unit.restored is None:
            key = unit.keys.restored
            cached = None if exact or unit.shown is None else self._cache.read(key)
            made = restoration(unit.scene, self._restorers.own(), unit.shown, cached)
            if made.exact is not None:
                self._cache.write(key, encode_png(made.image))
            unit.restored = made
        return unit.restored

    def _measure(self, unit: _Unit, have: frozenset[str]) -> None:
        """Restore if needed and measure quality."""
        wanted = {m: k for m, k in unit.keys.quality().items() if k not in have}
        if unit.shown is not None and not wanted and not self._is_unsaved(unit):
            return
        made, finished = self._image(unit, quality.needs_float(wanted)), unit.finished
        if unit.shown is None:
            unit.shown = keys.pixels_sha256(made.image)
            finished.images[unit.keys.restored] = unit.shown
        if made.seconds is not None:
            finished.timings[unit.keys.timing()] = made.seconds
        if made.tile_px is not None:
            finished.tiles[unit.keys.timing()] = made.tile_px
        if wanted:
            judged = made.judged if quality.needs_float(wanted) else made.image
            values = _judged(unit.scene, judged, list(wanted))
            finished.evidence.update({k: pack({m: values[m]}) for m, k in wanted.items()})

    def _is_unsaved(self, unit: _Unit) -> bool:
        """Whether the image is to be written to a file, and is not in the cache to be copied."""
        is_asked = "images" in self._plan.spec.save and not self._condition.derainer.is_identity
        return is_asked and self._cache.read(unit.keys.restored) is None

    def _task(self, task: TaskPlan, units: Sequence[_Unit], have: frozenset[str]) -> None:
        """Predict where no prediction is kept, then compare with the labels."""
        alive = [u for u in units if u.error is None and u.shown is not None]
        wanted = [u for u in alive if self._is_wanted(task, u, have)]
        found = [(unit, self._stored(task, unit)) for unit in wanted]
        fresh = []
        for unit in (u for u, prediction in found if prediction is None):
            with _noting(unit):
                fresh.append((unit, self._image(unit).image))
        made: dict[str, Any] = {}
        try:
            predictions = _predicted(task, [(str(u.shown), image) for u, image in fresh])
            made = dict(zip((unit.sample for unit, _ in fresh), predictions, strict=True))
        except Exception as error:
            for unit, _ in fresh:
                unit.error = _image_error(unit, "predict", error)
        for unit, kept in found:
            prediction = made.get(unit.sample) if kept is None else kept
            if unit.error is None and prediction is not None:
                with _noting(unit), during("evidence"):
                    self._compare(task, unit, prediction, is_new=kept is None)

    def _is_wanted(self, task: TaskPlan, unit: _Unit, have: frozenset[str]) -> bool:
        """Whether evidence is lacking, or the prediction itself is asked for."""
        if unit.sample in self._pictured or "predictions" in self._plan.spec.save:
            return True
        return unit.shown is not None and unit.keys.evidence(task, unit.shown) not in have

    def _stored(self, task: TaskPlan, unit: _Unit) -> Any:
        """The prediction that is kept; None where there is none, or a damaged one."""
        assert unit.shown is not None
        data = self._predictions.get(unit.keys.prediction(task, unit.shown))
        with contextlib.suppress(DamagedError):
            return None if data is None else task.task.unpack(unpack(data))
        return None

    def _compare(self, task: TaskPlan, unit: _Unit, prediction: Any, is_new: bool) -> None:
        """Note a prediction's evidence, and what is drawn of it."""
        assert unit.shown is not None
        evidence = task.task.evidence(prediction, unit.scene.entry.sample)
        unit.finished.evidence[unit.keys.evidence(task, unit.shown)] = pack(evidence)
        if unit.sample in self._pictured:
            unit.seen = unit.seen.also(task, prediction)
        if is_new:
            key = unit.keys.prediction(task, unit.shown)
            unit.finished.predictions.append((key, pack(task.task.pack(prediction))))


def _predicted(task: TaskPlan, images: Sequence[tuple[str, NDArrayByte]]) -> list[Any]:
    """A task's predictions for images behind their digests.

    What a user brought draws the same for an image in any order.
    """
    if not images or not task.is_own:
        return task.task.predict([image for _, image in images]) if images else []
    found = []
    for digest, image in images:
        found += without_chance(partial(task.task.predict, [image]), task.draws, digest)
    return found


def _judged(scene: Scene, image: Any, metrics: list[str]) -> Evidence:
    """Each metric of an image; NaN of those that need a clean image where there is none."""
    if scene.entry.sample.has_clean:
        reference = scene.reference
        with during("quality"):
            return quality.evidence(reference, image, metrics)
    alone = [m for m in metrics if not quality.metric(m).reference]
    absent = {m: np.array(np.nan) for m in metrics if m not in alone}
    with during("quality"):
        return {**quality.evidence(None, image, alone), **absent}


@contextlib.contextmanager
def _noting(unit: _Unit) -> Iterator[None]:
    """Note an error of the image's work, which then goes on with the other images."""
    try:
        yield
    except UnfinishedError as error:
        unit.error = _image_error(unit, error.stage, error.cause)
    except Exception as error:
        unit.error = _image_error(unit, "keep", error)


def _image_error(unit: _Unit, stage: str, error: Exception) -> ImageError:
    """That an image could not be finished; an error of the disk is none of the image."""
    if storage_error(error) is not None:
        raise error
    return ImageError(unit.sample, stage, message(error))
