"""Precision, recall and IoU at a stated confidence: a detector as it is used, not as it ranks.

Three protocols, each a suffix of ``precision``, ``recall`` and ``mean_iou``:

- ``c25-iou50``: confidence >= 0.25; a box is right that COCO's matching at IoU 0.5 pairs with an
  object of its class; IoU is the mean of the pairs.
- ``mspfn-table6-conf06``: the same at confidence >= 0.6, the obvious reading of "Threshold: 0.6"
  under Table 6 of Jiang et al., "Multi-Scale Progressive Fusion Network for Single Image
  Deraining", CVPR 2020.
- ``mspfn-table6``: that table has precision below recall below IoU in all its columns, which the
  obvious reading never gives. It has the shape of what Darknet prints for ``detector recall``, so
  this is an inference, not a fact: of all boxes above confidence 0.05, an object's best overlap
  with any of them, whatever the class, decides. Precision = objects found with IoU > 0.6 per box,
  recall = objects found per object, IoU = mean best overlap of the objects that any box touches.
  Darknet knows no crowds; here they are no objects, and boxes on them count as boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.sample import Annotations
from tasks.coco_ap import Detections
from tasks.matching import xywh
from tasks.task import MetricRow

CONFIDENCES = {"c25-iou50": 0.25, "mspfn-table6-conf06": 0.6}
"""Lowest confidence of the protocols that match as COCO does, at IoU 0.5."""
TABLE6 = "mspfn-table6"
TABLE6_CONFIDENCE = 0.05
TABLE6_IOU = 0.6

SHOWN = "c25-iou50"
"""The protocol whose precision and recall stand in the main table."""


def _row(name: str, protocol: str) -> MetricRow:
    if protocol != SHOWN or name == "mean IoU":
        return MetricRow(f"{name} {protocol}", is_column=False)
    return MetricRow(name, caption="Precision and recall at confidence 0.25 and IoU 0.5")


METRICS = {
    f"{name.replace(' ', '_').lower()}@{protocol}": _row(name, protocol)
    for protocol in (*CONFIDENCES, TABLE6)
    for name in ("precision", "recall", "mean IoU")
}
"""What `operating_points` gives."""
LACKING = {
    f"{name}@{protocol}": f"no box of confidence {confidence:g} or more {what}"
    for protocol, confidence in CONFIDENCES.items()
    for name, what in (("precision", "counts"), ("mean_iou", "is right"))
} | {
    f"precision@{TABLE6}": f"no box above confidence {TABLE6_CONFIDENCE:g}",
    f"mean_iou@{TABLE6}": f"no box above confidence {TABLE6_CONFIDENCE:g} touches an object",
}
"""Why a number has no value where that is no lack of objects."""
F1 = "f1@c25-iou50"
"""What `f1` gives of a single image."""


def overlaps(detections: Detections, truth: Annotations) -> dict[str, NDArray[Any]]:
    """What ``mspfn-table6`` needs of one image.

    Returns:
        ``table6_iou``: each object's best IoU with any box above the confidence, and
        ``table6_boxes`` ``(1,)``: how many such boxes there are.
    """
    from pycocotools import mask as coco_mask

    shown = _as_networks_say(detections.scores) > TABLE6_CONFIDENCE
    boxes = xywh(detections.boxes_xyxy_px[shown])
    objects = xywh(truth.boxes_xyxy_px[~truth.is_crowd])
    best = np.zeros(len(objects), np.float32)
    if len(boxes) and len(objects):
        best[:] = coco_mask.iou(boxes, objects, [0] * len(objects)).max(0)
    return {"table6_iou": best, "table6_boxes": np.array([shown.sum()], np.int32)}


def operating_points(
    evidences: Sequence[Any], counts: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Precision, recall and mean IoU in every protocol, of resampled sets.

    Args:
        evidences: What `tasks.coco_ap.match` and `overlaps` gave, one per image.
        counts: ``(B, n)``: how often draw b holds image i.

    Returns:
        ``(B,)`` fractions, NaN where there is nothing to count.
    """
    values = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        for protocol, confidence in CONFIDENCES.items():
            rows = np.array([outcomes(e, confidence) for e in evidences])
            true, false, missed, iou = (counts @ rows).T
            values[f"precision@{protocol}"] = true / (true + false)
            values[f"recall@{protocol}"] = true / (true + missed)
            values[f"mean_iou@{protocol}"] = iou / true
        rows = np.array([_darknet(e) for e in evidences])
        found, boxes, objects, touched, iou = (counts @ rows).T
        values[f"precision@{TABLE6}"] = found / boxes
        values[f"recall@{TABLE6}"] = found / objects
        values[f"mean_iou@{TABLE6}"] = iou / touched
    return values


def outcomes(evidence: Any, confidence: float) -> tuple[float, float, float, float]:
    """True positives, false positives, missed objects and summed IoU of the pairs of one image."""
    shown = (_as_networks_say(evidence["score"]) >= confidence) & ~evidence["ignored"][0, 0]
    true = shown & evidence["matched"][0, 0]
    hits = int(true.sum())
    objects = int((~evidence["truth_ignored"][0]).sum())
    return hits, int((shown & ~true).sum()), objects - hits, float(evidence["iou"][true].sum())


def f1(evidence: Any, confidence: float = CONFIDENCES["c25-iou50"]) -> float:
    """F1 of one image at IoU 0.5, a fraction; NaN where there is neither object nor box."""
    true, false, missed, _ = outcomes(evidence, confidence)
    total = 2 * true + false + missed
    return 2 * true / total if total else float("nan")


def _as_networks_say(scores: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Confidences in single precision, in which a network's 0.6 is not below 0.6."""
    return scores.astype(np.float32, copy=False)


def _darknet(evidence: Any) -> tuple[float, float, float, float, float]:
    """Objects found, boxes, objects, objects touched and their summed IoU, of one image."""
    best = evidence["table6_iou"]
    return (
        float((best > TABLE6_IOU).sum()),
        float(evidence["table6_boxes"][0]),
        float(len(best)),
        float((best > 0).sum()),
        float(best.sum(dtype=np.float64)),
    )
