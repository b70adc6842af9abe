"""Instance segmentation against pycocotools on whole sets, and what must not reach its C code."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from datasets.masks import run_lengths
from datasets.sample import Annotations, Mask, Sample
from harness.ledger.packed import pack, unpack
from tasks import rle
from tasks.coco_ap import Detections
from tasks.instance import Instance
from tasks.task import Evidence, TaskError

CATEGORIES = {1: "person", 3: "car", 44: "never there"}
HEIGHT, WIDTH = 90, 120
ROOT = Path(__file__).parent.parent.parent
Pairs = list[tuple[Detections, Annotations]]


def ellipses(middles: NDArray[Any], radii: NDArray[Any]) -> NDArray[np.uint8]:
    """One filled ellipse per row, ``(N, H, W)``."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    dx = (x - middles[:, :1, None]) / radii[:, :1, None]
    dy = (y - middles[:, 1:, None]) / radii[:, 1:, None]
    inside: NDArray[np.uint8] = (dx**2 + dy**2 <= 1).astype(np.uint8)
    return inside


def boxes_of(masks: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The masks' own boxes, xyxy."""
    boxes = np.zeros((len(masks), 4))
    for i, mask in enumerate(masks):
        rows, columns = np.nonzero(mask)
        if rows.size:
            boxes[i] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return boxes


def random_set(seed: int, images: int = 12) -> Pairs:
    """Ellipses of all sizes near the truth and away from it; crowds, ties, empty images."""
    rng = np.random.default_rng(seed)
    pairs = []
    for i in range(images):
        n = 0 if i == 3 else int(rng.integers(1, 7))
        middles = rng.uniform(0, (WIDTH, HEIGHT), (n, 2))
        radii = rng.uniform(3, 50, (n, 2))
        truth_masks = ellipses(middles, radii)
        truth = Annotations(
            boxes_xyxy_px=boxes_of(truth_masks),
            categories=rng.choice([1, 3], n),
            areas_px2=truth_masks.sum((1, 2)).astype(float),
            is_crowd=rng.random(n) < 0.15,
            masks=rle.encoded(truth_masks),
        )
        m = 0 if i == 4 else int(rng.integers(0, 12))
        near = rng.integers(0, n, m) if n else np.zeros(m, int)
        start = middles[near] if n else rng.uniform(0, 80, (m, 2))
        size = radii[near] if n else rng.uniform(5, 20, (m, 2))
        masks = ellipses(start + rng.normal(0, 3, (m, 2)), size * rng.uniform(0.8, 1.2, (m, 2)))
        found = Detections(
            boxes_xyxy_px=(boxes_of(masks) + rng.normal(0, 1, (m, 4))).astype(np.float32),
            scores=(rng.integers(1, 20, m) / 20).astype(np.float32),
            categories=truth.categories[near] if n else rng.choice([1, 3], m),
            masks=rle.encoded(masks),
        )
        pairs.append((found, truth))
    return pairs


def as_json(pairs: Pairs, kind: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Labels and results as COCO's JSON has them."""
    objects: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for i, (d, t) in enumerate(pairs):
        for k, box in enumerate(t.boxes_xyxy_px.tolist()):
            objects.append(
                {
                    "id": len(objects) + 1,
                    "image_id": i,
                    "category_id": int(t.categories[k]),
                    "bbox": [*box[:2], box[2] - box[0], box[3] - box[1]],
                    "area": float(t.areas_px2[k]),
                    "iscrowd": int(t.is_crowd[k]),
                    "segmentation": {"size": [HEIGHT, WIDTH], "counts": t.masks[k].counts},
                }
            )
        for k, box in enumerate(d.boxes_xyxy_px.astype(float).tolist()):
            shape: dict[str, Any] = {"bbox": [*box[:2], box[2] - box[0], box[3] - box[1]]}
            if kind == "segm":
                shape = {"segmentation": {"size": [HEIGHT, WIDTH], "counts": d.masks[k].counts}}
            one = {"image_id": i, "category_id": int(d.categories[k]), "score": float(d.scores[k])}
            found.append(one | shape)
    labels = {
        "info": {},
        "images": [{"id": i, "height": HEIGHT, "width": WIDTH} for i in range(len(pairs))],
        "categories": [{"id": k, "name": v} for k, v in CATEGORIES.items()],
        "annotations": objects,
    }
    return labels, found


def official(pairs: Pairs, kind: str) -> COCOeval:
    """pycocotools on the whole set, from its own JSON dicts."""
    truth = COCO()
    truth.dataset, found = as_json(pairs, kind)
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def sample(truth: Annotations | None) -> Sample:
    return Sample("a", Path("a"), "a", truth)


def evidences(pairs: Pairs) -> list[Evidence]:
    """Through the ledger's form and back, predictions and evidence."""
    task = Instance(CATEGORIES)
    kept = [(task.unpack(unpack(pack(task.pack(d)))), t) for d, t in pairs]
    return [unpack(pack(task.evidence(d, sample(t)))) for d, t in kept]


@pytest.mark.parametrize("seed", range(4))
def test_reduce_is_pycocotools_for_boxes_and_masks(seed: int) -> None:
    pairs = random_set(seed)
    scores = Instance(CATEGORIES).reduce(evidences(pairs))
    names = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
    for prefix, kind in (("box_", "bbox"), ("mask_", "segm")):
        stats = official(pairs, kind).stats
        for name, value in [*zip(names, stats, strict=False), ("ar100", stats[8])]:
            ours = scores[prefix + name].value
            assert (-1 if ours is None else ours) == pytest.approx(value, abs=1e-12), name
    assert scores["mask_ap"].value != scores["box_ap"].value
    assert scores["mask_ap/never there"].value is None


def test_more_masks_of_a_class_than_fit_a_byte_are_matched() -> None:
    """pycocotools 2.0.11 takes the areas of at most 255 masks at a time."""
    found, truth = random_set(1)[0]
    many = Detections(
        np.tile(found.boxes_xyxy_px[:1], (300, 1)),
        np.linspace(1, 0.1, 300).astype(np.float32),
        np.full(300, 3),
        found.masks[:1] * 300,
    )
    evidence = Instance(CATEGORIES).evidence(many, sample(truth))
    assert len(evidence["mask_score"]) == 100


def test_resampling_with_ones_is_reduce() -> None:
    task, found = Instance(CATEGORIES), evidences(random_set(5)) * 5  # classes in 20 images
    scores = task.reduce(found)
    values = task.resample(found, np.ones((1, len(found)), np.int64), range(len(found)))
    assert {"box_ap", "mask_ap", "mask_ap50", "mask_ap_pooled", "mask_ap/car"} <= set(values)
    for name, drawn in values.items():
        assert drawn[0] == pytest.approx(scores[name].value, abs=1e-12), name


def test_perfect_masks_score_one_and_none_score_zero() -> None:
    task = Instance(CATEGORIES)
    truths = [t for _, t in random_set(1)]
    best = task.reduce([task.evidence(perfect(t), sample(t)) for t in truths])
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int))
    worst = task.reduce([task.evidence(nothing, sample(t)) for t in truths])
    for name in ("box_ap", "mask_ap", "mask_ap50", "mask_ap_pooled"):
        assert best[name].value == pytest.approx(1, abs=1e-12), name
        assert worst[name].value == 0, name


