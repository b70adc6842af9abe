"""Seconds and memory of COCO AP: the whole set, its resamples, and a million detections.

    python benchmarks/coco_ap.py [--images 5000] [--draws 1000] [--detections 20]

A synthetic set of 80 classes with 7 objects an image on average, of which a detector finds most,
among false finds. The peak is the process's own, as the system counts it.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from datasets.sample import Annotations, Sample
from tasks.coco_ap import Detections
from tasks.detection import Detection
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


def main() -> None:
    """Print a line per step."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("--images", type=int, default=5000)
    words.add_argument("--draws", type=int, default=1000)
    words.add_argument("--detections", type=int, default=20, help="an image")
    wanted = words.parse_args()
    task = Detection(CLASSES)
    started = time.perf_counter()
    evidences: list[Evidence] = []
    for found, truth in pictures(wanted.images, wanted.detections):
        evidences.append(task.evidence(found, Sample("a", Path("a"), "a", truth)))
    total = sum(len(e["score"]) for e in evidences)
    objects = sum(len(e["truth_category"]) for e in evidences)
    print(
        f"{wanted.images} images, {objects} objects, {total} detections, "
        f"{len(os.sched_getaffinity(0))} cores"
    )
    print(f"matching: {time.perf_counter() - started:.1f} s, peak {peak_mb():.0f} MB")
    started = time.perf_counter()
    scores = task.reduce(evidences)
    print(
        f"reduce, all metrics (AP {scores['ap'].value:.4f}): "
        f"{time.perf_counter() - started:.1f} s, peak {peak_mb():.0f} MB"
    )
    if not wanted.draws:
        return
    rng = np.random.default_rng(0)
    share = [1 / wanted.images] * wanted.images
    counts = rng.multinomial(wanted.images, share, wanted.draws)
    started = time.perf_counter()
    values = np.stack([resampled(r, counts) for r in rankings(evidences, list(CLASSES))])
    print(
        f"AP of {wanted.draws} draws ({np.nanmean(values, axis=(0, 2)).mean():.4f}): "
        f"{time.perf_counter() - started:.1f} s, peak {peak_mb():.0f} MB"
    )


if __name__ == "__main__":
    main()
