"""COCO average precision: pycocotools' own matching and accumulation, split per image.

`match` is ``COCOeval.evaluateImg`` of one image, `accumulate` is ``COCOeval.accumulate`` over the
stored matches; together they equal pycocotools on the whole set. `resampled` gives the same average
precision for many weighted copies of the set at once.

Reference: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; pycocotools 2.0.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.sample import Annotations

AREA_NAMES = ("all", "small", "medium", "large")
MAX_DETECTIONS = 100
"""Per image and class, the most confident ones."""
THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""IoU thresholds, the same floats as pycocotools'."""
RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class Detections:
    """The boxes that a detector found in one image, in any order."""

    boxes_xyxy_px: NDArray[np.float32]
    """``(N, 4)``: left, top, right, bottom."""
    scores: NDArray[np.float32]
    """``(N,)`` confidences in [0, 1]."""
    categories: NDArray[np.int64]
    """``(N,)`` ids of the data set's categories."""


def match(detections: Detections, truth: Annotations) -> dict[str, NDArray[Any]]:
    """Match one image's detections to its objects, class by class.

    Returns:
        Arrays over the D kept detections, sorted by class and falling score: ``category``,
        ``score``, ``matched`` and ``ignored`` ``(4 areas, 10 thresholds, D)``, ``iou`` of the match
        at threshold 0.5 (0 without); and over the G objects: ``truth_category``, ``truth_ignored``
        ``(4, G)``.
    """
    evaluation = _evaluation()
    areas = evaluation.params.areaRng
    rows: list[dict[str, NDArray[Any]]] = []
    for category in np.union1d(detections.categories, truth.categories).tolist():
        found = detections.categories == category
        there = truth.categories == category
        key = (0, category)
        evaluation._dts = {key: _found(detections, found)}
        evaluation._gts = {key: _there(truth, there)}
        ious = evaluation.computeIoU(*key)
        evaluation.ious = {key: ious}
        cells = [evaluation.evaluateImg(*key, area, MAX_DETECTIONS) for area in areas]
        kept = len(cells[0]["dtScores"])
        # pycocotools sorts objects by "ignored"; ids lead back to the columns of the IoU matrix.
        pairs = np.zeros(kept, np.float32)
        for d, object_id in enumerate(cells[0]["dtMatches"][0].astype(int)):
            if object_id:
                pairs[d] = ious[d][object_id - 1]
        truth_ignored = np.zeros((len(areas), int(there.sum())), np.bool_)
        for a, cell in enumerate(cells):
            truth_ignored[a, np.array(cell["gtIds"], int) - 1] = cell["gtIgnore"]
        rows.append(
            {
                "category": np.full(kept, category, np.int32),
                "score": np.array(cells[0]["dtScores"], np.float32),
                "matched": np.stack([c["dtMatches"] > 0 for c in cells]),
                "ignored": np.stack([c["dtIgnore"] > 0 for c in cells]),
                "iou": pairs,
                "truth_category": np.full(truth_ignored.shape[1], category, np.int32),
                "truth_ignored": truth_ignored,
            }
        )
    return {k: np.concatenate([r[k] for r in (_nothing(), *rows)], axis=-1) for k in _nothing()}


