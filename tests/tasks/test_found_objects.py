"""Which objects are found, against sets that are counted by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_detection import random_set

from datasets.sample import Annotations
from tasks.coco_ap import Detections
from tasks.found_objects import beside_clean, distances, found_by_kind
from tasks.matching import match
from tasks.operating_point import operating_points, overlaps

NAMES = {1: "cat", 2: "dog"}
SMALL, MEDIUM, FAR = [0.0, 0.0, 20.0, 20.0], [40.0, 0.0, 90.0, 50.0], [0.0, 60.0, 50.0, 99.0]


def truth(*objects: tuple[list[float], int]) -> Annotations:
    boxes = np.array([box for box, _ in objects]).reshape(-1, 4)
    return Annotations(
        boxes_xyxy_px=boxes,
        categories=np.array([c for _, c in objects], np.int64),
        is_crowd=np.zeros(len(objects), np.bool_),
        areas_px2=(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
    )


def evidence(
    there: Annotations, *found: tuple[list[float], int, float], depth: Any = None
) -> dict[str, Any]:
    detections = Detections(
        np.array([box for box, *_ in found]).reshape(-1, 4),
        np.array([score for *_, score in found], np.float32),
        np.array([c for _, c, _ in found], np.int64),
    )
    return {
        **match(detections, there),
        **overlaps(detections, there),
        **distances(there, depth),
    }


LABELS = [truth((MEDIUM, 2), (SMALL, 1), (FAR, 1)), truth((SMALL, 1)), truth()]
DEPTH = np.vstack([np.full((55, 99), 8.0), np.full((45, 99), 60.0)])
ONCE = np.ones((1, 3), np.int64)


def test_recall_by_size_and_distance() -> None:
    """Two of three small ones in two images are found; the one below 0.25 is not."""
    found = [
        evidence(LABELS[0], (SMALL, 1, 0.9), (MEDIUM, 2, 0.2), (FAR, 1, 0.3), depth=DEPTH),
        evidence(LABELS[1], (SMALL, 2, 0.9)),
        evidence(LABELS[2], (SMALL, 1, 0.9)),
    ]
    values = found_by_kind(found, np.array([[1, 1, 1], [1, 0, 0], [0, 0, 1]]))
    recall = {name.split("/")[1]: v.tolist() for name, v in values.items()}
    assert recall["small"][:2] == [0.5, 1.0]
    assert recall["medium"] == pytest.approx([0.5, 0.5, np.nan], nan_ok=True)
    assert recall["near"] == pytest.approx(
        [0.5, 0.5, np.nan], nan_ok=True
    )  # the small, not the dog
    assert recall["far"][:2] == [1.0, 1.0]
    without = found_by_kind(found[1:], ONCE[:, 1:])
    assert [name.split("/")[1] for name in without] == ["small", "medium", "large"]


def test_recall_of_all_sizes_is_that_of_the_operating_point() -> None:
    pairs = random_set(0)
    found = [
        {**match(d, t), **overlaps(d, t), **distances(t, np.full((999, 999), 5.0))}
        for d, t in pairs
    ]
    counts = np.random.default_rng(0).integers(0, 3, (20, len(found)))
    near = found_by_kind(found, counts)["recall@c25-iou50/near"]
    assert near == pytest.approx(operating_points(found, counts)["recall@c25-iou50"])


def test_flips_count_what_is_found_in_one_of_both() -> None:
    clean = [
        evidence(LABELS[0], (SMALL, 1, 0.9), (MEDIUM, 2, 0.9)),
        evidence(LABELS[1], (SMALL, 1, 0.9)),
        evidence(LABELS[2]),
    ]
    now = [
        evidence(LABELS[0], (SMALL, 1, 0.9), (MEDIUM, 2, 0.1), (FAR, 1, 0.5)),
        evidence(LABELS[1], (SMALL, 1, 0.3)),
        evidence(LABELS[2], (SMALL, 1, 0.9)),
    ]
    assert beside_clean(clean, now, ONCE, NAMES)["flips@c25-iou50"].tolist() == [0.5]
    assert beside_clean(clean, clean, ONCE, NAMES)["flips@c25-iou50"].tolist() == [0.0]


def test_recall_is_at_the_clean_images_false_positives() -> None:
    """Ten clean images with a wrong cat each, at 0.1 to 1.0: one may be left at 0.1 an image."""
    there = truth((SMALL, 1), (MEDIUM, 2))
    clean = [
        evidence(there, (FAR, 1, k / 10), (SMALL, 1, 0.99), (MEDIUM, 2, 0.5)) for k in range(1, 11)
    ]
    rainy = [evidence(there, (SMALL, 1, 0.95), (MEDIUM, 2, 0.01))] * 5
    rainy += [evidence(there, (SMALL, 1, 0.85), (FAR, 1, 1.0))] * 5
    everyone = np.ones((1, 10), np.int64)
    found = {m: v[0] for m, v in beside_clean(clean, rainy, everyone, NAMES).items()}
    assert found["recall@fppi0.1/cat"] == 0.5  # above 0.9, the second most confident wrong one
    assert found["recall@fppi0.1/dog"] == 0.5  # no wrong dog: all that is found counts
    assert found["recall@fppi0.1"] == 0.25  # one confidence for both
    assert found["recall@fppi1"] == 0.75  # ten wrong ones may stay: all that is found counts


@pytest.mark.parametrize(("drives", "is_resampled"), [(20, True), (19, False)])
def test_drives_that_hold_a_class_are_counted(drives: int, is_resampled: bool) -> None:
    now = [evidence(truth((SMALL, 1)), (SMALL, 1, 0.9))] * 40
    units = [i % drives for i in range(40)]
    found = beside_clean(now, now, np.ones((1, 40), np.int64), NAMES, units)
    assert ("recall@fppi1/cat" in found) == is_resampled


def test_crowds_are_not_among_the_objects() -> None:
    there = truth((SMALL, 1), (MEDIUM, 2))
    there = replace(there, is_crowd=np.array([False, True]))
    now = [evidence(there, (SMALL, 1, 0.9))]
    found = beside_clean([evidence(there)], now, ONCE[:, :1], NAMES)
    assert found["flips@c25-iou50"].tolist() == [1.0]
    assert found["recall@fppi1"].tolist() == [1.0]
    assert "recall@fppi1/dog" not in found
