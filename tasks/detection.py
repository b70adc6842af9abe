"""Object detection, scored as COCO does it (corpus metrics), with precision, recall and IoU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from datasets.sample import Annotations, Sample
from tasks.coco_ap import Detections, accumulate, match, pooled, rankings, resampled
from tasks.task import Evidence, Score, TaskError

VERSION = 1
"""Raised whenever the same prediction gives other evidence."""

CONFIDENCE = 0.25
PROTOCOL = "c25-iou50"
"""Precision, recall, mean IoU of matched pairs: confidence >= 0.25, IoU >= 0.5, same class."""


class Detector(Protocol):
    """A detection network."""

    @property
    def names(self) -> Sequence[str]:
        """Its classes, in the order of the numbers it predicts."""
        ...

    def detect(self, images: list[NDArrayByte]) -> list[Detections]:
        """Find objects; ``categories`` are places in ``names``."""
        ...


class Detection:
    """Detection on one data set; see `tasks.task.Task`."""

    def __init__(
        self, categories: Mapping[int, str], detector: Callable[[], Detector] | None = None
    ) -> None:
        """Bind the data set's categories and, for predicting, what loads the detector."""
        self._categories = dict(categories)
        self._build = detector
        self._detector: Detector | None = None
        self._ids = np.zeros(0, np.int64)

    def load(self) -> None:
        """Load the detector.

        Raises:
            TaskError: If it cannot be loaded or knows none of the data set's categories.
        """
        if self._detector is not None:
            return
        if self._build is None:
            raise TaskError("this task was made for scoring alone; give a detector to predict")
        self._detector = self._build()
        if not self._categories:  # a set without labels is looked at in the detector's own classes
            self._categories = dict(enumerate(self._detector.names))
        by_name = {name: category for category, name in self._categories.items()}
        self._ids = np.array([by_name.get(name, -1) for name in self._detector.names])
        if not (self._ids >= 0).any():
            raise TaskError(
                "the detector knows none of the data set's categories; it knows "
                f"{', '.join(self._detector.names[:5])}…"
            )

    def predict(self, images: list[NDArrayByte]) -> list[Detections]:
        """Detect; classes that the data set does not have are dropped."""
        self.load()
        assert self._detector is not None
        return [self._translated(d) for d in self._detector.detect(images)]

    def pack(self, prediction: Detections) -> Evidence:
        """The three arrays of a prediction."""
        return dict(vars(prediction))

    def unpack(self, arrays: Evidence) -> Detections:
        """The prediction from its three arrays."""
        return Detections(**arrays)

    def evidence(self, prediction: Detections, sample: Sample) -> Evidence:
        """Matches of one image; nothing for an image of a set without labels.

        Raises:
            TaskError: If a box or score is not finite.
        """
        if not (
            np.isfinite(prediction.boxes_xyxy_px).all() and np.isfinite(prediction.scores).all()
        ):
            raise TaskError(f"image {sample.id}: the detector returned non-finite boxes or scores")
        if sample.annotations is None:
            return {}
        return match(prediction, _valid(sample.annotations))

    def reduce(self, evidences: Sequence[Evidence]) -> dict[str, Score]:
        """COCO averages, pooled AP, precision, recall and mean IoU; fractions."""
        if not any(evidences):
            return {"ap": Score(None, why="no labels to score against")}
        names = self._categories
        scores = {}
        for metric, value in accumulate(evidences, sorted(names)).items():
            kind, _, category = metric.partition("/")
            label = f"{kind}/{names[int(category)]}" if category else metric
            scores[label] = Score(value, why=None if value is not None else "no object counts")
        everyone = np.ones((1, len(evidences)), np.int64)
        for metric, values in self.resample(evidences, everyone).items():
            if metric not in scores:
                value = None if np.isnan(values[0]) else float(values[0])
                scores[metric] = Score(value, why=None if value is not None else "nothing to count")
        return scores

    def resample(
        self, evidences: Sequence[Evidence], counts: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        """``ap``, ``ap50``, ``ap_pooled`` and the c25-iou50 numbers of resampled sets."""
        if not any(evidences):
            return {}
        classes = [resampled(r, counts) for r in rankings(evidences, sorted(self._categories))]
        every = np.stack(classes) if classes else np.full((1, len(counts), 10), np.nan)
        values = {
            "ap": _nanmean(every, axes=(0, 2)),
            "ap50": _nanmean(every[:, :, 0], axes=(0,)),
            "ap_pooled": resampled(pooled(evidences), counts).mean(1),
        }
        true, false, objects, iou = (counts @ _counts(evidences)).T
        with np.errstate(invalid="ignore", divide="ignore"):
            values[f"precision@{PROTOCOL}"] = true / (true + false)
            values[f"recall@{PROTOCOL}"] = true / objects
            values[f"mean_iou@{PROTOCOL}"] = iou / true
        return values

    def boxes(self, prediction: Detections) -> list[tuple[float, float, float, float, float, str]]:
        """Left, top, right, bottom in pixels, confidence and class of what is worth drawing."""
        shown = prediction.scores >= CONFIDENCE
        rows = zip(
            prediction.boxes_xyxy_px[shown].round(1).tolist(),
            prediction.scores[shown].round(3).tolist(),
            prediction.categories[shown].tolist(),
            strict=True,
        )
        return [(*box, score, self._categories[category]) for box, score, category in rows]

    def _translated(self, found: Detections) -> Detections:
        """From the detector's class numbers to the data set's category ids."""
        ids = self._ids[found.categories]
        known = ids >= 0
        return Detections(found.boxes_xyxy_px[known], found.scores[known], ids[known])


def _valid(truth: Annotations) -> Annotations:
    """Labels as they are, once known to be finite: pycocotools is C and does not check."""
    if not (np.isfinite(truth.boxes_xyxy_px).all() and np.isfinite(truth.areas_px2).all()):
        raise TaskError("labels hold non-finite boxes or areas")
    return truth


def _counts(evidences: Sequence[Any]) -> NDArray[np.float64]:
    """True positives, false positives, objects and summed IoU of each image, ``(n, 4)``."""
    rows = []
    for e in evidences:
        shown = (e["score"] >= CONFIDENCE) & ~e["ignored"][0, 0]
        true = shown & e["matched"][0, 0]
        rows.append(
            (
                true.sum(),
                (shown & ~true).sum(),
                (~e["truth_ignored"][0]).sum(),
                e["iou"][true].sum(),
            )
        )
    return np.array(rows, np.float64).reshape(-1, 4)


def _nanmean(values: NDArray[np.float64], axes: tuple[int, ...]) -> NDArray[np.float64]:
    """Mean of the defined values, NaN without a warning where there is none."""
    defined = ~np.isnan(values)
    count = defined.sum(axes)
    total = np.where(defined, values, 0.0).sum(axes)
    mean: NDArray[np.float64] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean
