"""Do the intervals cover the truth? Studies of 128 images drawn from a labelled set.

The whole set is the population; its own numbers are the truth. Each study draws images with
replacement, makes the intervals as a run does, and looks whether the truth lies inside.

    python benchmarks/coverage.py --dataset streetsim --split test --model yolo-streetsim

prints a Markdown table: for AP, pooled AP and PSNR-Y, levels and paired differences of the median
filter to the rainy input. The same condition against itself must give zero, always.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.rain import generator
from harness.machine.device import Placement
from harness.plan.plan import make_plan
from harness.scores.replicates import resample_counts
from harness.spec import RunSpec
from reports.results.intervals import interval, level_interval
from tasks import quality
from tasks.detection import resampled_averages

DERAINER = "median"
METRICS = ("ap", "ap_pooled", "psnr_y_db")


def main() -> None:
    """Print the table."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--dataset", default="streetsim")
    words.add_argument("--data-root")
    words.add_argument("--split")
    words.add_argument("--model", required=True, help="detection network")
    words.add_argument("--rain", default="photoshop-heavy")
    words.add_argument("--limit", type=int, help="images of the population")
    words.add_argument("--images", type=int, default=128, help="images of a study")
    words.add_argument("--studies", type=int, default=200)
    words.add_argument("--draws", type=int, default=500, help="resamples in a study")
    a = words.parse_args()
    spec = RunSpec(
        dataset=a.dataset,
        data_root=a.data_root,
        split=a.split,
        limit=a.limit,
        derainer=(DERAINER,),
        rain=(a.rain,),
        model={"detection": a.model},
        quality=("psnr_y_db",),
    )
    rainy, derained = population(spec)
    rng = np.random.default_rng(0)
    everyone = np.ones((1, len(rainy)), np.int64)
    truth = [{m: v[0] for m, v in values(part, everyone).items()} for part in (rainy, derained)]
    inside: dict[tuple[str, str], list[bool | None]] = {}
    for study in range(a.studies):
        chosen = rng.integers(len(rainy), size=a.images)
        counts = resample_counts(str(study), [str(i) for i in range(a.images)], a.draws)
        counts = np.concatenate([np.ones((1, a.images), np.int64), counts])
        first, second = (values([part[i] for i in chosen], counts) for part in (rainy, derained))
        for metric in METRICS:
            level = second[metric]
            known = interval(level[1:])
            shown = level_interval(level[1:], level[0], a.images)
            difference = interval(level[1:] - first[metric][1:])
            wanted = truth[1][metric] - truth[0][metric]
            for what, ci, value in (
                ("level, always", known, truth[1][metric]),
                ("level, where printed", shown, truth[1][metric]),
                ("difference", difference, wanted),
            ):
                hit = None if ci is None else bool(ci[0] <= value <= ci[1])
                inside.setdefault((metric, what), []).append(hit)
            itself = interval(level[1:] - level[1:])
            inside.setdefault((metric, "difference to itself is 0"), []).append(itself == (0, 0))
    print(f"{len(rainy)} images, {a.studies} studies of {a.images}, {a.draws} resamples each\n")
    print("| metric | interval of | printed | covers the truth |\n| --- | --- | --- | --- |")
    for (metric, what), hits in inside.items():
        held = [hit for hit in hits if hit is not None]
        share = f"{100 * np.mean(held):.1f} %" if held else "–"
        print(f"| {metric} | {what} | {100 * len(held) / len(hits):.0f} % | {share} |")


def population(spec: RunSpec) -> tuple[list[Any], list[Any]]:
    """Evidence of every image, rainy and derained."""
    plan = make_plan(spec, {})
    task = plan.tasks[0].task
    task.load()
    restorer = next(c.derainer for c in plan.conditions if c.derainer.name == DERAINER)
    median = restorer.load(Placement("cpu"))
    rain = next(iter(plan.rains.values()))
    found: tuple[list[Any], list[Any]] = [], []
    for sample in plan.dataset.samples:
        clean = sample.image()
        rainy = rain.render(clean, generator(spec.seed, rain, sample.id), sample.depth_m()).image
        derained = np.rint(255 * median.restore(rainy, sample.id)).astype(np.uint8)
        for part, image in zip(found, (rainy, derained), strict=True):
            evidence = task.evidence(task.predict([image])[0], sample)
            part.append({**evidence, **quality.evidence(clean, image, ["psnr_y_db"])})
    return found


def values(evidences: list[Any], counts: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """`METRICS` of resampled sets."""
    categories = {int(k): str(k) for e in evidences for k in e["truth_category"]}
    averages = resampled_averages(evidences, counts, categories)
    psnr = quality.resample(evidences, ["psnr_y_db"], counts)
    return {m: (averages | psnr)[m] for m in METRICS}


if __name__ == "__main__":
    main()