def perfect(truth: Annotations) -> Detections:
    keep = np.flatnonzero(~truth.is_crowd)
    return Detections(
        truth.boxes_xyxy_px[keep].astype(np.float32),
        np.linspace(0.9, 0.5, len(keep)).astype(np.float32),
        truth.categories[keep],
        tuple(truth.masks[i] for i in keep),
    )


def test_images_without_labels_give_no_numbers() -> None:
    task = Instance({})
    nothing = [task.evidence(random_set(0)[0][0], sample(None))]
    assert task.reduce(nothing)["mask_ap"].why == "no labels to score against"
    assert task.resample(nothing, np.ones((1, 1), np.int64), range(1)) == {}


def test_run_lengths_are_those_of_pycocotools() -> None:
    rng = np.random.default_rng(0)
    masks = (rng.random((40, 37, 53)) < rng.random((40, 1, 1))).astype(np.uint8)
    masks[0], masks[1] = 0, 1
    for mask, coded in zip(masks, rle.encoded(masks), strict=True):
        column = mask.ravel(order="F")
        changes = np.flatnonzero(np.diff(column)) + 1
        expected = np.diff([0, *changes, column.size]).tolist()
        runs = run_lengths(coded.counts, "mask")
        assert runs.tolist() == ([0, *expected] if column[0] else expected)
        one = {"size": [37, 53], "counts": coded.counts}
        assert np.array_equal(coco_mask.decode(one), mask)


