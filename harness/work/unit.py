"""The unit of work: images under some conditions, through derainers, metrics and tasks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from datasets.image import NDArrayByte, encode_png
from harness.ledger.images import Images
from harness.ledger.packed import DamagedError, pack, unpack
from harness.ledger.predictions import Kept
from harness.machine.disk import message, storage_error
from harness.machine.generators import without_chance
from harness.machine.log import notes, own_line
from harness.plan import keys
from harness.plan.networks import TaskPlan
from harness.plan.own_code import nothing_unnamed
from harness.plan.plan import ConditionPlan, Plan
from harness.plan.unit_keys import Entry, Keyring, UnitKeys
from harness.spec import UsageError
from harness.work.models import Models
from harness.work.pictures import Seen, picture
from harness.work.restoration import Restoration, restoration
from harness.work.scene import Photograph, Scene, UnfinishedError, during
from harness.work.seats import Seat
from reports.results.cell import MASK
from reports.results.record import ImageError
from tasks import quality
from tasks.quality.pyiqa import EndedError
from tasks.task import Evidence


class Call(NamedTuple):
    """What a `Worker` is to compute."""

    entries: Sequence[Entry]
    """Images that a task network sees in one batch."""
    places: Sequence[int]
    """Where their conditions stand in the plan, those of one rain beside each other."""
    shown: Mapping[str, str]
    """Digests of restored images that are known already, by key."""
    have: frozenset[str]
    """Evidence keys that are in the ledger already."""


@dataclass
class Finished:
    """Rows that one finished image adds to the ledger, by table."""

    sample: str
    images: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, bytes] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    workers: dict[str, int] = field(default_factory=dict)
    """How many images were in work at a time when something was timed."""
    tiles: dict[str, int] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    predictions: list[tuple[str, bytes]] = field(default_factory=list)


class Outcome(NamedTuple):
    """What became of a call's images under one condition."""

    place: int
    """Where the condition stands in the plan."""
    images: list[Finished | ImageError]
    """One of each image, in the call's order."""


@dataclass
class _Unit:
    """One image under one condition on its way through a call, which alone has it."""

    keys: UnitKeys
    scene: Scene
    shown: str | None
    """Digest of the image that tasks see, once it is known."""
    finished: Finished
    error: ImageError | None
    is_pictured: bool
    """Whether its picture for the page is made too; numbers are known by then."""
    beside: Sequence[_Unit] = field(default=(), repr=False, compare=False)
    """The images, itself among them, that a device derains in one batch."""
    restored: Restoration | None = None
    seen: Seen = field(default_factory=Seen)

    @property
    def sample(self) -> str:
        """Id of the image."""
        return self.scene.entry.sample.id

    @property
    def condition(self) -> ConditionPlan:
        """What becomes of it."""
        return self.keys.ring.condition


