"""Object detection, scored as COCO does it (corpus metrics), with precision, recall and IoU."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.image import NDArrayByte
from datasets.sample import Annotations, Sample
from tasks.calibration import LACKING as LACKING_CALIBRATION
from tasks.calibration import METRICS as CALIBRATION
from tasks.calibration import calibration_error
from tasks.coco_ap import Detections, averages, nothing_counts
from tasks.error_types import METRICS as ERROR_TYPES
from tasks.error_types import error_evidence, errors_per_object
from tasks.found_objects import METRICS as FOUND
from tasks.found_objects import beside_clean, distances, found_by_kind, of_classes
from tasks.matching import match
from tasks.network import Detector, NamedDetector, require_sound
from tasks.operating_point import F1, LACKING, f1, operating_points, overlaps
from tasks.operating_point import METRICS as OPERATING_POINTS
from tasks.region import inside
from tasks.resampled_ap import pooled, precision_curve, rankings, resampled
from tasks.task import Evidence, MetricRow, Score, TaskError, has_draws

VERSION = 5
"""Raised whenever the same prediction gives other evidence."""

METRICS: dict[str, MetricRow] = {
    "ap": MetricRow("AP"),
    "ap50": MetricRow("AP50"),
    "ap_pooled": MetricRow("AP pooled", is_judged=True),
    "ap75": MetricRow("AP75", is_column=False),
    "ap_small": MetricRow("AP").of("size", "small"),
    "ap_medium": MetricRow("AP").of("size", "medium"),
    "ap_large": MetricRow("AP").of("size", "large"),
    "ar100": MetricRow("AR100", is_column=False),
    F1: MetricRow("F1", caption="F1 at confidence 0.25 and IoU 0.5", is_column=False),
    **OPERATING_POINTS,
    **ERROR_TYPES,
    **CALIBRATION,
    **FOUND,
}
"""Every number of the task but those of single classes."""


class Detection:
    """Detection on one data set; see `tasks.task.Task`."""

    def __init__(
        self, categories: Mapping[int, str], detector: Callable[[], Detector] | None = None
    ) -> None:
        """Bind the data set's categories and, for predicting, what loads the detector."""
        self._detector = NamedDetector(categories, detector)

    def load(self) -> None:
        """Load the detector.

        Raises:
            TaskError: If it cannot be loaded or knows none of the data set's categories.
        """
        self._detector.load()

    def matched(self) -> Mapping[str, str | None]:
        """The detector's name of each category, None where it has none."""
        return self._detector.matched()

    def named(self) -> Mapping[int, str]:
        """Name of each category that a prediction may hold."""
        return self._detector.named()

    def predict(self, images: list[NDArrayByte]) -> list[Detections]:
        """Detect; classes that the data set does not have are dropped."""
        return self._detector.detect(images)

    def pack(self, prediction: Detections) -> Evidence:
        """The three arrays of a prediction."""
        return {k: v for k, v in vars(prediction).items() if k != "masks"}

    def unpack(self, arrays: Evidence) -> Detections:
        """The prediction from its three arrays."""
        return Detections(arrays["boxes_xyxy_px"], arrays["scores"], arrays["categories"])

    def boxes(self, prediction: Detections) -> list[tuple[float, float, float, float, float, str]]:
        """Left, top, right, bottom in pixels, confidence and class of what is worth drawing."""
        return self._detector.boxes(prediction)

    def colours(self, prediction: Detections) -> None:
        """Nothing: boxes are drawn as lines."""

    def labelled(self, image: NDArrayByte, sample: Sample) -> None:
        """Nothing: boxes are drawn as lines."""

    def truth(self, sample: Sample) -> list[tuple[float, float, float, float, str]]:
        """The labelled boxes."""
        return self._detector.labelled(sample)

    def rows(self) -> dict[str, MetricRow]:
        """`METRICS`, and AP of each class."""
        classes = list(self._detector.categories.values())
        ap = {f"ap/{name}": METRICS["ap"].of("class", name) for name in classes}
        return METRICS | ap | of_classes(classes)

    def evidence(self, prediction: Detections, sample: Sample) -> Evidence:
        """Matches of one image; nothing for an image of a set without labels.

        Raises:
            TaskError: If a box or score is not finite, or a score lies outside [0, 1].
        """
        require_sound(prediction, sample.id)
        if sample.annotations is None:
            return {}
        truth = checked(sample.annotations)
        found, truth = self._detector.compared(inside(prediction, truth), truth)
        return {
            **match(found, truth),
            **overlaps(found, truth),
            **error_evidence(found, truth),
            **distances(truth, sample.depth_m()),
        }

    def reduce(self, evidences: Sequence[Evidence]) -> dict[str, Score]:
        """COCO averages, pooled AP, precision, recall and mean IoU, fractions; types of errors."""
        if not any(evidences):
            return {"ap": Score(None, why="no labels to score against")}
        everyone = np.ones((1, len(evidences)), np.int64)
        others = {
            "ap_pooled": resampled(pooled(evidences), everyone).mean(1),
            **operating_points(evidences, everyone),
            **errors_per_object(evidences, everyone),
            **calibration_error(evidences, everyone),
            **found_by_kind(evidences, everyone),
        }
        why, lacking = nothing_counts(evidences), LACKING | LACKING_CALIBRATION
        return averages(evidences, self._detector.categories) | {
            metric: score_of(values[0], lacking.get(metric, why))
            for metric, values in others.items()
        }

    def resample(
        self,
        evidences: Sequence[Evidence],
        counts: NDArray[np.int64],
        units: Sequence[Hashable],
    ) -> dict[str, NDArray[np.float64]]:
        """AP as `resampled_averages` has it, operating points and errors, of resampled sets."""
        if not any(evidences):
            return {}
        return {
            **resampled_averages(evidences, counts, units, self._detector.categories),
            **operating_points(evidences, counts),
            **errors_per_object(evidences, counts),
            **calibration_error(evidences, counts),
            **found_by_kind(evidences, counts),
        }

    def beside_clean(
        self,
        clean: Sequence[Evidence],
        evidences: Sequence[Evidence],
        counts: NDArray[np.int64],
        units: Sequence[Hashable] | None = None,
    ) -> dict[str, NDArray[np.float64]]:
        """Flips, and recall at the clean images' false positives: see `tasks.found_objects`."""
        return beside_clean(clean, evidences, counts, self._detector.categories, units)

    def by_image(self, evidences: Sequence[Evidence]) -> dict[str, NDArray[np.float64]]:
        """F1 at confidence 0.25 and IoU 0.5."""
        if not any(evidences):
            return {}
        return {F1: np.array([f1(e) for e in evidences])}

    def curves(self, evidences: Sequence[Evidence]) -> dict[str, NDArray[np.float64]]:
        """Precision by recall of one ranking over all classes."""
        return {"ap_pooled": precision_curve(pooled(evidences))} if any(evidences) else {}


