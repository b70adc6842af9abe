"""Detection evidence and scores against pycocotools on whole sets."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from datasets.sample import Annotations, Sample
from harness.ledger.packed import pack, unpack
from tasks.coco_ap import Detections
from tasks.detection import Detection
from tasks.operating_point import f1
from tasks.task import Evidence

CATEGORIES = {1: "person", 3: "car", 18: "dog", 44: "never there"}
IDS = [1, 3, 18]
Pairs = list[tuple[Detections, Annotations]]


def random_set(seed: int, images: int = 25) -> Pairs:
    """Boxes of all sizes, near the truth and away from it; crowds, ties, empty images."""
    rng = np.random.default_rng(seed)
    pairs = []
    for i in range(images):
        n = 0 if i == 3 else int(rng.integers(0, 8))
        corner = rng.uniform(0, 300, (n, 2))
        boxes = np.hstack([corner, corner + rng.uniform(4, 200, (n, 2))]).round(2)
        truth = Annotations(
            boxes_xyxy_px=boxes,
            categories=rng.choice(IDS, n),
            areas_px2=np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) * 0.7,
            is_crowd=rng.random(n) < 0.15,
        )
        m = 0 if i == 4 else int(rng.integers(0, 140 if i == 5 else 12))
        near = rng.integers(0, n, m) if n else np.zeros(m, int)
        start = boxes[near] if n else rng.uniform(0, 100, (m, 4))
        found = start + rng.normal(0, rng.choice([0.5, 4, 30], (m, 1)), (m, 4))
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        detections = Detections(
            boxes_xyxy_px=found.astype(np.float32),
            scores=(rng.integers(1, 20, m) / 20).astype(np.float32),
            categories=rng.choice(IDS, m) if not n else truth.categories[near],
        )
        pairs.append((detections, truth))
    return pairs


def without_ties(
    pairs: list[tuple[Detections, Annotations]],
) -> Pairs:
    """The same boxes, each with a score of its own: among ties, pycocotools goes by place."""
    rng = np.random.default_rng(0)
    for i, (d, _) in enumerate(pairs):
        d.scores[:] = rng.permutation(len(d.scores)) / 200 + (i + 1) / 1e4
    return pairs


def official(pairs: Pairs) -> COCOeval:
    """pycocotools on the whole set, from its own JSON dicts."""
    truth = COCO()
    objects = [
        {
            "image_id": i,
            "category_id": int(category),
            "bbox": [*box[:2], box[2] - box[0], box[3] - box[1]],
            "area": float(area),
            "iscrowd": int(crowd),
        }
        for i, (_, t) in enumerate(pairs)
        for box, category, area, crowd in zip(
            t.boxes_xyxy_px.tolist(), t.categories, t.areas_px2, t.is_crowd, strict=True
        )
    ]
    truth.dataset = {
        "info": {},
        "images": [{"id": i} for i in range(len(pairs))],
        "categories": [{"id": k, "name": v} for k, v in CATEGORIES.items()],
        "annotations": [{"id": i + 1, **o} for i, o in enumerate(objects)],
    }
    found = [
        {
            "image_id": i,
            "category_id": int(category),
            "bbox": [*box[:2], box[2] - box[0], box[3] - box[1]],
            "score": float(score),
        }
        for i, (d, _) in enumerate(pairs)
        for box, category, score in zip(
            d.boxes_xyxy_px.astype(float).tolist(), d.categories, d.scores, strict=True
        )
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def sample(truth: Annotations | None) -> Sample:
    from pathlib import Path

    return Sample("a", Path("a"), "a", truth)


def evidences(pairs: Pairs) -> list[Evidence]:
    task = Detection(CATEGORIES)
    return [unpack(pack(task.evidence(d, sample(t)))) for d, t in pairs]


@pytest.mark.parametrize("seed", range(5))
def test_reduce_is_pycocotools_on_the_whole_set(seed: int) -> None:
    pairs = random_set(seed)
    scores = Detection(CATEGORIES).reduce(evidences(pairs))
    stats = official(pairs).stats
    names = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
    for name, value in [*zip(names, stats, strict=False), ("ar100", stats[8])]:
        assert (scores[name].value if scores[name].value is not None else -1) == value, name
    assert scores["ap/never there"].value is None
    assert scores["ap/never there"].why == "no object counts"


@pytest.mark.parametrize("seed", range(5))
def test_resampling_with_ones_is_reduce(seed: int) -> None:
    task, found = Detection(CATEGORIES), evidences(random_set(seed))
    scores, drawn = task.reduce(found), task.resample(found, np.ones((1, 25), np.int64), range(25))
    assert {"ap", "ap50", "ap_pooled"} <= drawn.keys()
    for name, values in drawn.items():
        assert values[0] == pytest.approx(scores[name].value, abs=1e-12), name


def test_resampling_is_pycocotools_on_copied_images() -> None:
    pairs = without_ties(random_set(7))
    counts = np.random.default_rng(0).multinomial(len(pairs), [1 / len(pairs)] * len(pairs), 3)
    drawn = Detection(CATEGORIES).resample(evidences(pairs), counts, range(len(pairs)))
    for b in range(3):
        copies = [pair for pair, count in zip(pairs, counts[b], strict=True) for _ in range(count)]
        stats = official(copies).stats
        assert drawn["ap"][b] == pytest.approx(stats[0], abs=1e-12)
        assert drawn["ap50"][b] == pytest.approx(stats[1], abs=1e-12)


def test_classes_are_resampled_that_stand_in_enough_images() -> None:
    pairs = random_set(2, 60)
    task, found = Detection(CATEGORIES), evidences(pairs)
    drawn = task.resample(found, np.ones((1, 60), np.int64), range(60))
    images = {
        f"ap/{name}": sum((t.categories[~t.is_crowd] == k).any() for _, t in pairs)
        for k, name in CATEGORIES.items()
    }
    expected = {metric for metric, n in images.items() if n >= 20}
    assert {metric for metric in drawn if metric.startswith("ap/")} == expected
    assert 0 < len(expected) < len(CATEGORIES)
    scores = task.reduce(found)
    assert all(drawn[m][0] == pytest.approx(scores[m].value, abs=1e-12) for m in expected)


@pytest.mark.parametrize(("drives", "is_resampled"), [(20, True), (19, False)])
def test_drives_that_hold_a_class_are_counted_not_their_frames(
    drives: int, is_resampled: bool
) -> None:
    found = evidences(random_set(2, 1)) * 60
    units = [f"drive {i % drives}" for i in range(60)]
    drawn = Detection(CATEGORIES).resample(found, np.ones((1, 60), np.int64), units)
    assert ("ap/person" in drawn) == is_resampled
    assert "ap_pooled" in drawn


def test_the_order_of_images_does_not_matter() -> None:
    pairs = without_ties(random_set(2))
    task, found = Detection(CATEGORIES), evidences(pairs)
    scores, turned = task.reduce(found), task.reduce(found[::-1])
    assert {"ap", "ap50", "ap_pooled"} <= scores.keys()
    for name, score in scores.items():
        assert turned[name].value == pytest.approx(score.value, abs=1e-12), name


def perfect(truth: Annotations) -> Detections:
    keep = ~truth.is_crowd
    n = int(keep.sum())
    return Detections(
        truth.boxes_xyxy_px[keep].astype(np.float32),
        np.linspace(0.9, 0.5, n).astype(np.float32),
        truth.categories[keep],
    )


def test_perfect_predictions_score_one_and_none_score_zero() -> None:
    task = Detection(CATEGORIES)
    truths = [t for _, t in random_set(1)]
    best = task.reduce([task.evidence(perfect(t), sample(t)) for t in truths])
    for name in ("ap", "ap50", "ap_pooled", "precision@c25-iou50", "recall@c25-iou50"):
        assert best[name].value == pytest.approx(1, abs=1e-12), name
    assert best["mean_iou@c25-iou50"].value == pytest.approx(1, abs=1e-5)
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int))
    worst = task.reduce([task.evidence(nothing, sample(t)) for t in truths])
    for name in ("ap", "ap50", "ap_pooled", "recall@c25-iou50", "ar100"):
        assert worst[name].value == 0, name
    for name, why in (
        ("precision@c25-iou50", "no box of confidence 0.25 or more counts"),
        ("mean_iou@mspfn-table6-conf06", "no box of confidence 0.6 or more is right"),
        ("precision@mspfn-table6", "no box above confidence 0.05"),
        ("mean_iou@mspfn-table6", "no box above confidence 0.05 touches an object"),
        ("calibration_error@c25-iou50", "no box of confidence 0.25 or more counts"),
        ("ap/never there", "no object counts"),
    ):
        assert (worst[name].value, worst[name].why) == (None, why)


def test_precision_recall_and_iou_by_hand() -> None:
    # two cars; one found with IoU 80/100, one missed; a third box hits nothing, a fourth is unsure
    truth = Annotations(
        np.array([[0, 0, 10, 10], [50, 50, 60, 60]], float),
        np.array([3, 3]),
        np.array([100.0, 100.0]),
        np.zeros(2, bool),
    )
    found = Detections(
        np.array([[0, 0, 10, 8], [100, 0, 110, 10], [50, 50, 60, 60]], np.float32),
        np.array([0.9, 0.3, 0.2], np.float32),
        np.array([3, 3, 3]),
    )
    scores = Detection(CATEGORIES).reduce([Detection(CATEGORIES).evidence(found, sample(truth))])
    assert scores["precision@c25-iou50"].value == 0.5
    assert scores["recall@c25-iou50"].value == 0.5
    assert scores["mean_iou@c25-iou50"].value == pytest.approx(0.8)
    # ranked by score: hit, miss, hit → precision 1 up to recall ½, then 2/3: 51 and 50 of 101 steps
    assert scores["ap50"].value == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_table_6_by_hand() -> None:
    # Two cars, a crowd, and one car that nothing touches. A dog's box on the first car counts (any
    # class), overlapping 0.8; the second car's best box overlaps 0.5; the third box is unsure.
    truth = Annotations(
        np.array([[0, 0, 10, 10], [50, 50, 60, 60], [0, 90, 9, 99], [90, 0, 99, 9]], float),
        np.array([3, 3, 3, 3]),
        np.full(4, 100.0),
        np.array([False, False, True, False]),
    )
    found = Detections(
        np.array([[0, 0, 10, 8], [50, 50, 60, 55], [50, 50, 60, 60]], np.float32),
        np.array([0.9, 0.3, 0.05], np.float32),
        np.array([18, 3, 3]),
    )
    task = Detection(CATEGORIES)
    scores = task.reduce([task.evidence(found, sample(truth))])
    assert scores["precision@mspfn-table6"].value == 1 / 2
    assert scores["recall@mspfn-table6"].value == pytest.approx(1 / 3)
    assert scores["mean_iou@mspfn-table6"].value == pytest.approx((0.8 + 0.5) / 2)
    assert scores["precision@mspfn-table6-conf06"].value == 0
    assert scores["recall@mspfn-table6-conf06"].value == 0
    assert scores["mean_iou@mspfn-table6-conf06"].value is None


def test_f1_of_one_image() -> None:
    task = Detection(CATEGORIES)
    found, truth = without_ties(random_set(1))[0]
    evidence = task.evidence(found, sample(truth))
    scores = {m: s.value or 0 for m, s in task.reduce([evidence]).items()}
    precision, recall = scores["precision@c25-iou50"], scores["recall@c25-iou50"]
    assert f1(task.evidence(perfect(truth), sample(truth))) == 1
    whole = precision + recall
    assert f1(evidence) == pytest.approx(2 * precision * recall / whole if whole else 0)
    nothing = Annotations(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0), np.zeros(0, bool))
    assert np.isnan(f1(task.evidence(perfect(nothing), sample(nothing))))


def test_evidence_is_small() -> None:
    task = Detection(CATEGORIES)
    pairs = random_set(0, images=6)
    assert max(len(pack(task.evidence(d, sample(t)))) for d, t in pairs) <= 4096


def test_images_without_labels_give_no_numbers() -> None:
    task = Detection({})
    nothing: list[Any] = [task.evidence(random_set(0)[0][0], sample(None))]
    assert task.reduce(nothing)["ap"].value is None
    assert task.reduce(nothing)["ap"].why == "no labels to score against"
    assert task.resample(nothing, np.ones((1, 1), np.int64), range(1)) == {}


def test_non_finite_predictions_are_refused_before_c_code() -> None:
    from tasks.task import TaskError

    found = Detections(np.full((1, 4), np.nan, np.float32), np.ones(1, np.float32), np.ones(1, int))
    with pytest.raises(TaskError, match="non-finite"):
        Detection(CATEGORIES).evidence(found, sample(random_set(0)[0][1]))


@pytest.mark.parametrize("score", [-0.1, 1.5, 87.0])
def test_confidences_outside_0_to_1_are_refused(score: float) -> None:
    from tasks.task import TaskError

    box = np.array([[0, 0, 9, 9]], np.float32)
    found = Detections(box, np.array([score], np.float32), np.ones(1, int))
    with pytest.raises(TaskError, match=rf"image \w+: confidence {score:g} lies outside"):
        Detection(CATEGORIES).evidence(found, sample(random_set(0)[0][1]))


def test_a_score_at_a_threshold_counts_the_same_once_it_was_written() -> None:
    """0.05 in single precision is 0.0500000007 as a file has it, and still not above 0.05."""
    box = np.array([[0, 0, 10, 10]], np.float64)
    truth = Annotations(box, np.ones(1, np.int64), np.full(1, 100.0), np.zeros(1, np.bool_))
    made = np.array([0.05], np.float32)
    for scores in (made, made.astype(np.float64)):
        found = Detections(box, scores, np.ones(1, int))
        evidence = Detection(CATEGORIES).evidence(found, sample(truth))
        assert evidence["table6_boxes"] == 0