HOSTILE = {
    "empty": b"",
    "not the alphabet": b"\xff\xfe",
    "ends early": b"PP",
    "overlong": b"o" * 100 + b"0",
    "overflows": b"ooooooo0",
    "too many pixels": b"PPPPP0",
    "negative": b"@@@",
    "too few pixels": b"5",
    "a zero byte": b"\x0000",
}


@pytest.mark.parametrize("counts", HOSTILE.values(), ids=HOSTILE)
def test_hostile_run_lengths_are_refused_in_one_line(counts: bytes) -> None:
    with pytest.raises(TaskError, match="mask 0 are damaged or do not fill 120x90") as caught:
        rle.check([Mask(HEIGHT, WIDTH, counts)], (HEIGHT, WIDTH), "image 7")
    assert "\n" not in str(caught.value)


def test_hostile_predictions_end_in_errors_not_in_signals() -> None:
    """In a process of its own: C code that reads past its memory would end it by a signal."""
    code = f"""
import dataclasses, sys
sys.path.insert(0, "tests/tasks")
import numpy as np
from datasets.sample import Mask
from tasks.instance import Instance
from tasks.task import TaskError
from test_instance import CATEGORIES, HEIGHT, WIDTH, perfect, random_set, sample
truth = random_set(1)[0][1]
good, task = perfect(truth), Instance(CATEGORIES)
bad = [
    *(tuple([Mask(HEIGHT, WIDTH, counts)] * len(good.masks)) for counts in {[*HOSTILE.values()]!r}),
    tuple([Mask(WIDTH, HEIGHT, good.masks[0].counts)] * len(good.masks)),
    tuple([Mask(2**31, 2**31, b"0")] * len(good.masks)),
    (),
]
cases = [dataclasses.replace(good, masks=masks) for masks in bad]
cases.append(dataclasses.replace(good, scores=good.scores * np.nan))
cases.append(dataclasses.replace(good, boxes_xyxy_px=good.boxes_xyxy_px * np.inf))
for case in cases:
    try:
        task.evidence(case, sample(truth))
    except TaskError as error:
        assert "\\n" not in str(error) and str(error).startswith("image a"), error
    else:
        raise SystemExit(f"accepted {{case}}")
print(len(cases))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(HOSTILE) + 5


def test_labels_of_another_size_than_the_picture_are_blamed_themselves() -> None:
    found, truth = random_set(1)[0]
    turned = rle.encoded(np.zeros((len(truth.masks), WIDTH, HEIGHT), np.uint8))
    labels = dataclasses.replace(truth, masks=turned)
    with pytest.raises(TaskError, match="image a: labels: mask 0 is 90x120, the image 120x90"):
        Instance(CATEGORIES).evidence(found, sample(labels))


def test_labels_without_masks_are_told() -> None:
    found, truth = random_set(1)[0]
    bare = Annotations(truth.boxes_xyxy_px, truth.categories, truth.areas_px2, truth.is_crowd)
    with pytest.raises(TaskError, match="image a: its labels have no masks"):
        Instance(CATEGORIES).evidence(found, sample(bare))
