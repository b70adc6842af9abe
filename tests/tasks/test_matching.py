"""Matches of one image against pycocotools' own, bit by bit, on a thousand random sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools_match import match as of_pycocotools
from test_detection import random_set as random_boxes
from test_instance import random_set as random_masks

from datasets.sample import Annotations
from tasks.coco_ap import Detections, Kind
from tasks.matching import match


def crowded(rng: np.random.Generator) -> tuple[Detections, Annotations]:
    """Few classes, many boxes on a grid: equal overlaps, equal scores, areas on the bounds."""
    n, m = rng.integers(0, 12, 2)
    truth = Annotations(
        boxes_xyxy_px=_boxes(rng, n),
        categories=rng.integers(1, 3, n),
        areas_px2=rng.choice([31.0**2, 32.0**2, 96.0**2, 97.0**2], n),
        is_crowd=rng.random(n) < 0.3,
        is_difficult=rng.random(n) < 0.3 if rng.random() < 0.5 else None,
    )
    if truth.is_difficult is not None:
        truth = replace(truth, is_crowd=truth.is_crowd | truth.is_difficult)
    found = Detections(
        boxes_xyxy_px=_boxes(rng, m).astype(np.float32),
        scores=(rng.integers(1, 5, m) / 5).astype(np.float32),
        categories=rng.integers(1, 4, m),
    )
    return found, truth


def _boxes(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    corner = 8.0 * rng.integers(0, 3, (n, 2))
    return np.hstack([corner, corner + rng.choice([16.0, 32.0, 40.0, 96.0], (n, 2))])


def assert_equal(found: Detections, truth: Annotations, kind: Kind) -> None:
    ours, theirs = match(found, truth, kind), of_pycocotools(found, truth, kind)
    assert list(ours) == list(theirs)
    for name, wanted in theirs.items():
        assert ours[name].dtype == wanted.dtype, name
        np.testing.assert_array_equal(ours[name], wanted, err_msg=name)


def test_boxes_are_matched_as_pycocotools_does() -> None:
    """Of 1,000 images: 600 on a grid, where much is equal, and 400 at random, one of 139 boxes."""
    rng = np.random.default_rng(0)
    pairs = [crowded(rng) for _ in range(600)]
    for seed in range(16):
        pairs += random_boxes(seed)
    matched = 0
    for found, truth in pairs:
        assert_equal(found, truth, "bbox")
        matched += int(match(found, truth)["matched"].sum())
    assert len(pairs) == 1000
    assert matched > 20_000


@pytest.mark.parametrize("seed", range(5))
def test_masks_are_matched_as_pycocotools_does(seed: int) -> None:
    for found, truth in random_masks(seed):
        assert_equal(found, truth, "segm")


def test_of_equal_overlaps_the_last_is_found_and_of_a_class_a_hundred_are_kept() -> None:
    boxes = np.tile([[0.0, 0, 10, 10]], (3, 1))
    truth = Annotations(boxes, np.array([1, 1, 1]), np.full(3, 100.0), np.zeros(3, np.bool_))
    many: dict[str, Any] = {"scores": np.linspace(0, 1, 103), "categories": np.ones(103, np.int64)}
    found = Detections(np.tile(boxes[:1], (103, 1)), **many)
    evidence = match(found, truth)
    assert len(evidence["score"]) == 100
    assert evidence["score"][0] == 1
    assert evidence["matched"][0, 0].sum() == 3
    assert_equal(found, truth, "bbox")
