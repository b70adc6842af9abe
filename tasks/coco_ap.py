"""COCO average precision: pycocotools' own accumulation of what was matched image by image.

`tasks.matching.match` is ``COCOeval.evaluateImg`` of one image, `precision_recall` is
``COCOeval.accumulate`` over the stored matches; together they equal pycocotools on the whole set,
for boxes and for masks.

Reference: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; pycocotools 2.0.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from datasets.sample import Mask
from tasks.task import Score

AREA_NAMES = ("all", "small", "medium", "large")
MAX_DETECTIONS = 100
"""Per image and class, the most confident ones."""
THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""IoU thresholds, the same floats as pycocotools'."""
RECALLS = np.linspace(0.0, 1.0, 101)

Kind = Literal["bbox", "segm"]
"""What is overlapped: boxes or masks; pycocotools' words."""


@dataclass(frozen=True)
class Detections:
    """The objects that a network found in one image, in any order."""

    boxes_xyxy_px: NDArray[np.floating[Any]]
    """``(N, 4)``: left, top, right, bottom."""
    scores: NDArray[np.floating[Any]]
    """``(N,)`` confidences in [0, 1]; float32 of networks, as precise as written of files."""
    categories: NDArray[np.int64]
    """``(N,)`` ids of the data set's categories."""
    masks: tuple[Mask, ...] = ()
    """N masks of the image's size where the network makes them; else none."""


@dataclass(frozen=True)
class Curves:
    """pycocotools' arrays of a set, -1 where no object counts; K categories, 4 areas."""

    precision: NDArray[np.float64]
    """``(10 thresholds, 101 recalls, K, 4)``."""
    recall: NDArray[np.float64]
    """``(10, K, 4)``, with 100 detections per image and class."""


def precision_recall(evidences: Sequence[Any], categories: Sequence[int]) -> Curves:
    """The curves of a set, by ``COCOeval.accumulate``, one category at a time to save memory.

    Args:
        evidences: What `match` gave, one per image, in pycocotools' order (rising image id).
        categories: Category ids.
    """
    from pycocotools.cocoeval import COCOeval

    cells = _by_category(evidences)
    precision = np.full((len(THRESHOLDS), len(RECALLS), len(categories), len(AREA_NAMES)), -1.0)
    recall = np.full((len(THRESHOLDS), len(categories), len(AREA_NAMES)), -1.0)
    evaluation = COCOeval(iouType="bbox")  # past the matching, boxes and masks are the same
    evaluation.params.maxDets = [MAX_DETECTIONS]
    for k, category in enumerate(categories):
        places = cells.get(category, [])
        if not places:
            continue
        evaluation.params.catIds = [category]
        evaluation.params.imgIds = list(range(len(places)))
        evaluation._paramsEval = evaluation.params
        evaluation.evalImgs = [
            _cell(evidences[image], found, there, area)
            for area in range(len(AREA_NAMES))
            for image, found, there in places
        ]
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.accumulate()
        precision[:, :, k] = evaluation.eval["precision"][:, :, 0, :, 0]
        recall[:, k] = evaluation.eval["recall"][:, 0, :, 0]
    return Curves(precision, recall)


def averages(
    evidences: Sequence[Any], categories: Mapping[int, str], prefix: str = ""
) -> dict[str, Score]:
    """The COCO averages of a set, as ``COCOeval.summarize`` takes them.

    Args:
        evidences: What `match` gave, one per image, in pycocotools' order (rising image id).
        categories: Names by category id, to average over.
        prefix: Put before each metric's name.

    Returns:
        ``ap ap50 ap75 ap_small ap_medium ap_large ar100`` and ``ap/<category>``, fractions; no
        value where no object counts (pycocotools' -1).
    """
    ids = sorted(categories)
    curves = precision_recall(evidences, ids)
    precision, recall = curves.precision, curves.recall
    values = {
        "ap": precision[:, :, :, 0],
        "ap50": precision[0, :, :, 0],
        "ap75": precision[5, :, :, 0],
        "ap_small": precision[:, :, :, 1],
        "ap_medium": precision[:, :, :, 2],
        "ap_large": precision[:, :, :, 3],
        "ar100": recall[:, :, 0],
    }
    values |= {f"ap/{categories[i]}": precision[:, :, k, 0] for k, i in enumerate(ids)}
    why = nothing_counts(evidences)
    return {prefix + metric: _mean(part, why) for metric, part in values.items()}


def nothing_counts(evidences: Sequence[Any]) -> str:
    """Why a number of a set may be undefined.

    Args:
        evidences: What `match` gave, one per image.
    """
    total = sum(len(e["truth_category"]) for e in evidences)
    if not total:
        return "no object is labelled in these images"
    if all(e["truth_ignored"][0].all() for e in evidences):
        return f"all {total:,} labelled objects are crowds (iscrowd 1), which COCO does not count"
    return "no object counts"


Places = tuple[int, NDArray[np.intp], NDArray[np.intp]]
"""An image, and where its detections and objects of one category stand in its evidence."""


def _by_category(evidences: Sequence[Any]) -> dict[int, list[Places]]:
    """Images that hold detections or objects of a category, by category."""
    cells: dict[int, list[Places]] = {}
    for image, e in enumerate(evidences):
        found, there = _grouped(e["category"]), _grouped(e["truth_category"])
        for category in found.keys() | there.keys():
            none = np.zeros(0, np.intp)
            place = (image, found.get(category, none), there.get(category, none))
            cells.setdefault(category, []).append(place)
    return cells


def _grouped(values: NDArray[np.int32]) -> dict[int, NDArray[np.intp]]:
    """Places of each value, rising."""
    if not values.size:
        return {}
    order = np.argsort(values, kind="stable")
    names, starts = np.unique(values[order], return_index=True)
    return dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True))


def _cell(
    evidence: Any, found: NDArray[np.intp], there: NDArray[np.intp], area: int
) -> dict[str, Any]:
    """One category and area of an image, as ``evaluateImg`` would return them."""
    return {
        "dtScores": evidence["score"][found].astype(np.float64),
        "dtMatches": evidence["matched"][area][:, found],
        "dtIgnore": evidence["ignored"][area][:, found],
        "gtIgnore": evidence["truth_ignored"][area][there],
    }


def _mean(values: NDArray[np.float64], why: str) -> Score:
    """Mean of the defined entries, or why there is none."""
    defined = values[values > -1]
    if not defined.size:
        return Score(None, why=why)
    return Score(float(defined.mean()))
