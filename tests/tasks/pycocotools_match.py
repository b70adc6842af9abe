"""Matches of one image by pycocotools' own ``evaluateImg``: what `tasks.matching` must equal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pycocotools.cocoeval import COCOeval

from datasets.sample import Annotations, Mask
from tasks.coco_ap import MAX_DETECTIONS, Detections, Kind


def match(
    detections: Detections, truth: Annotations, kind: Kind = "bbox"
) -> dict[str, NDArray[Any]]:
    """As `tasks.matching.match`, class by class."""
    evaluation = COCOeval(iouType=kind)
    areas = evaluation.params.areaRng
    rows: list[dict[str, NDArray[Any]]] = []
    for category in np.union1d(detections.categories, truth.categories).tolist():
        found = detections.categories == category
        there = truth.categories == category
        key = (0, category)
        evaluation._dts = {key: _found(detections, found, kind)}
        evaluation._gts = {key: _there(truth, there, kind)}
        ious = _ious(evaluation, key, truth, there)
        evaluation.ious = {key: ious}
        cells = [evaluation.evaluateImg(*key, area, MAX_DETECTIONS) for area in areas]
        kept = len(cells[0]["dtScores"])
        # pycocotools sorts objects by "ignored"; ids lead back to the columns of the IoU matrix.
        pairs = np.zeros(kept, np.float32)
        truth_score = np.full(int(there.sum()), -1.0)
        for d, object_id in enumerate(cells[0]["dtMatches"][0].astype(int)):
            if object_id:
                pairs[d] = ious[d][object_id - 1]
                score = max(truth_score[object_id - 1], cells[0]["dtScores"][d])
                truth_score[object_id - 1] = score
        truth_ignored = np.zeros((len(areas), int(there.sum())), np.bool_)
        for a, cell in enumerate(cells):
            truth_ignored[a, np.array(cell["gtIds"], int) - 1] = cell["gtIgnore"]
        rows.append(
            {
                "category": np.full(kept, category, np.int32),
                "score": np.array(cells[0]["dtScores"], np.float64),
                "matched": np.stack([c["dtMatches"] > 0 for c in cells]),
                "ignored": np.stack([c["dtIgnore"] > 0 for c in cells]),
                "iou": pairs,
                "truth_category": np.full(truth_ignored.shape[1], category, np.int32),
                "truth_ignored": truth_ignored,
                "truth_score": truth_score,
            }
        )
    return {k: np.concatenate([r[k] for r in (_nothing(), *rows)], axis=-1) for k in _nothing()}


def _found(detections: Detections, rows: NDArray[np.bool_], kind: Kind) -> list[dict[str, Any]]:
    """Detections as pycocotools' dicts; COCO's xywh exists here only."""
    scores = detections.scores[rows].tolist()
    if kind == "segm":
        masks = [_coco(detections.masks[i]) for i in np.flatnonzero(rows)]
        # One by one: for more than 255 at a time, pycocotools 2.0 overflows a byte.
        areas = [int(coco_mask.area(mask)) for mask in masks]
        return [
            {"id": i + 1, "segmentation": mask, "area": area, "score": score}
            for i, (mask, area, score) in enumerate(zip(masks, areas, scores, strict=True))
        ]
    boxes = detections.boxes_xyxy_px[rows].astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    return [
        {"id": i + 1, "bbox": box, "area": box[2] * box[3], "score": score}
        for i, (box, score) in enumerate(zip(boxes.tolist(), scores, strict=True))
    ]


def _there(truth: Annotations, rows: NDArray[np.bool_], kind: Kind) -> list[dict[str, Any]]:
    """Objects as pycocotools' dicts."""
    places = np.flatnonzero(rows)
    if kind == "segm":
        shapes: list[Any] = [_coco(truth.masks[i]) for i in places]
    else:
        boxes = truth.boxes_xyxy_px[places].copy()
        boxes[:, 2:] -= boxes[:, :2]
        shapes = boxes.tolist()
    field = "segmentation" if kind == "segm" else "bbox"
    areas, crowds = truth.areas_px2[places].tolist(), truth.is_crowd[places].tolist()
    return [
        {"id": i + 1, field: shape, "area": area, "iscrowd": int(crowd), "ignore": int(crowd)}
        for i, (shape, area, crowd) in enumerate(zip(shapes, areas, crowds, strict=True))
    ]


def _ious(
    evaluation: Any, key: tuple[int, int], truth: Annotations, rows: NDArray[np.bool_]
) -> Any:
    """Overlaps of one class; of a crowd the share of the detection that lies inside."""
    if truth.is_difficult is None:
        return evaluation.computeIoU(*key)
    objects = evaluation._gts[key]
    crowds = [row["iscrowd"] for row in objects]
    for row, is_difficult in zip(objects, truth.is_difficult[rows].tolist(), strict=True):
        row["iscrowd"] = 0 if is_difficult else row["iscrowd"]
    ious = evaluation.computeIoU(*key)
    # Several detections may be of one object that is ignored, as of a crowd.
    for row, is_crowd in zip(objects, crowds, strict=True):
        row["iscrowd"] = is_crowd
    return ious


def _coco(mask: Mask) -> dict[str, Any]:
    """A mask as pycocotools' dict."""
    return {"size": [mask.height_px, mask.width_px], "counts": mask.counts}


def _nothing() -> dict[str, NDArray[Any]]:
    """The evidence of an image without detections and objects."""
    cells = (4, 10, 0)
    return {
        "category": np.zeros(0, np.int32),
        "score": np.zeros(0, np.float64),
        "matched": np.zeros(cells, np.bool_),
        "ignored": np.zeros(cells, np.bool_),
        "iou": np.zeros(0, np.float32),
        "truth_category": np.zeros(0, np.int32),
        "truth_ignored": np.zeros((4, 0), np.bool_),
        "truth_score": np.zeros(0, np.float64),
    }
