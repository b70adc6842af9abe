"""Types of errors against values that tidecv 1.0.1 gave for the same sets, recorded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_detection import Pairs, random_set
from test_instance import random_set as random_masks
from test_matching import crowded

from datasets.sample import Annotations
from tasks.coco_ap import Detections
from tasks.error_types import METRICS, error_evidence, errors, errors_per_object

TIDECV = {
    0: [17, 39, 3, 79, 52, 25],
    4: [1, 24, 1, 26, 58, 20],
    6: [5, 24, 1, 28, 34, 39],
}
"""By seed of `random_set`, crowds as plain objects: class, location, both, duplicate, background,
missed, as ``TIDERun(gt, preds, 0.5, 0.1, TIDE.BOX, 100).count_errors()`` counts them."""
TIDECV_ON_A_GRID = [[26, 121, 60, 1, 31, 153], [25, 95, 69, 0, 61, 102], [16, 99, 50, 0, 43, 177]]
"""Likewise of three times fifty images of `crowded`, where much is equal."""


def total(pairs: Pairs) -> list[int]:
    plain = [
        (d, replace(t, is_crowd=np.zeros(len(t.is_crowd), np.bool_), is_difficult=None))
        for d, t in pairs
    ]
    counted: list[int] = np.sum([errors(*pair) for pair in plain], axis=0).tolist()
    return counted


@pytest.mark.parametrize("seed", TIDECV)
def test_errors_are_those_of_tidecv(seed: int) -> None:
    assert total(random_set(seed)) == TIDECV[seed]


def test_errors_are_those_of_tidecv_where_much_is_equal() -> None:
    rng = np.random.default_rng(0)
    assert [total([crowded(rng) for _ in range(50)]) for _ in range(3)] == TIDECV_ON_A_GRID


@pytest.mark.parametrize(
    ("seed", "counted"), [(0, [0, 3, 0, 26, 6, 19]), (2, [3, 2, 0, 24, 2, 13])]
)
def test_errors_of_masks_are_those_of_tidecv(seed: int, counted: list[int]) -> None:
    """``TIDE.MASK`` of the same."""
    pairs = [
        (d, replace(t, is_crowd=np.zeros(len(t.is_crowd), np.bool_))) for d, t in random_masks(seed)
    ]
    assert np.sum([errors(*pair, "segm") for pair in pairs], axis=0).tolist() == counted


def one(box: list[float], category: int, score: float = 0.9) -> Detections:
    return Detections(np.array([box]), np.array([score]), np.array([category]))


def test_a_box_in_a_crowd_is_no_error_and_one_of_low_confidence_is_not_counted() -> None:
    truth = Annotations(
        np.array([[0.0, 0, 100, 100], [200, 200, 220, 220]]),
        np.array([1, 1]),
        np.array([1e4, 400.0]),
        np.array([True, False]),
    )
    assert errors(one([10, 10, 40, 40], 1), truth).tolist() == [0, 0, 0, 0, 0, 1]
    assert errors(one([10, 10, 40, 40], 2), truth).tolist() == [0, 0, 0, 0, 1, 1]
    assert errors(one([201, 200, 221, 220], 2), truth).tolist() == [1, 0, 0, 0, 0, 0]
    low = error_evidence(one([10, 10, 40, 40], 2, score=0.24), truth)
    assert low["errors"].tolist() == [0, 0, 0, 0, 0, 1]
    assert low["error_objects"].tolist() == [1]
    empty = Annotations(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0), np.zeros(0, np.bool_))
    assert errors(one([0, 0, 9, 9], 1), empty).tolist() == [0, 0, 0, 0, 1, 0]


def test_errors_of_resampled_sets_are_a_labelled_object() -> None:
    evidences = [
        {"errors": np.array(e), "error_objects": np.array([n])}
        for e, n in (([1, 0, 0, 0, 2, 1], 3), ([0, 1, 0, 0, 0, 0], 1), ([0] * 6, 0))
    ]
    values = errors_per_object(evidences, np.array([[1, 1, 1], [2, 0, 1], [0, 0, 3]]))
    assert list(values) == list(METRICS)
    assert values["class_errors@c25-tide"][:2].tolist() == [1 / 4, 2 / 6]
    assert values["missed_errors@c25-tide"][0] == 1 / 4
    assert np.isnan(values["background_errors@c25-tide"][2])