class Worker:
    """Computes calls; used by several threads at once."""

    def __init__(
        self,
        plan: Plan,
        cache: Images,
        predictions: Callable[[int], Kept],
        pictured: frozenset[str],
        models: Models,
    ) -> None:
        """Take what calls share.

        Args:
            plan: The run.
            cache: Where derained images are kept.
            predictions: Gives those that are kept of a condition, by its place in the plan.
            pictured: Ids of the images whose pictures for the page are made too.
            models: What the conditions of a call need is loaded before it is computed.
        """
        self._plan = plan
        self._rings = [Keyring(plan, condition) for condition in plan.conditions]
        self._cache = cache
        self._predictions = predictions
        self._pictured = pictured
        self._models = models

    def run(self, call: Call) -> Iterator[Outcome]:
        """Finish a few images, one condition after the other.

        An image that fails fails under the conditions that follow too. A photograph is read once,
        and each rain falls on it once.
        """
        photographs = [Photograph(entry) for entry in call.entries]
        errors: dict[str, ImageError] = {}
        for rain, places in groupby(call.places, lambda p: self._plan.conditions[p].rain):
            scenes = [Scene(self._plan, rain, photograph) for photograph in photographs]
            for place in places:
                units = [self._unit(place, scene, call.shown, errors) for scene in scenes]
                self._finish(place, units, call.have)
                errors |= {unit.sample: unit.error for unit in units if unit.error is not None}
                yield Outcome(place, [unit.error or unit.finished for unit in units])

    def _unit(
        self, place: int, scene: Scene, shown: Mapping[str, str], errors: Mapping[str, ImageError]
    ) -> _Unit:
        unit_keys, sample = self._rings[place].of(scene.entry), scene.entry.sample.id
        known = shown.get(unit_keys.restored)
        is_pictured = sample in self._pictured
        return _Unit(unit_keys, scene, known, Finished(sample), errors.get(sample), is_pictured)

    def _finish(self, place: int, units: Sequence[_Unit], have: frozenset[str]) -> None:
        """Derain, run the tasks, measure, and keep what was made."""
        alive = [unit for unit in units if unit.error is None]
        if self._plan.placement.devices:
            for unit in alive:
                unit.beside = alive
            self._restore_together(place, [unit for unit in alive if unit.shown is None])
        for unit in alive:
            with _noting(unit):
                self._measure(place, unit, have)
        condition = self._plan.conditions[place]
        for task in self._models.tasks() if condition.is_shown and alive else ():
            self._task(place, task, alive, have)
        for unit in alive:
            if unit.error is None and unit.is_pictured:
                with _noting(unit):
                    image = self._image(place, unit).image
                    with during("picture"):
                        made = picture(unit.scene, condition, image, unit.seen)
                    unit.finished.pictures[unit.keys.picture()] = made
            if unit.error is None and unit.restored is not None and unit.restored.is_new:
                with _noting(unit):
                    self._cache.write(unit.keys.restored, encode_png(unit.restored.image))

    def _restore_together(self, place: int, units: Sequence[_Unit]) -> None:
        """Derain images of one size in one batch; what fails so is left to be tried alone."""
        batches = self._models.batches(place)
        if batches is None:
            return
        sizes: dict[tuple[int, ...], list[_Unit]] = {}
        for unit in units:
            with contextlib.suppress(UnfinishedError):
                sizes.setdefault(unit.scene.rainy.shape, []).append(unit)
        exact = quality.needs_float(self._plan.metrics)
        for same in sizes.values():
            with contextlib.suppress(UnfinishedError):
                made = batches([unit.scene for unit in same], exact)
                for unit, restored in zip(same, made, strict=True):
                    is_known = unit.shown in (None, keys.pixels_sha256(restored.image))
                    unit.restored = restored if is_known and not unit.restored else unit.restored

    def _image(self, place: int, unit: _Unit, exact: bool = False) -> Restoration:
        """The image that tasks are shown, made once.

        Args:
            place: Where its condition stands in the plan.
            unit: The image.
            exact: Whether its values before rounding are needed too, which the cache has not.
        """
        if unit.restored is None:
            own = self._models.restorer(place)
            is_cached = own is not None and unit.shown is not None and not exact
            cached = self._cache.read(unit.keys.restored) if is_cached else None
            if unit.beside and unit.shown is not None and cached is None:
                self._restore_together(place, unit.beside)  # as it was derained first
            if unit.restored is None:
                known = unit.shown, cached, exact
                unit.restored = restoration(unit.scene, unit.condition, own, *known)
        return unit.restored

    def _measure(self, place: int, unit: _Unit, have: frozenset[str]) -> None:
        """Restore if needed and measure quality."""
        wanted = {m: k for m, k in unit.keys.quality().items() if k not in have}
        if unit.shown is not None and not wanted and not self._is_unsaved(unit):
            return
        made, finished = self._image(place, unit, quality.needs_float(wanted)), unit.finished
        if unit.shown is None:
            unit.shown = keys.pixels_sha256(made.image)
            finished.images[unit.keys.restored] = unit.shown
        if made.seconds is not None:
            finished.timings[unit.keys.timing()] = made.seconds
        if made.tile_px is not None:
            finished.tiles[unit.keys.timing()] = made.tile_px
        if wanted:
            judged = made.judged if quality.needs_float(wanted) else made.image
            near = self._judged_on_device(unit, made.image, list(wanted))
            far = [m for m in wanted if m not in near]
            values = {**near, **(_judged(unit, judged, far) if far else {})}
            finished.evidence.update({k: pack({m: values[m]}) for m, k in wanted.items()})

    def _judged_on_device(self, unit: _Unit, image: NDArrayByte, metrics: list[str]) -> Evidence:
        """Those of an image's metrics that a device computes; nothing on the processor."""
        place = unit.condition.place
        if (
            not _measures(self._plan)
            or place.stage == MASK
            or not unit.scene.entry.sample.has_clean
        ):
            return {}
        import torch

        from tasks.quality import on_device

        near = [m for m in metrics if m in on_device.METRICS]
        with during("quality"), self._models.seats.own():
            shown = torch.from_numpy(image).to(self._plan.placement.device)
            return on_device.evidence(unit.scene.judged_by_on_device, shown, near)

    def _is_unsaved(self, unit: _Unit) -> bool:
        """Whether the image is to be written to a file, and is not in the cache to be copied."""
        is_asked = "images" in self._plan.spec.save and not unit.condition.derainer.is_identity
        return is_asked and self._cache.read(unit.keys.restored) is None

    def _task(
        self, place: int, task: TaskPlan, units: Sequence[_Unit], have: frozenset[str]
    ) -> None:
        """Predict where no prediction is kept, then compare with the labels."""
        alive = [u for u in units if u.error is None and u.shown is not None]
        wanted = [u for u in alive if self._is_wanted(task, u, have)]
        found = [(unit, self._stored(place, task, unit)) for unit in wanted]
        fresh = []
        for unit in (u for u, prediction in found if prediction is None):
            with _noting(unit):
                fresh.append((unit, self._image(place, unit).image))
        made = self._predict(task, fresh)
        for unit, kept in found:
            prediction = made.get(unit.sample) if kept is None else kept
            if unit.error is None and prediction is not None:
                with _noting(unit), during("evidence"):
                    self._compare(task, unit, prediction, is_new=kept is None)

    def _predict(
        self, task: TaskPlan, fresh: Sequence[tuple[_Unit, NDArrayByte]]
    ) -> dict[str, Any]:
        """Predictions by sample; where several fail each is tried alone: one error is not all's."""
        if not fresh:
            return {}
        try:
            shown = [(str(u.shown), image) for u, image in fresh]
            predictions, seconds = _predicted(task, shown, self._models.seats.own())
            made = dict(zip((unit.sample for unit, _ in fresh), predictions, strict=True))
            for unit, _ in fresh:
                key = unit.keys.prediction(task, str(unit.shown))
                unit.finished.timings[key] = seconds / len(fresh)
            return made
        except Exception as error:
            if len(fresh) == 1:
                unit, _ = fresh[0]
                unit.error = _image_error(unit, "predict", error)
                return {}
        # Outside of the handler, which would hold the memory of what failed.
        return {k: v for one in fresh for k, v in self._predict(task, [one]).items()}

    def _is_wanted(self, task: TaskPlan, unit: _Unit, have: frozenset[str]) -> bool:
        """Whether evidence is lacking, or the prediction itself is asked for."""
        if unit.is_pictured or "predictions" in self._plan.spec.save:
            return True
        return unit.shown is not None and unit.keys.evidence(task, unit.shown) not in have

    def _stored(self, place: int, task: TaskPlan, unit: _Unit) -> Any:
        """The prediction that is kept; None where there is none, or a damaged one."""
        assert unit.shown is not None
        data = self._predictions(place).get(unit.keys.prediction(task, unit.shown))
        with contextlib.suppress(DamagedError):
            return None if data is None else task.task.unpack(unpack(data))
        return None

    def _compare(self, task: TaskPlan, unit: _Unit, prediction: Any, is_new: bool) -> None:
        """Note a prediction's evidence, and what is drawn of it."""
        assert unit.shown is not None
        evidence = task.task.evidence(prediction, unit.scene.entry.sample)
        unit.finished.evidence[unit.keys.evidence(task, unit.shown)] = pack(evidence)
        if unit.is_pictured:
            unit.seen = unit.seen.also(task, prediction)
        if is_new:
            key = unit.keys.prediction(task, unit.shown)
            unit.finished.predictions.append((key, pack(task.task.pack(prediction))))