def resampled_averages(
    evidences: Sequence[Any],
    counts: NDArray[np.int64],
    units: Sequence[Hashable],
    categories: Mapping[int, str],
    prefix: str = "",
) -> dict[str, NDArray[np.float64]]:
    """AP of resampled sets, ``(B,)`` fractions each.

    Returns:
        ``ap``, ``ap50``, ``ap_pooled``, and ``ap/<class>`` of classes that `has_draws`; NaN where a
        resample has no object.
    """
    values_of_classes = {}
    total = np.zeros((len(counts), 2))
    defined = np.zeros((len(counts), 1))
    for ranking in rankings(evidences, sorted(categories)):
        values = resampled(ranking, counts)
        both = np.stack([values.mean(1), values[:, 0]], axis=1)
        defined += ~np.isnan(both[:, :1])
        total += np.nan_to_num(both)
        if has_draws(np.flatnonzero(ranking.objects), units):
            values_of_classes[f"{prefix}ap/{categories[ranking.category]}"] = both[:, 0]
    mean = np.where(defined > 0, total / np.maximum(defined, 1), np.nan)
    return {
        f"{prefix}ap": mean[:, 0],
        f"{prefix}ap50": mean[:, 1],
        f"{prefix}ap_pooled": resampled(pooled(evidences), counts).mean(1),
        **values_of_classes,
    }


def score_of(value: float, why: str) -> Score:
    """A number, or why there is none."""
    if np.isnan(value):
        return Score(None, why=why)
    return Score(float(value))


def checked(truth: Annotations) -> Annotations:
    """Labels as they are, once known to be finite: pycocotools is C and does not check."""
    if not (np.isfinite(truth.boxes_xyxy_px).all() and np.isfinite(truth.areas_px2).all()):
        raise TaskError("labels hold non-finite boxes or areas")
    return truth