def accumulate(evidences: Sequence[Any], categories: Sequence[int]) -> dict[str, float | None]:
    """The COCO averages of a set, by ``COCOeval.accumulate`` and ``summarize``.

    Args:
        evidences: What `match` gave, one per image, in pycocotools' order (rising image id).
        categories: Category ids to average over.

    Returns:
        ``ap ap50 ap75 ap_small ap_medium ap_large ar100`` and ``ap/<category id>``, fractions; None
        where no object counts (pycocotools' -1).
    """
    evaluation = _evaluation()
    parameters = evaluation.params
    parameters.catIds = list(categories)
    parameters.imgIds = list(range(len(evidences)))
    parameters.maxDets = [MAX_DETECTIONS]
    evaluation._paramsEval = parameters
    evaluation.evalImgs = [
        cell for k in categories for a in range(len(AREA_NAMES)) for cell in _cells(evidences, k, a)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    precision = evaluation.eval["precision"][..., 0]  # (T, R, K, A)
    recall = evaluation.eval["recall"][..., 0]  # (T, K, A)
    averages = {
        "ap": _mean(precision[:, :, :, 0]),
        "ap50": _mean(precision[0, :, :, 0]),
        "ap75": _mean(precision[5, :, :, 0]),
        "ap_small": _mean(precision[:, :, :, 1]),
        "ap_medium": _mean(precision[:, :, :, 2]),
        "ap_large": _mean(precision[:, :, :, 3]),
        "ar100": _mean(recall[:, :, 0]),
    }
    for k, category in enumerate(categories):
        averages[f"ap/{category}"] = _mean(precision[:, :, k, 0])
    return averages


@dataclass(frozen=True)
class Ranking:
    """Detections of many images ranked by score, for one class or for all as one."""

    image: NDArray[np.int64]
    """``(D,)`` image of each detection."""
    matched: NDArray[np.bool_]
    """``(10, D)``: found an object that counts."""
    counted: NDArray[np.bool_]
    """``(10, D)``: neither true nor false positive where False."""
    objects: NDArray[np.int64]
    """``(images,)`` objects that count."""


def rankings(evidences: Sequence[Any], categories: Sequence[int]) -> list[Ranking]:
    """One ranking per category, area ``all``; categories without an object are left out."""
    lengths = [len(e["score"]) for e in evidences]
    image = np.repeat(np.arange(len(evidences)), lengths)
    category = _joined(evidences, "category")
    score = _joined(evidences, "score")
    matched = np.concatenate([e["matched"][0] for e in evidences], axis=-1)
    ignored = np.concatenate([e["ignored"][0] for e in evidences], axis=-1)
    result = []
    for k in categories:
        objects = np.array(
            [np.sum((e["truth_category"] == k) & ~e["truth_ignored"][0]) for e in evidences]
        )
        if not objects.any():
            continue
        mine = np.flatnonzero(category == k)
        order = mine[np.argsort(-score[mine], kind="mergesort")]
        result.append(
            Ranking(
                image[order],
                matched[:, order] & ~ignored[:, order],
                ~ignored[:, order],
                objects,
            )
        )
    return result


def pooled(evidences: Sequence[Any]) -> Ranking:
    """One ranking over all classes, matches by class: the statistic for few images."""
    everything = [
        {**e, "category": 0 * e["category"], "truth_category": 0 * e["truth_category"]}
        for e in evidences
    ]
    found = rankings(everything, [0])
    nothing = np.zeros((len(THRESHOLDS), 0), np.bool_)
    none = Ranking(np.zeros(0, np.int64), nothing, nothing, np.zeros(len(evidences), np.int64))
    return found[0] if found else none


def resampled(ranking: Ranking, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Average precision at each threshold of weighted copies of a set.

    Args:
        ranking: One class, or all as one.
        counts: ``(B, images)``: how often copy b holds each image.

    Returns:
        ``(B, 10)`` fractions, NaN where a copy holds no object. With counts of one it is
        pycocotools' value; a copied detection counts as often as its image, and so does pycocotools
        where no two detections of an image have one class and one score.
    """
    objects = (counts @ ranking.objects).astype(np.float64)  # (B,)
    result = np.full((len(counts), len(THRESHOLDS)), np.nan)
    some = objects > 0
    result[some] = 0.0
    for t in range(len(THRESHOLDS)):
        hits = np.flatnonzero(ranking.matched[t])
        if not hits.size:
            continue
        # False positives below the last hit change nothing.
        end = hits[-1] + 1
        for block in np.array_split(np.flatnonzero(some), max(1, len(counts) * end // 2_000_000)):
            weights = counts[block][:, ranking.image[:end]]
            true = np.cumsum(weights[:, hits], axis=1, dtype=np.float64)
            shown = np.cumsum(weights * ranking.counted[t, :end], axis=1, dtype=np.float64)[:, hits]
            precision = true / (shown + np.spacing(1))
            envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            passed = np.searchsorted(RECALLS, true / objects[block, None], side="right")
            steps = np.diff(passed, axis=1, prepend=0)
            result[block, t] = (envelope * steps).sum(1) / len(RECALLS)
    return result


def _evaluation() -> Any:
    """An empty COCOeval for boxes."""
    from pycocotools.cocoeval import COCOeval

    return COCOeval(iouType="bbox")


def _found(detections: Detections, rows: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Detections as pycocotools' dicts; COCO's xywh exists here only."""
    boxes = detections.boxes_xyxy_px[rows].astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    return [
        {"id": i + 1, "bbox": box, "area": box[2] * box[3], "score": score}
        for i, (box, score) in enumerate(
            zip(boxes.tolist(), detections.scores[rows].tolist(), strict=True)
        )
    ]


def _there(truth: Annotations, rows: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Objects as pycocotools' dicts."""
    boxes = truth.boxes_xyxy_px[rows].copy()
    boxes[:, 2:] -= boxes[:, :2]
    return [
        {"id": i + 1, "bbox": box, "area": area, "iscrowd": int(crowd), "ignore": int(crowd)}
        for i, (box, area, crowd) in enumerate(
            zip(
                boxes.tolist(),
                truth.areas_px2[rows].tolist(),
                truth.is_crowd[rows].tolist(),
                strict=True,
            )
        )
    ]


def _nothing() -> dict[str, NDArray[Any]]:
    """The evidence of an image without detections and objects."""
    cells = (len(AREA_NAMES), len(THRESHOLDS), 0)
    return {
        "category": np.zeros(0, np.int32),
        "score": np.zeros(0, np.float32),
        "matched": np.zeros(cells, np.bool_),
        "ignored": np.zeros(cells, np.bool_),
        "iou": np.zeros(0, np.float32),
        "truth_category": np.zeros(0, np.int32),
        "truth_ignored": np.zeros((len(AREA_NAMES), 0), np.bool_),
    }


def _cells(evidences: Sequence[Any], category: int, area: int) -> list[dict[str, Any] | None]:
    """One category and area of every image, as ``evaluateImg`` would return them."""
    cells: list[dict[str, Any] | None] = []
    for e in evidences:
        found = e["category"] == category
        there = e["truth_category"] == category
        if not (found.any() or there.any()):
            cells.append(None)
            continue
        cells.append(
            {
                "dtScores": e["score"][found].astype(np.float64),
                "dtMatches": e["matched"][area][:, found],
                "dtIgnore": e["ignored"][area][:, found],
                "gtIgnore": e["truth_ignored"][area][there],
            }
        )
    return cells


def _mean(values: NDArray[np.float64]) -> float | None:
    """Mean of the defined entries; None where there is none."""
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else None


def _joined(evidences: Sequence[Any], key: str) -> NDArray[Any]:
    return np.concatenate([e[key] for e in evidences])
