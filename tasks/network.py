"""A network that finds objects, speaking in the data set's categories."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from datasets.sample import Annotations, Sample
from tasks.classes import matched
from tasks.coco_ap import Detections
from tasks.task import TaskError

CONFIDENCE = 0.25
"""From here on, a box is worth drawing."""


class Detector(Protocol):
    """A network that finds objects, by boxes or by boxes and masks."""

    @property
    def names(self) -> Sequence[str]:
        """Its classes, in the order of the numbers it predicts."""
        ...

    def detect(self, images: list[NDArrayByte]) -> list[Detections]:
        """Find objects; ``categories`` are places in ``names``."""
        ...


class NamedDetector:
    """A detector whose classes are found among the data set's by name; loaded when needed."""

    def __init__(
        self, categories: Mapping[int, str], build: Callable[[], Detector] | None = None
    ) -> None:
        """Bind the data set's categories and, for predicting, what loads the detector."""
        self._name(categories)
        self._build = build
        self._detector: Detector | None = None
        self._ids = np.zeros(0, np.int64)
        self._matched: dict[str, str | None] = {}

    def _name(self, categories: Mapping[int, str]) -> None:
        """Take the data set's categories: of those with one name the first stands for all."""
        ids: dict[str, int] = {}
        for category, name in categories.items():
            ids.setdefault(name, category)
        self.names = dict(categories)
        self._again = {c: ids[name] for c, name in categories.items() if ids[name] != c}
        self.categories = {category: name for name, category in ids.items()}

    def load(self) -> None:
        """Load the detector.

        Raises:
            TaskError: If it cannot be loaded or knows none of the data set's categories.
        """
        if self._detector is not None:
            return
        if self._build is None:
            raise TaskError("this task was made for scoring alone; give a detector to predict")
        detector = self._build()
        if not self.categories:  # a set without labels is looked at in the detector's own classes
            self._name(dict(enumerate(detector.names)))
        self._matched = matched(self.categories.values(), detector.names)
        by_name = {self._matched[name]: category for category, name in self.categories.items()}
        self._ids = np.array([by_name.get(name, -1) for name in detector.names])
        if not (self._ids >= 0).any():
            raise TaskError(
                "the detector knows none of the data set's categories; it knows "
                f"{', '.join(detector.names[:5])}…, the data set "
                f"{', '.join(list(self.categories.values())[:5])}…"
            )
        self._detector = detector

    def named(self) -> Mapping[int, str]:
        """Name of each category; of a set without labels of each class of the detector."""
        if not self.names:
            self.load()
        return self.names

    def matched(self) -> Mapping[str, str | None]:
        """The detector's name of each category, None where it has none; see `load`."""
        self.load()
        return self._matched

    def compared(self, found: Detections, truth: Annotations) -> tuple[Detections, Annotations]:
        """Both with one category where several have one name."""
        if not self._again:
            return found, truth
        return (
            replace(found, categories=self._first(found.categories)),
            replace(truth, categories=self._first(truth.categories)),
        )

    def _first(self, categories: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.array([self._again.get(c, c) for c in categories.tolist()], np.int64)

    def detect(self, images: list[NDArrayByte]) -> list[Detections]:
        """Find objects; classes that the data set does not have are dropped."""
        self.load()
        assert self._detector is not None
        return [self._translated(found) for found in self._detector.detect(images)]

    def boxes(self, found: Detections) -> list[tuple[float, float, float, float, float, str]]:
        """Left, top, right, bottom in pixels, confidence and class of what is worth drawing."""
        shown = found.scores >= CONFIDENCE
        rows = zip(
            found.boxes_xyxy_px[shown].round(1).tolist(),
            found.scores[shown].round(3).tolist(),
            found.categories[shown].tolist(),
            strict=True,
        )
        return [(*box, score, self.names[category]) for box, score, category in rows]

    def labelled(self, sample: Sample) -> list[tuple[float, float, float, float, str]]:
        """Left, top, right, bottom in pixels and class of the labelled boxes."""
        if sample.annotations is None:
            return []
        rows = zip(
            sample.annotations.boxes_xyxy_px.tolist(),
            sample.annotations.categories.tolist(),
            strict=True,
        )
        return [(*box, self.names[category]) for box, category in rows]

    def _translated(self, found: Detections) -> Detections:
        """From the detector's class numbers to the data set's category ids."""
        ids = self._ids[found.categories]
        known = ids >= 0
        masks = tuple(mask for mask, keep in zip(found.masks, known, strict=False) if keep)
        return Detections(found.boxes_xyxy_px[known], found.scores[known], ids[known], masks)


def require_sound(found: Detections, sample_id: str) -> None:
    """Refuse boxes or scores that pycocotools, which is C, would not survive, or not understand.

    Raises:
        TaskError: If one is not finite, or a confidence lies outside [0, 1].
    """
    scores = found.scores
    if not (np.isfinite(found.boxes_xyxy_px).all() and np.isfinite(scores).all()):
        raise TaskError(f"image {sample_id}: the detector returned non-finite boxes or scores")
    if ((scores < 0) | (scores > 1)).any():
        strange = scores[(scores < 0) | (scores > 1)][0]
        raise TaskError(f"image {sample_id}: confidence {strange:g} lies outside [0, 1]")
