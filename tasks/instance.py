"""Instance segmentation, scored as COCO does it, by boxes and by masks (corpus metrics)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.draw import drawn
from datasets.image import NDArrayByte
from datasets.masks import decode
from datasets.sample import IGNORED, Annotations, Mask, Sample
from tasks import rle
from tasks.coco_ap import Detections, Kind, averages, nothing_counts
from tasks.detection import checked, resampled_averages, score_of
from tasks.error_types import METRICS as ERRORS
from tasks.error_types import error_evidence, errors_per_object
from tasks.matching import match
from tasks.network import CONFIDENCE, Detector, NamedDetector, require_sound
from tasks.operating_point import F1, f1
from tasks.region import inside
from tasks.resampled_ap import pooled, precision_curve, resampled
from tasks.task import Evidence, MetricRow, Score, TaskError

VERSION = 4
"""Raised whenever the same prediction gives other evidence."""

_BOX, _MASK = MetricRow("box AP", is_column=False), MetricRow("mask AP")
METRICS: dict[str, MetricRow] = {
    "mask_ap": _MASK,
    "mask_ap50": MetricRow("mask AP50"),
    "mask_ap_pooled": MetricRow("mask AP pooled", is_judged=True),
    "box_ap": MetricRow("box AP"),
    "mask_ap75": MetricRow("mask AP75", is_column=False),
    "mask_ap_small": _MASK.of("size", "small"),
    "mask_ap_medium": _MASK.of("size", "medium"),
    "mask_ap_large": _MASK.of("size", "large"),
    "mask_ar100": MetricRow("mask AR100", is_column=False),
    "box_ap50": MetricRow("box AP50", is_column=False),
    "box_ap_pooled": MetricRow("box AP pooled", is_column=False),
    "box_ap75": MetricRow("box AP75", is_column=False),
    "box_ap_small": MetricRow("box AP, small", is_column=False),
    "box_ap_medium": MetricRow("box AP, medium", is_column=False),
    "box_ap_large": MetricRow("box AP, large", is_column=False),
    "box_ar100": MetricRow("box AR100", is_column=False),
    F1: MetricRow("F1", caption="F1 at confidence 0.25 and IoU 0.5", is_column=False),
    **{f"mask_{name}": replace(row, title=f"mask {row.title}") for name, row in ERRORS.items()},
}
"""Every number of the task but those of single classes; by class tables show masks alone."""

KINDS: dict[str, Kind] = {"box_": "bbox", "mask_": "segm"}
"""What is overlapped, by the beginning of the metrics' names."""


