"""Why detections are wrong: TIDE's six types, counted at a confidence as a detector is used.

Of what is found with confidence >= 0.25, by boxes or by masks, the hundred most confident ones of
an image, and of its objects:

- class: overlaps an object of another class with IoU >= 0.5
- location: overlaps an object of its own class with 0.1 <= IoU <= 0.5
- both: overlaps an object with more than 0.1, but is of none of the other types
- duplicate: overlaps an object of its own class with IoU >= 0.5 that a more confident box has found
- background: overlaps no object with more than 0.1
- missed: an object that no box found, and that no error of class or location is about

A wrong box is of the first type that holds of location, class, duplicate, background. One that
lies in a crowd, or on an object that does not count, is no error; the authors' code counts it too.

Reference: Bolya, Foley, Hays, Hoffman, "TIDE: A General Toolbox for Identifying Object Detection
Errors", ECCV 2020, section 2.2, arXiv:2008.08115; order, ties and bounds as in the authors'
``tidecv`` 1.0.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.sample import Annotations
from tasks.coco_ap import MAX_DETECTIONS, Detections, Kind
from tasks.matching import coco, xywh
from tasks.task import MetricRow

Shapes = NDArray[np.float64] | list[dict[str, Any]]
"""``(N, 4)`` boxes, or run lengths of N masks, as pycocotools takes them."""
TYPES = ("class", "location", "both", "duplicate", "background", "missed")
CONFIDENCE = 0.25
FOUND_IOU = 0.5
NEAR_IOU = 0.1

METRICS = {
    f"{name}_errors@c25-tide": MetricRow(
        f"{name} errors c25-tide",
        unit="score",
        higher_is_better=False,
        caption=f"TIDE's errors of type {name} a labelled object, at confidence 0.25",
        is_column=False,
    )
    for name in TYPES
}
"""What `errors_per_object` gives."""


def error_evidence(
    detections: Detections, truth: Annotations, kind: Kind = "bbox"
) -> dict[str, NDArray[Any]]:
    """``errors`` ``(6,)`` of one image, by type, and ``error_objects`` ``(1,)``: its objects."""
    # In single precision, in which a network's 0.25 is not below 0.25.
    shown = detections.scores.astype(np.float32) >= np.float32(CONFIDENCE)
    found = Detections(
        detections.boxes_xyxy_px[shown],
        detections.scores[shown],
        detections.categories[shown],
        tuple(detections.masks[i] for i in np.flatnonzero(shown)) if kind == "segm" else (),
    )
    return {
        "errors": errors(found, truth, kind),
        "error_objects": np.array([np.count_nonzero(~truth.is_crowd)], np.int32),
    }


def errors(detections: Detections, truth: Annotations, kind: Kind = "bbox") -> NDArray[np.int32]:
    """How many errors of each of `TYPES` one image has, ``(6,)``; of all detections given."""
    order = np.argsort(-detections.scores.astype(np.float64), kind="stable")[:MAX_DETECTIONS]
    shapes, category = _shapes(detections, order, kind), detections.categories[order]
    there = np.flatnonzero(~truth.is_crowd)
    overlaps = _iou(shapes, _shapes(truth, there, kind), [0] * len(there))
    is_alike = category[:, None] == truth.categories[there]
    own, other = overlaps * is_alike, overlaps * ~is_alike
    right, used = _found(own)
    wrong = ~right & ~_excused(shapes, category, truth, kind)
    location = wrong & (_most(own) >= NEAR_IOU) & (_most(own) <= FOUND_IOU)
    of_class = wrong & ~location & (_most(other) >= FOUND_IOU)
    rest = wrong & ~location & ~of_class
    duplicate = rest & (_most(own * used) >= FOUND_IOU)
    background = rest & ~duplicate & (_most(overlaps) <= NEAR_IOU)
    both = rest & ~duplicate & ~background
    if len(there):
        used[own[location].argmax(1)] = True
        used[other[of_class].argmax(1)] = True
    by_type = (of_class, location, both, duplicate, background, ~used)
    return np.array([np.count_nonzero(each) for each in by_type], np.int32)


def errors_per_object(
    evidences: Sequence[Any], counts: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Errors of each type a labelled object, of resampled sets.

    Args:
        evidences: What `error_evidence` gave, one per image.
        counts: ``(B, n)``: how often draw b holds image i.

    Returns:
        ``(B,)`` by metric, NaN where a draw has no object.
    """
    rows = np.array([[*e["errors"], *e["error_objects"]] for e in evidences], np.float64)
    *by_type, objects = (counts @ rows).T
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [np.where(objects > 0, total / objects, np.nan) for total in by_type]
    return dict(zip(METRICS, shares, strict=True))


def _found(own: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which boxes, in their order, find a free object of their class, and which are found."""
    right, used = (np.zeros(n, np.bool_) for n in own.shape)
    free = own.copy()
    for d in np.flatnonzero(_most(own) >= FOUND_IOU):
        best = free[d].argmax()
        if free[d, best] >= FOUND_IOU:
            right[d] = used[best] = True
            free[:, best] = 0
    return right, used


def _excused(
    shapes: Shapes, category: NDArray[np.int64], truth: Annotations, kind: Kind
) -> NDArray[np.bool_]:
    """Which lie in a crowd of their class, or on an object of it that does not count."""
    regions = np.flatnonzero(truth.is_crowd)
    crowds = truth.is_crowd if truth.is_difficult is None else truth.is_crowd & ~truth.is_difficult
    inside = _iou(shapes, _shapes(truth, regions, kind), crowds[regions].tolist())
    is_alike = category[:, None] == truth.categories[regions]
    return np.asarray(((inside > FOUND_IOU) & is_alike).any(1), np.bool_)


def _shapes(of: Detections | Annotations, places: NDArray[np.intp], kind: Kind) -> Shapes:
    """Some boxes or masks, as pycocotools takes them."""
    if kind == "segm":
        return [coco(of.masks[i]) for i in places]
    return xywh(of.boxes_xyxy_px[places])


def _iou(shapes: Shapes, others: Shapes, crowds: list[Any]) -> NDArray[np.float64]:
    """``(D, G)``, with neither too."""
    from pycocotools import mask as coco_mask

    if not len(shapes) or not len(others):
        return np.zeros((len(shapes), len(others)))
    return np.asarray(coco_mask.iou(shapes, others, crowds), np.float64)


def _most(overlaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each box; 0 where there is nothing."""
    return np.asarray(overlaps.max(1, initial=0.0), np.float64)
