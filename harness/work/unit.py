"""One unit of work: an image under one condition, through derainer, metrics and tasks."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import datasets.image as image_io
from datasets import draw
from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain import RainyImage, generator
from harness.ledger.ledger import DamagedError, Images, Kept, pack, unpack
from harness.machine.disk import storage_error
from harness.plan import keys
from harness.plan.networks import TaskPlan
from harness.plan.plan import Condition, Plan
from harness.plan.unit_keys import Entry, Keyring, once
from tasks import quality
from tasks.task import Evidence

_log = logging.getLogger(__name__)
PICTURE_PX = 640
"""Longest side of a picture with coloured labels."""


@dataclass(frozen=True)
class Failure:
    """An image that could not be finished."""

    sample: str
    stage: str
    message: str


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
        pictures = [_Pictures(self._ring, e, restorer, self._cache) for e in entries]
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

    def _image(self, picture: _Pictures, shown: dict[str, str], have: frozenset[str]) -> Finished:
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
        pictures: Sequence[_Pictures],
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


class _Pictures:
    """The images of one unit, each made when it is first asked for."""

    def __init__(self, ring: Keyring, entry: Entry, restorer: Any, cache: Images) -> None:
        self.entry = entry
        self.keys = ring.of(entry)
        self.stage = "read"
        self.shown: str | None = None
        self.seconds: float | None = None
        self.tiled_px: int | None = None
        self._boxes: list[tuple[float, float, float, float, float, str]] = []
        self._labels: dict[str, NDArrayByte] = {}
        self._plan, self._condition = ring.plan, ring.condition
        self._restorer, self._cache = restorer, cache

    @once
    def clean(self) -> NDArrayByte:
        """The photograph."""
        self.stage = "decode"
        return self.entry.sample.image()

    @once
    def rainy(self) -> NDArrayByte:
        """The photograph under the condition's rain."""
        if self._condition.rain == "none":
            return self.clean
        if self._condition.rain == "given":
            self.stage = "decode"
            return self.entry.sample.given_rain()
        clean, depth = self.clean, self.entry.sample.depth_m()
        self.stage = "rain"
        rain = self._plan.rains[self._condition.rain]
        rng = generator(self._plan.spec.seed, rain, self.entry.sample.id)
        rendered: RainyImage = rain.render(clean, rng, depth)
        return rendered.image

    @once
    def reference(self) -> NDArrayByte:
        """What the derainer should have made: the photograph; of a mask of rain, the rain."""
        if self._condition.derainer.stage != "mask":
            return self.clean
        # Where the rain darkened, a mask that is stored as an image holds nothing.
        return np.where(self.rainy > self.clean, self.rainy - self.clean, 0).astype(np.uint8)

    def judge(self, image: NDArrayByte | NDArrayFloat, metrics: list[str]) -> Evidence:
        """Each metric of an image; NaN of those that need a clean image where there is none."""
        if self.entry.sample.has_clean:
            return quality.evidence(self.reference, image, metrics)
        alone = [m for m in metrics if not quality.metric(m).reference]
        absent = {m: np.array(np.nan) for m in metrics if m not in alone}
        return {**quality.evidence(None, image, alone), **absent}

    @once
    def exact(self) -> NDArrayFloat:
        """What the derainer returned, before it is rounded."""
        rainy = self.rainy
        self.stage = "derain"
        start = time.perf_counter()
        restored = np.asarray(self._restorer.restore(rainy, self.entry.sample.id), np.float32)
        self.seconds = time.perf_counter() - start
        self.tiled_px = getattr(self._restorer, "tiled_px", None)
        if restored.shape != rainy.shape:
            raise ValueError(f"the derainer made {restored.shape} of {rainy.shape}")
        if not np.isfinite(restored).all():
            raise ValueError("the derainer returned non-finite values")
        return restored

    @once
    def restored(self) -> NDArrayByte:
        """What the tasks are shown: derained and rounded to bytes, or what the cache has kept."""
        if self._condition.derainer.is_identity:
            return self.rainy
        kept = self._cached()
        if kept is not None:
            return kept
        image = image_io.round_to_bytes(self.exact)
        if self.shown not in (None, keys.pixels_sha256(image)):
            raise ValueError(
                "derained again, the image is another than the ledger knows (other hardware?): "
                "use a fresh --workspace"
            )
        self._cache.write(self.keys.restored, image_io.encode_png(image))
        return image

    def _cached(self) -> NDArrayByte | None:
        """The image in the cache, unless its pixels are not those the ledger knows; says so."""
        data = None if self.shown is None else self._cache.read(self.keys.restored)
        if data is None:
            return None
        with contextlib.suppress(image_io.ImageError):
            image = image_io.decode(data, "cached image")
            if keys.pixels_sha256(image) == self.shown:
                return image
        place = (self.entry.sample.id, self._condition.rain, self._condition.derainer.name)
        _log.warning("%s (%s, %s): the cached image is damaged and made again", *place)
        return None

    def draw(self, task: TaskPlan, prediction: Any) -> None:
        """Keep what a task network saw, for the page."""
        self._boxes = task.task.boxes(prediction) or self._boxes
        labels = task.task.colours(prediction)
        if labels is not None:
            self._labels[task.name] = labels

    def jpeg(self) -> bytes:
        """Picture, boxes and coloured labels for the page: a line of JSON, then the JPEG."""
        image = self.restored
        self.stage = "picture"
        height, width = image.shape[:2]
        labelled = {}
        for name, labels in self._labels.items():
            picture = image.copy()
            draw.tint_classes(picture, labels)
            labelled[name] = _inline(picture)
        names = self._plan.dataset.categories
        labels_of = self.entry.sample.annotations if self._boxes_are_judged() else None
        head = {
            "width": width,
            "height": height,
            "boxes": self._boxes,
            "labelled": labelled,
            "truth": []
            if labels_of is None
            else [
                [*map(float, box), names[int(category)]]
                for box, category in zip(labels_of.boxes_xyxy_px, labels_of.categories, strict=True)
            ],
            "truths": {name: _inline(picture) for name, picture in self._truths(image).items()},
        }
        return json.dumps(head).encode() + b"\n" + image_io.encode_jpeg(image, 90)

    def _boxes_are_judged(self) -> bool:
        return any(task.name != "semantic" for task in self._plan.tasks)

    def _truths(self, image: NDArrayByte) -> dict[str, NDArrayByte]:
        """What the tasks that colour pixels should have found, on the first condition's image."""
        if self._condition != self._plan.conditions[0]:
            return {}
        sample, tasks = self.entry.sample, {task.name for task in self._plan.tasks}
        pictures = {}
        if "instance" in tasks and sample.annotations is not None:
            pictures["instance"] = draw.drawn(
                image, sample.annotations, self._plan.dataset.categories
            )
        if "semantic" in tasks and sample.label_map_path is not None:
            pictures["semantic"] = image.copy()
            draw.tint_classes(pictures["semantic"], sample.label_map())
        return pictures


def _inline(picture: NDArrayByte) -> str:
    """A picture for the page as text."""
    data = image_io.encode_jpeg(image_io.shrink(picture, PICTURE_PX), 90)
    return base64.b64encode(data).decode()


@contextlib.contextmanager
def one_thread_each(device: str) -> Iterator[None]:
    """One torch thread per image and no TF32, as long as this lasts: results depend on both."""
    import torch

    threads = torch.get_num_threads()
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    if device == "cpu":
        torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = tf32


def _failure(picture: _Pictures, stage: str, error: Exception) -> Failure:
    """That an image could not be finished; an error of the disk is none of the image."""
    if storage_error(error) is not None:
        raise error
    return Failure(picture.entry.sample.id, stage, message(error))


def message(error: BaseException) -> str:
    """One line about an error, without a path of this machine."""
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"
