"""The images of one unit of work, each made when it is first asked for."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import time
from typing import Any

import numpy as np

import datasets.image as image_io
from datasets import draw
from datasets.image import NDArrayByte, NDArrayFloat
from datasets.rain import RainyImage, generator
from harness.ledger.images import Images
from harness.plan import keys
from harness.plan.networks import TaskPlan
from harness.plan.unit_keys import Entry, Keyring, once
from tasks import quality
from tasks.task import Evidence

_log = logging.getLogger(__name__)
PICTURE_PX = 640
"""Longest side of a picture with coloured labels."""


class Pictures:
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
        from derainers.chain import restored

        rainy = self.rainy
        self.stage = "derain"
        start = time.perf_counter()
        made = restored(self._restorer, rainy, self.entry.sample.id)
        image = np.asarray(made.image, np.float32)
        self.seconds, self.tiled_px = time.perf_counter() - start, made.tile_px
        if image.shape != rainy.shape:
            raise ValueError(f"the derainer made {image.shape} of {rainy.shape}")
        if not np.isfinite(image).all():
            raise ValueError("the derainer returned non-finite values")
        return image

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
        with contextlib.suppress(image_io.UnreadableImageError):
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