def _predicted(
    task: TaskPlan, images: Sequence[tuple[str, NDArrayByte]], seat: Seat
) -> tuple[list[Any], float]:
    """A task's predictions for images behind their digests, and the seconds that they took.

    What a user brought draws the same for an image in any order, and may write into what it is
    given. It takes its turn at the generators first, then its seat, as deraining does: in another
    order two threads would wait for each other.
    """
    if not task.is_own:
        return _timed(task, [image for _, image in images], seat)
    identities = [] if task.identity is None else [task.identity]
    found, seconds = [], 0.0
    for digest, image in images:
        with nothing_unnamed(task.model, identities):
            alone = partial(_alone, task, image, seat)
            made, took_s = without_chance(alone, task.draws, digest)
        found += made
        seconds += took_s
    return found, seconds


def _alone(task: TaskPlan, image: NDArrayByte, seat: Seat) -> tuple[list[Any], float]:
    """The same for a copy of one image."""
    return _timed(task, [image.copy()], seat)


def _timed(task: TaskPlan, images: list[NDArrayByte], seat: Seat) -> tuple[list[Any], float]:
    """A task's predictions, once the seat is free, and their seconds."""
    with seat:
        began = time.perf_counter()
        return task.task.predict(images), time.perf_counter() - began


def _measures(plan: Plan) -> bool:
    """Whether PSNR and SSIM are computed where the networks are."""
    return plan.placement.device == "cuda"


def _judged(unit: _Unit, image: Any, metrics: list[str]) -> Evidence:
    """Each metric of an image; NaN of those that need a clean image where there is none."""
    if unit.scene.entry.sample.has_clean:
        reference = unit.scene.reference(unit.condition.place)
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
    """That an image could not be finished; an error of the disk, or of pyiqa, is none of it.

    Nor is what the user is to mend before numbers are whole.
    """
    is_users = isinstance(error, UsageError) and not unit.is_pictured
    if storage_error(error) is not None or is_users or isinstance(error, EndedError):
        raise error
    notes.info("image %s failed (%s)", unit.sample, stage, exc_info=error)
    return ImageError(unit.sample, stage, message(error) + own_line(error))
