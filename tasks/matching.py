"""Which detections of one image find which of its objects, as COCO has it.

The same as ``COCOeval.evaluateImg`` of pycocotools bit by bit, with its own overlaps, for all
classes, areas and thresholds at once instead of in four nested loops of Python: within a class
detections take their object by falling confidence, but what does not compete is matched together.

Reference: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; pycocotools 2.0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.sample import Annotations, Mask
from tasks.coco_ap import AREA_NAMES, MAX_DETECTIONS, THRESHOLDS, Detections, Kind

AREAS_PX2 = np.array([[0, 1e10], [0, 32**2], [32**2, 96**2], [96**2, 1e10]])
"""``(4, 2)``: bounds of `AREA_NAMES`, both included."""


def match(
    detections: Detections, truth: Annotations, kind: Kind = "bbox"
) -> dict[str, NDArray[Any]]:
    """Match one image's detections to its objects, class by class.

    Args:
        detections: What was found; finite, and masks checked where they are to be overlapped.
        truth: The image's objects, as safe as the detections.
        kind: Whether boxes or masks are overlapped.

    Returns:
        Arrays over the D kept detections, sorted by class and falling score: ``category``,
        ``score``, ``matched`` and ``ignored`` ``(4 areas, 10 thresholds, D)``, ``iou`` of the match
        at threshold 0.5 (0 without); and over the G objects by class: ``truth_category``,
        ``truth_ignored`` ``(4, G)``, and ``truth_score``, the confidence of what finds it at
        threshold 0.5 (-1 without).
    """
    found, there = _kept(detections), np.argsort(truth.categories, kind="stable")
    category, classes = detections.categories[found], truth.categories[there]
    is_crowd = truth.is_crowd[there]
    overlaps = _overlaps(detections, found, truth, there, kind)
    left_out = is_crowd | _outside(truth.areas_px2[there])
    object_of = _objects(overlaps, category, left_out, is_crowd)
    matched = object_of >= 0
    ignored = ~matched & _outside(_areas(detections, found, kind))[:, None]
    pairs = matched.nonzero()
    ignored[pairs] = left_out[pairs[0], object_of[pairs]]
    first = matched[0, 0].nonzero()[0]
    iou = np.zeros(len(found), np.float32)
    iou[first] = overlaps[first, object_of[0, 0, first]]
    score = np.full(len(there), -1.0)
    np.maximum.at(score, object_of[0, 0, first], detections.scores[found[first]])
    return {
        "category": category.astype(np.int32),
        "score": detections.scores[found].astype(np.float64),
        "matched": matched,
        "ignored": ignored,
        "iou": iou,
        "truth_category": classes.astype(np.int32),
        "truth_ignored": left_out,
        "truth_score": score,
    }


def xywh(boxes_xyxy_px: NDArray[Any]) -> NDArray[np.float64]:
    """Corner and size, as pycocotools takes boxes."""
    boxes = boxes_xyxy_px.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    return boxes


def _kept(detections: Detections) -> NDArray[np.intp]:
    """Places of the most confident detections of each class, by class and falling confidence."""
    order = np.lexsort((-detections.scores.astype(np.float64), detections.categories))
    return order[_places(detections.categories[order]) < MAX_DETECTIONS]


def _places(categories: NDArray[np.int64]) -> NDArray[np.intp]:
    """How many of the same class stand before each, where classes rise."""
    return np.arange(len(categories)) - categories.searchsorted(categories)


def _outside(areas_px2: NDArray[np.float64]) -> NDArray[np.bool_]:
    """``(4, N)``: whether each of N areas is outside each of the ranges."""
    low, high = AREAS_PX2.T[..., None]
    return np.asarray((areas_px2 < low) | (areas_px2 > high), np.bool_)


def _areas(detections: Detections, found: NDArray[np.intp], kind: Kind) -> NDArray[np.float64]:
    if kind == "bbox":
        return np.asarray(xywh(detections.boxes_xyxy_px[found])[:, 2:].prod(1), np.float64)
    from pycocotools import mask as coco_mask

    # One by one: for more than 255 at a time, pycocotools 2.0 overflows a byte.
    return np.array([coco_mask.area(coco(detections.masks[i])) for i in found], np.float64)


def _overlaps(
    detections: Detections,
    found: NDArray[np.intp],
    truth: Annotations,
    there: NDArray[np.intp],
    kind: Kind,
) -> NDArray[np.float64]:
    """``(D, G)`` IoU of each pair of one class, of a crowd the share of the detection inside it.

    -1 where the classes differ. Of what is ignored because it is difficult it is the IoU, though
    several detections may be of it, as of a crowd.
    """
    from pycocotools import mask as coco_mask

    category, classes = detections.categories[found], truth.categories[there]
    is_alike = category[:, None] == classes
    overlaps = np.full(is_alike.shape, -1.0)
    if not is_alike.any():
        return overlaps
    crowds = truth.is_crowd if truth.is_difficult is None else truth.is_crowd & ~truth.is_difficult
    if kind == "bbox":
        boxes = [xywh(detections.boxes_xyxy_px[found]), xywh(truth.boxes_xyxy_px[there])]
        every = coco_mask.iou(*boxes, crowds[there].tolist())
        overlaps[is_alike] = every[is_alike]
        return overlaps
    for each in np.intersect1d(category, classes):
        rows, columns = np.flatnonzero(category == each), np.flatnonzero(classes == each)
        masks = [
            [coco(detections.masks[i]) for i in found[rows]],
            [coco(truth.masks[i]) for i in there[columns]],
        ]
        overlaps[np.ix_(rows, columns)] = coco_mask.iou(*masks, crowds[there[columns]].tolist())
    return overlaps


def _objects(
    overlaps: NDArray[np.float64],
    category: NDArray[np.int64],
    left_out: NDArray[np.bool_],
    is_crowd: NDArray[np.bool_],
) -> NDArray[np.intp]:
    """``(4, 10, D)``: the object that each detection finds, -1 where it finds none.

    That is the one of highest overlap among those that count and are free, the last of equals;
    where there is none, among those that do not count. A crowd is never taken.
    """
    near = overlaps >= THRESHOLDS[0]
    object_of = np.full((len(AREA_NAMES), len(THRESHOLDS), len(overlaps)), -1)
    rows, columns = near.any(1).nonzero()[0], near.any(0).nonzero()[0]
    if not rows.size:
        return object_of
    # The last of equals is the first when read backwards.
    columns = columns[::-1]
    overlaps = overlaps[rows[:, None], columns]
    enough = overlaps[:, None] >= THRESHOLDS[:, None]
    counts, is_crowd = ~left_out[:, None, columns], is_crowd[columns]
    free = np.ones((len(AREA_NAMES), len(THRESHOLDS), len(columns)), np.bool_)
    for turn in _turns(enough[:, 0], category[rows]):
        candidates = enough[turn, None] & free
        counting = candidates & counts
        preferred = np.where(counting.any(-1, keepdims=True), counting, candidates)
        best = (preferred * overlaps[turn, None, None]).argmax(-1)
        of, area, threshold = place = np.nonzero(candidates.any(-1))
        taken = best[place]
        object_of[area, threshold, rows[turn[of]]] = columns[taken]
        free[area, threshold, taken] = is_crowd[taken]
    return object_of


def _turns(near: NDArray[np.bool_], category: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    """Places of detections that may choose at once, in the order in which they must.

    Args:
        near: ``(D, G)``: which objects each could find, by class and falling confidence.
        category: ``(D,)`` classes.
    """
    # Who alone is near its objects takes one whenever its turn is.
    competes = (near & (near.sum(0) > 1)).any(1)
    turn = np.zeros(len(near), np.intp)
    turn[competes] = _places(category[competes])
    return [(turn == n).nonzero()[0] for n in range(int(turn.max()) + 1)]


def coco(mask: Mask) -> dict[str, Any]:
    """A mask as pycocotools' dict."""
    return {"size": [mask.height_px, mask.width_px], "counts": mask.counts}
