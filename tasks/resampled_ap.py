"""COCO average precision of many weighted copies of a set at once, from the stored matches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.coco_ap import RECALLS, THRESHOLDS

BLOCK = 1_000_000
"""Numbers in one array of work: small enough for a processor's cache to hold some of them."""


@dataclass(frozen=True)
class Ranking:
    """Detections of many images ranked by score, for one class or for all as one."""

    category: int
    """Id of the class; 0 of all as one."""
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
    ids = np.unique(np.array(categories, np.int64))
    all_objects = np.zeros((len(evidences), len(ids)), np.int64)
    for i, e in enumerate(evidences):
        counting = e["truth_category"][~e["truth_ignored"][0]]
        known = counting[np.isin(counting, ids)]
        all_objects[i] = np.bincount(np.searchsorted(ids, known), minlength=len(ids))
    image = np.repeat(np.arange(len(evidences)), [len(e["score"]) for e in evidences])
    category = _joined(evidences, "category")
    score = _joined(evidences, "score")
    order = np.lexsort((np.arange(len(score)), -score, category))
    matched = np.concatenate([e["matched"][0] for e in evidences], axis=-1)
    ignored = np.concatenate([e["ignored"][0] for e in evidences], axis=-1)
    result = []
    for k, objects in zip(ids, all_objects.T, strict=True):
        if not objects.any():
            continue
        mine = order[slice(*np.searchsorted(category[order], (k, k + 1)))]
        counted = ~ignored[:, mine]
        hits = matched[:, mine] & counted
        result.append(Ranking(int(k), image[mine], hits, counted, objects.copy()))
    return result


def pooled(evidences: Sequence[Any]) -> Ranking:
    """One ranking over all classes, matches by class: the statistic for few images."""
    everything = [
        {**e, "category": 0 * e["category"], "truth_category": 0 * e["truth_category"]}
        for e in evidences
    ]
    found = rankings(everything, [0])
    nothing = np.zeros((len(THRESHOLDS), 0), np.bool_)
    none = Ranking(0, np.zeros(0, np.int64), nothing, nothing, np.zeros(len(evidences), np.int64))
    return found[0] if found else none


def resampled(ranking: Ranking, counts: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Average precision at each threshold of weighted copies of a set.

    Args:
        ranking: One class, or all as one.
        counts: ``(B, images)``: how often copy b holds each image.

    Returns:
        ``(B, 10)`` fractions, NaN where a copy holds no object. With counts of one it is
        pycocotools' value; a copied detection counts as often as its image, and so does pycocotools
        where no two detections of an image have one class and one score.
    """
    holding = np.flatnonzero(ranking.objects)
    objects = counts[:, holding].astype(np.int64) @ ranking.objects[holding]  # (B,)
    result = np.full((len(counts), len(THRESHOLDS)), np.nan)
    some = np.flatnonzero(objects)
    result[some] = 0.0
    hits = [np.flatnonzero(row) for row in ranking.matched]
    # False positives below the last hit change nothing.
    end = max((h[-1] + 1 for h in hits if h.size), default=0)
    if not end:
        return result
    passed = [np.flatnonzero(~row[:end]) for row in ranking.counted]
    images, place = np.unique(ranking.image[:end], return_inverse=True)
    weights_of_image = np.ascontiguousarray(_narrow(counts[:, images]).T)  # (images, B)
    for block in np.array_split(some, max(1, len(some) * end // BLOCK)):
        weights = weights_of_image[:, block][place]  # (end, b)
        # What so many objects found reach of each set: one look-up for all thresholds.
        found = np.minimum(np.arange(objects[block].max() + 1)[:, None], objects[block])
        reached, columns = recalls_passed(found, objects[block]).ravel(), np.arange(len(block))
        # How many detections stand at or above each place; cumulated once for all thresholds.
        above = np.cumsum(weights, axis=0, dtype=np.int32)
        for t in range(len(THRESHOLDS)):
            if not hits[t].size:
                continue
            true = np.cumsum(weights[hits[t]], axis=0, dtype=np.int32)  # (hits, b)
            shown = above[hits[t]]
            if passed[t].size:
                ignored = np.cumsum(weights[passed[t]], axis=0, dtype=np.int32)
                before = np.searchsorted(passed[t], hits[t])
                shown -= np.where(before[:, None] > 0, ignored[before - 1], 0)
            precision = true / (shown + np.spacing(1))
            envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
            steps = reached[true * np.intp(len(block)) + columns]
            steps[1:] -= steps[:-1].copy()
            envelope *= steps
            result[block, t] = envelope.sum(0) / len(RECALLS)
    return result


def precision_curve(ranking: Ranking, threshold: int = 0) -> NDArray[np.float64]:
    """Pycocotools' precision at its 101 recalls, of a set as it is.

    Args:
        ranking: One class, or all as one.
        threshold: Place of the IoU threshold in `THRESHOLDS`; 0 is 0.5.

    Returns:
        ``(101,)`` fractions, 0 at recalls that are not reached; NaN where no object counts.
    """
    objects = int(ranking.objects.sum())
    if not objects:
        return np.full(len(RECALLS), np.nan)
    true = np.cumsum(ranking.matched[threshold])
    precision = true / (np.cumsum(ranking.counted[threshold]) + np.spacing(1))
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(true / objects, RECALLS, side="left")
    return np.append(envelope, 0.0)[np.minimum(places, len(envelope))]


def recalls_passed(true: NDArray[np.integer[Any]], objects: NDArray[np.int64]) -> NDArray[np.int8]:
    """How many of the 101 recalls are reached: ``searchsorted(RECALLS, true / objects, "right")``.

    Args:
        true: ``(hits, b)`` objects found, no more than there are.
        objects: ``(b,)`` objects there are, at least one.
    """
    recall = true / objects
    k = (recall * 100).astype(np.int8)  # right or one too low or high
    k -= RECALLS[k] > recall
    upper = np.minimum(k + 1, 100)
    k += (RECALLS[upper] <= recall) & (k < 100)
    k += np.int8(1)
    return k


def _narrow(counts: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """In a byte each where they fit."""
    return counts.astype(np.uint8) if counts.max(initial=0) < 256 else counts


def _joined(evidences: Sequence[Any], key: str) -> NDArray[Any]:
    return np.concatenate([e[key] for e in evidences])
