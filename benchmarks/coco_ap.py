"""Seconds and memory of COCO AP: matching beside pycocotools, the whole set, its resamples.

    python benchmarks/coco_ap.py [--images 5000] [--draws 1000] [--detections 20]

A synthetic set of 80 classes with 7 objects an image on average, of which a detector finds most,
among false finds. Seconds are the processor's, on one thread; the peak is the process's own, as the
system counts it. The precisions of the whole set must be pycocotools' bit by bit; otherwise the
exit status is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from datasets.sample import Annotations, Sample
from tasks.coco_ap import Detections, precision_recall
from tasks.detection import Detection
from tasks.matching import match, xywh
from tasks.resampled_ap import rankings, resampled
from tasks.task import Evidence

CLASSES = {i: f"class {i}" for i in range(80)}


def pictures(images: int, detections: int) -> Iterator[tuple[Detections, Annotations]]:
    """Objects of one image, and finds near them and elsewhere."""
    rng = np.random.default_rng(0)
    for _ in range(images):
        n = int(rng.poisson(7))
        corner = rng.uniform(0, 500, (n, 2))
        boxes = np.hstack([corner, corner + rng.uniform(5, 140, (n, 2))])
        truth = Annotations(
            boxes, rng.integers(0, 80, n), rng.uniform(100, 2e4, n), rng.random(n) < 0.01
        )
        near = rng.integers(0, n, detections // 2) if n else np.zeros(0, int)
        start = rng.uniform(0, 500, (detections - len(near), 2))
        false = np.hstack([start, start + rng.uniform(5, 140, start.shape)])
        found = np.vstack([boxes[near] + rng.normal(0, 6, (len(near), 4)), false])
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        scores = np.concatenate([rng.beta(3, 2, len(near)), rng.beta(1, 8, len(false))])
        classes = np.concatenate([truth.categories[near], rng.integers(0, 80, len(false))])
        yield (
            Detections(found.astype(np.float32), scores.astype(np.float32), classes),
            truth,
        )


def peak_mb() -> float:
    """The process's largest memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def as_pycocotools(pairs: Sequence[tuple[Detections, Annotations]]) -> COCOeval:
    """The whole set in pycocotools, not yet evaluated."""
    labels, found = COCO(), []
    labels.dataset = {"images": [{"id": i} for i in range(len(pairs))], "annotations": []}
    labels.dataset["categories"] = [{"id": i, "name": name} for i, name in CLASSES.items()]
    for i, (detections, truth) in enumerate(pairs):
        columns = (xywh(truth.boxes_xyxy_px), truth.categories, truth.areas_px2, truth.is_crowd)
        for box, category, area, crowd in zip(*(c.tolist() for c in columns), strict=True):
            row = {"image_id": i, "category_id": category, "bbox": box, "area": area}
            row |= {"id": len(labels.dataset["annotations"]) + 1, "iscrowd": int(crowd)}
            labels.dataset["annotations"].append(row)
        finds = (xywh(detections.boxes_xyxy_px), detections.categories, detections.scores)
        for box, category, score in zip(*(c.tolist() for c in finds), strict=True):
            found.append({"image_id": i, "category_id": category, "bbox": box, "score": score})
    labels.createIndex()
    return COCOeval(labels, labels.loadRes(found), "bbox")


def show_matching(pairs: Sequence[tuple[Detections, Annotations]]) -> bool:
    """Print what matching takes, ours and pycocotools'; whether all precisions are the same."""
    started = time.process_time()
    evidences = [match(found, truth) for found, truth in pairs]
    ours = time.process_time() - started
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = as_pycocotools(pairs)
        started = time.process_time()
        theirs.evaluate()
        seconds = time.process_time() - started
        theirs.accumulate()
    is_equal = np.array_equal(
        precision_recall(evidences, list(CLASSES)).precision, theirs.eval["precision"][..., -1]
    )
    print(
        f"matching: {ours:.2f} s; pycocotools' evaluate {seconds:.2f} s, {seconds / ours:.1f} x; "
        f"all precisions {'equal bit by bit' if is_equal else 'DIFFER'}"
    )
    return is_equal


def main() -> int:
    """Print a line per step."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--images", type=int, default=5000)
    words.add_argument("--draws", type=int, default=1000)
    words.add_argument("--detections", type=int, default=20, help="an image")
    wanted = words.parse_args()
    task = Detection(CLASSES)
    pairs = list(pictures(wanted.images, wanted.detections))
    started = time.process_time()
    evidences: list[Evidence] = [
        task.evidence(found, Sample("a", Path("a"), "a", truth)) for found, truth in pairs
    ]
    total = sum(len(e["score"]) for e in evidences)
    objects = sum(len(e["truth_category"]) for e in evidences)
    print(f"{wanted.images} images, {objects} objects, {total} detections")
    print(f"evidence: {time.process_time() - started:.1f} s, peak {peak_mb():.0f} MB")
    started = time.process_time()
    scores = task.reduce(evidences)
    print(
        f"reduce, all metrics (AP {scores['ap'].value:.4f}): "
        f"{time.process_time() - started:.1f} s, peak {peak_mb():.0f} MB"
    )
    if not wanted.draws:
        return 0 if show_matching(pairs) else 1
    rng = np.random.default_rng(0)
    share = [1 / wanted.images] * wanted.images
    counts = rng.multinomial(wanted.images, share, wanted.draws)
    started = time.process_time()
    values = np.stack([resampled(r, counts) for r in rankings(evidences, list(CLASSES))])
    print(
        f"AP of {wanted.draws} draws ({np.nanmean(values, axis=(0, 2)).mean():.4f}): "
        f"{time.process_time() - started:.1f} s, peak {peak_mb():.0f} MB"
    )
    return 0 if show_matching(pairs) else 1


if __name__ == "__main__":
    sys.exit(main())
