"""Semantic segmentation: mean IoU and its kin over a set (corpus metrics), by pixel."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from datasets.draw import tint_classes
from datasets.image import NDArrayByte
from datasets.sample import IGNORED, Sample
from tasks.classes import matched
from tasks.confusion import confusion, ious, means
from tasks.task import Evidence, MetricRow, Score, TaskError, has_draws

VERSION = 2
"""Raised whenever the same prediction gives other evidence or another number."""

METRICS: dict[str, MetricRow] = {
    "miou": MetricRow("mIoU", is_judged=True),
    "mpa": MetricRow("mPA"),
    "pixel_accuracy": MetricRow("pixel accuracy"),
    "fwiou": MetricRow("frequency-weighted IoU", is_column=False),
}
"""Every number of the task but those of single classes."""


class Segmenter(Protocol):
    """A network that names the class of every pixel."""

    @property
    def names(self) -> Sequence[str]:
        """Its classes, in the order of the numbers it predicts."""
        ...

    def segment(self, images: list[NDArrayByte]) -> list[NDArrayByte]:
        """Label maps ``uint8 (H, W)`` of the images' sizes; values are places in ``names``."""
        ...


class Semantic:
    """Semantic segmentation on one data set; see `tasks.task.Task`.

    A prediction is a label map ``uint8 (H, W)`` in the data set's classes; `IGNORED` stands for
    classes that only the network knows, which is wrong wherever the truth counts.
    """

    def __init__(
        self, classes: Mapping[int, str], segmenter: Callable[[], Segmenter] | None = None
    ) -> None:
        """Bind the data set's classes and, for predicting, what loads the network."""
        self._classes = dict(classes)
        self._build = segmenter
        self._segmenter: Segmenter | None = None
        self._labels = np.full(256, IGNORED, np.uint8)
        self._matched: dict[str, str | None] = {}

    def load(self) -> None:
        """Load the network and find its classes among the data set's by name.

        Raises:
            TaskError: If it cannot be loaded, or lacks a class of the data set.
        """
        if self._segmenter is not None:
            return
        if self._build is None:
            raise TaskError("this task was made for scoring alone; give a network to predict")
        segmenter = self._build()
        names = list(segmenter.names)
        if not self._classes:  # a set without label maps is looked at in the network's own classes
            self._classes = dict(enumerate(names))
        self._matched = matched(self._classes.values(), names)
        if None in self._matched.values() or len(set(names)) != len(names) or len(names) > IGNORED:
            raise TaskError(
                "the network's classes are not the data set's: it knows "
                f"{', '.join(names)}; the data set has {', '.join(self._classes.values())}"
            )
        places = {name: place for place, name in enumerate(names)}
        for label, name in self._classes.items():
            self._labels[places[self._matched[name] or name]] = label
        self._segmenter = segmenter

    def matched(self) -> Mapping[str, str | None]:
        """The network's name of each class."""
        self.load()
        return self._matched

    def predict(self, images: list[NDArrayByte]) -> list[NDArrayByte]:
        """The data set's class of every pixel."""
        self.load()
        assert self._segmenter is not None
        return [self._labels[found] for found in self._segmenter.segment(images)]

    def pack(self, prediction: NDArrayByte) -> Evidence:
        """The label map."""
        return {"labels": prediction}

    def unpack(self, arrays: Evidence) -> NDArrayByte:
        """The label map."""
        return arrays["labels"]

    def boxes(self, prediction: NDArrayByte) -> list[tuple[float, float, float, float, float, str]]:
        """None: there are no boxes."""
        return []

    def colours(self, prediction: NDArrayByte) -> NDArrayByte:
        """The label map itself."""
        return prediction

    def labelled(self, image: NDArrayByte, sample: Sample) -> NDArrayByte | None:
        """The image with its labelled classes; None where there is no label map."""
        if sample.label_map_path is None:
            return None
        picture = image.copy()
        tint_classes(picture, sample.label_map())
        return picture

    def truth(self, sample: Sample) -> list[tuple[float, float, float, float, str]]:
        """None: there are no boxes."""
        return []

    def rows(self) -> dict[str, MetricRow]:
        """`METRICS`, and IoU of each class."""
        return METRICS | {
            f"iou/{name}": MetricRow("IoU").of("class", name) for name in self._classes.values()
        }

    def evidence(self, prediction: NDArrayByte, sample: Sample) -> Evidence:
        """The confusion matrix of one image; nothing for an image without a label map.

        Raises:
            TaskError: If the sizes differ, or the label map holds an unknown class.
        """
        if sample.label_map_path is None:
            return {}
        try:
            matrix = confusion(sample.label_map(), prediction, sorted(self._classes))
        except ValueError as error:
            raise TaskError(f"image {sample.id}: {error}") from error
        return {"confusion": matrix}

    def reduce(self, evidences: Sequence[Evidence]) -> dict[str, Score]:
        """``miou mpa pixel_accuracy fwiou`` and ``iou/<class>``; fractions."""
        if not any(evidences):
            return {"miou": Score(None, why="no labels to score against")}
        whole = self._matrices(evidences).sum(0)
        names = [self._classes[label] for label in sorted(self._classes)]
        by_class = dict(zip(names, ious(whole).tolist(), strict=True))
        absent = [name for name, value in by_class.items() if np.isnan(value)]
        left_out = f"left out, not in the truth: {', '.join(absent)}"
        scores = {
            metric: Score(
                None if np.isnan(value) else float(value),
                why="no pixel counts" if np.isnan(value) else None,
            )
            for metric, value in means(whole).items()
        }
        if absent and scores["miou"].value is not None:
            scores["miou"] = replace(scores["miou"], why=left_out)
        for name, value in by_class.items():
            scores[f"iou/{name}"] = (
                Score(None, why="not in the truth") if np.isnan(value) else Score(value)
            )
        return scores

    def resample(
        self,
        evidences: Sequence[Evidence],
        counts: NDArray[np.int64],
        units: Sequence[Hashable],
    ) -> dict[str, NDArray[np.float64]]:
        """``miou mpa pixel_accuracy fwiou`` of resampled sets.

        And ``iou/<class>`` of classes that `has_draws`; NaN where a resample has no pixel of it in
        the truth.
        """
        if not any(evidences):
            return {}
        matrices = self._matrices(evidences)
        # Whole numbers below 2^53: the product of doubles is exact, and fast.
        flat = counts.astype(np.float64) @ matrices.reshape(len(matrices), -1)
        drawn = flat.reshape(len(counts), *matrices.shape[1:])
        values = means(drawn)
        by_class = zip(sorted(self._classes), matrices.sum(2).T, ious(drawn).T, strict=True)
        return values | {
            f"iou/{self._classes[k]}": value
            for k, pixels, value in by_class
            if has_draws(np.flatnonzero(pixels), units)
        }

    def by_image(self, evidences: Sequence[Evidence]) -> dict[str, NDArray[np.float64]]:
        """Mean IoU of each image alone."""
        if not any(evidences):
            return {}
        with np.errstate(invalid="ignore"):
            return {"miou": means(self._matrices(evidences))["miou"]}

    def curves(self, evidences: Sequence[Evidence]) -> dict[str, NDArray[np.float64]]:
        """Nothing: pixels are not ranked."""
        return {}

    def _matrices(self, evidences: Sequence[Evidence]) -> NDArray[np.float64]:
        """One matrix per image, zeros where an image has no label map; ``(n, C, C + 1)``."""
        n = len(self._classes)
        nothing = np.zeros((n, n + 1))
        return np.stack([e.get("confusion", nothing) for e in evidences]).astype(np.float64)