class Instance:
    """Instance segmentation on one data set; see `tasks.task.Task`."""

    def __init__(
        self, categories: Mapping[int, str], detector: Callable[[], Detector] | None = None
    ) -> None:
        """Bind the data set's categories and, for predicting, what loads the network."""
        self._detector = NamedDetector(categories, detector)

    def load(self) -> None:
        """Load the network.

        Raises:
            TaskError: If it cannot be loaded or knows none of the data set's categories.
        """
        self._detector.load()

    def matched(self) -> Mapping[str, str | None]:
        """The network's name of each category, None where it has none."""
        return self._detector.matched()

    def named(self) -> Mapping[int, str]:
        """Name of each category that a prediction may hold."""
        return self._detector.named()

    def predict(self, images: list[NDArrayByte]) -> list[Detections]:
        """Find objects with their masks; classes that the data set does not have are dropped."""
        return self._detector.detect(images)

    def pack(self, prediction: Detections) -> Evidence:
        """Boxes, scores, categories, and the masks' run lengths one after the other."""
        counts = [mask.counts for mask in prediction.masks]
        sizes = [(mask.height_px, mask.width_px) for mask in prediction.masks]
        return {
            "boxes_xyxy_px": prediction.boxes_xyxy_px,
            "scores": prediction.scores,
            "categories": prediction.categories,
            "mask_sizes_px": np.array(sizes, np.int32).reshape(-1, 2),
            "mask_ends": np.cumsum([len(c) for c in counts], dtype=np.int64),
            "mask_counts": np.frombuffer(b"".join(counts), np.uint8),
        }

    def unpack(self, arrays: Evidence) -> Detections:
        """The prediction from its arrays."""
        text = arrays["mask_counts"].tobytes()
        spans = pairwise([0, *arrays["mask_ends"].tolist()])
        masks = tuple(
            Mask(height, width, text[start:end])
            for (height, width), (start, end) in zip(
                arrays["mask_sizes_px"].tolist(), spans, strict=True
            )
        )
        return Detections(arrays["boxes_xyxy_px"], arrays["scores"], arrays["categories"], masks)

    def boxes(self, prediction: Detections) -> list[tuple[float, float, float, float, float, str]]:
        """Left, top, right, bottom in pixels, confidence and class of what is worth drawing."""
        return self._detector.boxes(prediction)

    def colours(self, prediction: Detections) -> NDArrayByte | None:
        """The category of every pixel that a mask of enough confidence covers."""
        shown = np.flatnonzero(prediction.scores >= CONFIDENCE)
        painted: NDArrayByte | None = None
        for i in shown[np.argsort(prediction.scores[shown], kind="stable")]:
            mask = decode(prediction.masks[i])
            if painted is None:
                painted = np.full(mask.shape, IGNORED, np.uint8)
            painted[mask] = prediction.categories[i] % IGNORED
        return painted

    def labelled(self, image: NDArrayByte, sample: Sample) -> NDArrayByte | None:
        """The image with its labelled masks and boxes; None where there are no labels."""
        if sample.annotations is None:
            return None
        return drawn(image, sample.annotations, self._detector.names)

    def truth(self, sample: Sample) -> list[tuple[float, float, float, float, str]]:
        """The labelled boxes."""
        return self._detector.labelled(sample)

    def rows(self) -> dict[str, MetricRow]:
        """`METRICS`, and AP of each class by masks and by boxes."""
        classes = self._detector.categories.values()
        return (
            METRICS
            | {f"mask_ap/{name}": _MASK.of("class", name) for name in classes}
            | {f"box_ap/{name}": replace(_BOX, title=f"box AP, {name}") for name in classes}
        )

    def evidence(self, prediction: Detections, sample: Sample) -> Evidence:
        """Matches of one image by boxes and by masks; nothing where the set has no labels.

        Raises:
            TaskError: If a number is not finite, a score lies outside [0, 1], or a mask is missing,
                damaged or of another size.
        """
        where = f"image {sample.id}"
        require_sound(prediction, sample.id)
        if sample.annotations is None:
            return {}
        truth = checked(sample.annotations)
        _check_masks(prediction, truth, where)
        found, truth = self._detector.compared(inside(prediction, truth), truth)
        matches = {
            prefix + name: array
            for prefix, kind in KINDS.items()
            for name, array in match(found, truth, kind).items()
        }
        errors = error_evidence(found, truth, "segm")
        return matches | {f"mask_{name}": array for name, array in errors.items()}

    def reduce(self, evidences: Sequence[Evidence]) -> dict[str, Score]:
        """COCO averages and pooled AP, of boxes and of masks, fractions; types of errors."""
        if not any(evidences):
            return {"mask_ap": Score(None, why="no labels to score against")}
        everyone = np.ones((1, len(evidences)), np.int64)
        scores: dict[str, Score] = {}
        why = nothing_counts(_of("box_", evidences))
        for prefix in KINDS:
            matches = _of(prefix, evidences)
            scores |= averages(matches, self._detector.categories, prefix)
            pool = resampled(pooled(matches), everyone).mean(1)[0]
            scores[f"{prefix}ap_pooled"] = score_of(pool, why)
        return scores | {m: score_of(v[0], why) for m, v in _errors(evidences, everyone).items()}

    def resample(
        self,
        evidences: Sequence[Evidence],
        counts: NDArray[np.int64],
        units: Sequence[Hashable],
    ) -> dict[str, NDArray[np.float64]]:
        """AP of boxes and of masks as `resampled_averages` has it, and types of errors."""
        if not any(evidences):
            return {}
        values: dict[str, NDArray[np.float64]] = {}
        for prefix in KINDS:
            values |= resampled_averages(
                _of(prefix, evidences), counts, units, self._detector.categories, prefix
            )
        return values | _errors(evidences, counts)

    def by_image(self, evidences: Sequence[Evidence]) -> dict[str, NDArray[np.float64]]:
        """F1 of the masks at confidence 0.25 and IoU 0.5."""
        if not any(evidences):
            return {}
        return {F1: np.array([f1(e) for e in _of("mask_", evidences)])}

    def curves(self, evidences: Sequence[Evidence]) -> dict[str, NDArray[np.float64]]:
        """Precision by recall of masks, one ranking over all classes."""
        if not any(evidences):
            return {}
        return {"mask_ap_pooled": precision_curve(pooled(_of("mask_", evidences)))}


def _errors(
    evidences: Sequence[Evidence], counts: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Types of errors of the masks, of resampled sets."""
    values = errors_per_object(_of("mask_", evidences), counts)
    return {f"mask_{metric}": each for metric, each in values.items()}


def _of(prefix: str, evidences: Sequence[Evidence]) -> list[dict[str, NDArray[Any]]]:
    """The matches by boxes or by masks, under the names that `match` gave them."""
    return [
        {k.removeprefix(prefix): v for k, v in e.items() if k.startswith(prefix)} for e in evidences
    ]


def _check_masks(prediction: Detections, truth: Annotations, where: str) -> None:
    """One sound mask for every box and every object, all of one size."""
    if len(prediction.masks) != len(prediction.scores):
        raise TaskError(
            f"{where}: {len(prediction.scores)} predictions with {len(prediction.masks)} masks"
        )
    if len(truth.masks) != len(truth.categories):
        raise TaskError(f"{where}: its labels have no masks; instance segmentation needs them")
    # What was predicted has the picture's size: the labels are to blame where theirs is another.
    for masks, name in ((prediction.masks, "prediction"), (truth.masks, "labels")):
        if masks:
            first = (prediction.masks or masks)[0]
            rle.check(masks, (first.height_px, first.width_px), f"{where}: {name}")
