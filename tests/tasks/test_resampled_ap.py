"""Average precision of resampled sets: exact where floats could slip."""

from __future__ import annotations

import numpy as np

from datasets.sample import Annotations
from tasks.coco_ap import RECALLS, Detections, precision_recall
from tasks.matching import match
from tasks.resampled_ap import Ranking, pooled, precision_curve, recalls_passed, resampled


def test_recalls_are_passed_as_searchsorted_says() -> None:
    """Every share of up to 300 objects, the 101 recalls themselves among them."""
    for objects in range(1, 301):
        true = np.arange(objects + 1, dtype=np.int32)[:, None]
        expected = np.searchsorted(RECALLS, true / objects, side="right")
        assert np.array_equal(recalls_passed(true, np.array([objects])), expected), objects


def test_blocks_of_draws_give_what_single_draws_give() -> None:
    rng = np.random.default_rng(0)
    n, images = 3000, 40
    matched = rng.random((10, n)) < np.linspace(0.6, 0.1, 10)[:, None]
    counted = matched | (rng.random((10, n)) < 0.95)
    ranking = Ranking(0, rng.integers(0, images, n), matched, counted, np.full(images, 80))
    counts = rng.multinomial(images, [1 / images] * images, 900)
    together = resampled(ranking, counts)
    assert not np.isnan(together).any()
    for b in (0, 333, 899):
        alone = resampled(ranking, counts[b : b + 1])[0]
        assert np.abs(together[b] - alone).max() < 1e-12


def test_a_draw_without_objects_is_undefined_and_one_without_finds_is_zero() -> None:
    nothing = np.zeros((10, 0), bool)
    ranking = Ranking(0, np.zeros(0, np.int64), nothing, nothing, np.array([0, 2]))
    values = resampled(ranking, np.array([[2, 0], [1, 1]]))
    assert np.isnan(values[0]).all()
    assert (values[1] == 0).all()


def test_the_pooled_curve_is_what_pycocotools_accumulates() -> None:
    rng = np.random.default_rng(0)
    evidences = []
    for _ in range(30):
        corner = rng.integers(0, 80, (6, 2)).astype(np.float32)
        truth = np.concatenate([corner, corner + rng.integers(8, 20, (6, 2))], axis=1)
        boxes = np.concatenate([truth + rng.normal(0, 2, truth.shape), truth[:2] + 30])
        labels = Annotations(
            boxes_xyxy_px=truth.astype(np.float32),
            categories=np.ones(6, np.int64),
            areas_px2=np.full(6, 200.0, np.float32),
            is_crowd=np.arange(6) == 5,
        )
        found = Detections(
            boxes.astype(np.float32), rng.random(8).astype(np.float32), np.ones(8, np.int64)
        )
        evidences.append(match(found, labels))
    known = precision_recall(evidences, [1]).precision[0, :, 0, 0]
    assert 0.2 < known.mean() < 0.95
    assert np.abs(precision_curve(pooled(evidences)) - known).max() < 1e-12
    nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
    empty = match(Detections(*nothing), Annotations.of([]))
    assert np.isnan(precision_curve(pooled([empty]))).all()
