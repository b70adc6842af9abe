"""Populations that simulated studies are drawn from: the evidence of many images, kept compact.

    python benchmarks/populations.py coco128 OUT [--data DIR] [--from 0 --to 128]

measures the population's images under its conditions and writes a part for every 32 images below
OUT/coco128; parts that are there are not made again, so that several processes may share the work.
`fresh` renders street scenes in memory that no network was trained on, at 320x240.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.rain import generator
from datasets.sample import Sample
from datasets.streetsim import render
from datasets.streetsim.classes import CATEGORIES, CLASSES
from harness.machine.device import Placement
from harness.plan.plan import Plan, make_plan
from harness.spec import RunSpec
from tasks import quality
from tasks.confusion import confusion
from tasks.detection import Detection
from tasks.resampled_ap import Ranking, pooled

_Judged = Callable[[NDArray[Any]], dict[str, NDArray[Any]]]

PART = 32
"""Images in a file."""
FRESH = "fresh"
"""The rendered scenes: a name of theirs, as `datasets.streetsim.render` takes it."""
FRESH_PX = (320, 240)
HEAVY, MEDIUM = "photoshop-heavy", "photoshop-medium"
NOT_SHOWN = MEDIUM
"""The rain of which image quality alone is measured, to spare the networks."""
PSNR = "psnr_y_db"
SPECS: dict[str, dict[str, Any]] = {
    "coco128": {
        "dataset": "coco",
        "data_root": "coco128",
        "split": "train2017",
        "rain": (HEAVY, MEDIUM, "none"),
        "derainer": ("identity", "median", "bilateral", "guided"),
        "task": ("detection", "instance"),
        "model": {"detection": "weights/yolov8n.pt", "instance": "weights/yolov8n-seg.pt"},
    },
    "camvid": {
        "dataset": "camvid",
        "data_root": "camvid",
        "split": "test",
        "rain": (HEAVY, "none"),
        "derainer": ("identity", "median", "bilateral", "guided"),
        "task": ("semantic",),
    },
    FRESH: {
        "dataset": "streetsim",
        "rain": (HEAVY, "none"),
        "derainer": ("identity", "median"),
        "task": ("detection", "semantic"),
    },
}
"""The runs that the populations are of."""


@dataclass(frozen=True)
class Ranked:
    """Detections of many images, all classes as one, matches by class."""

    image: NDArray[np.int64]
    """``(D,)``"""
    score: NDArray[np.float64]
    matched: NDArray[np.bool_]
    """``(10, D)``, as is ``counted``: see `tasks.resampled_ap.Ranking`."""
    counted: NDArray[np.bool_]
    objects: NDArray[np.int64]
    """``(N,)`` objects that count."""


@dataclass(frozen=True)
class Population:
    """The evidence of N images, by condition ``rain/derainer``."""

    psnr: Mapping[str, NDArray[np.float64]]
    """``(N,)``"""
    boxes: Mapping[str, Ranked]
    masks: Mapping[str, Ranked]
    confusion: Mapping[str, NDArray[np.int64]]
    """``(N, C, C + 1)``"""


def evidence(images: Mapping[str, Any], judged: _Judged) -> dict[str, NDArray[Any]]:
    """What one image gives under every condition, by ``condition:what``."""
    found: dict[str, NDArray[Any]] = {}
    for condition, image in images.items():
        if condition != "none/identity":
            value = quality.evidence(images["none/identity"], image, [PSNR])[PSNR]
            found[f"{condition}:psnr"] = value
        if condition.startswith(NOT_SHOWN):
            continue
        for name, array in judged(image).items():
            found[f"{condition}:{name}"] = array
    return found


def matches(evidence: Mapping[str, NDArray[Any]], prefix: str, name: str) -> dict[str, Any]:
    """Detections of one image, ranked, all classes as one."""
    cut = {k[len(prefix) :]: v for k, v in evidence.items() if k.startswith(prefix)}
    score = np.sort(cut["score"])[::-1]
    one = pooled([cut])
    if not one.matched.shape[1] and len(score):  # no object counts in this image
        nothing = np.zeros((10, len(score)), np.bool_)
        order = np.lexsort((np.arange(len(score)), -cut["score"]))
        one = Ranking(0, one.image, nothing, ~cut["ignored"][0][:, order], one.objects)
    return {
        f"{name}_score": score,
        f"{name}_matched": one.matched,
        f"{name}_counted": one.counted,
        f"{name}_objects": one.objects[0],
    }


def of_files(name: str, data: Path, which: range) -> list[dict[str, NDArray[Any]]]:
    """Evidence of images that lie in files."""
    plan = _plan(name, data)

    def judged(sample: Sample, image: NDArray[Any]) -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = {}
        for task in plan.tasks:
            made = task.task.evidence(task.task.predict([image])[0], sample)
            if task.name == "detection":
                found |= matches(made, "", "boxes")
            elif task.name == "instance":
                found |= matches(made, "mask_", "masks")
            else:
                found |= made
        return found

    made = []
    for i in which:
        sample = plan.dataset.samples[i]
        images = _images(plan, sample.image(), sample.id, sample.depth_m())
        made.append(evidence(images, partial(judged, sample)))
    return made


def of_scenes(name: str, data: Path, which: range) -> list[dict[str, NDArray[Any]]]:
    """Evidence of scenes that are rendered here and now."""
    plan = _plan(name, data)
    detector, segmenter = (task.task for task in plan.tasks)

    def judged(scene: Any, sample: Sample, image: NDArray[Any]) -> dict[str, NDArray[Any]]:
        assert isinstance(detector, Detection)
        boxes = detector.evidence(detector.predict([image])[0], sample)
        labels = segmenter.predict([image])[0]
        whole = confusion(scene.label_map, labels, range(len(CLASSES)))
        return {**matches(boxes, "", "boxes"), "confusion": whole}

    made = []
    for i in which:
        scene = render(FRESH, i, FRESH_PX)
        sample = Sample(str(i), Path(str(i)), str(i), scene.annotations)
        images = _images(plan, scene.image, sample.id, scene.depth_m)
        made.append(evidence(images, partial(judged, scene, sample)))
    return made


@cache
def _plan(name: str, data: Path) -> Plan:
    """The population's run, its networks loaded."""
    spec = dict(SPECS[name])
    if "data_root" in spec:
        spec["data_root"] = str(data / spec["data_root"])
    spec["model"] = {task: str(data / file) for task, file in spec.get("model", {}).items()}
    plan = make_plan(RunSpec(**spec, quality=(PSNR,), workers=1), {})
    assert name != FRESH or dict(plan.dataset.categories) == dict(CATEGORIES)
    for task in plan.tasks:
        task.task.load()
    return plan


@cache
def _restorer(plan: _ById, name: str) -> Any:
    derainer = next(c.derainer for c in plan.plan.conditions if c.derainer.name == name)
    return derainer.load(Placement("cpu"))


@dataclass(frozen=True)
class _ById:
    """A plan as a key: one is as good as itself."""

    plan: Plan = field(hash=False)


def _images(plan: Plan, clean: Any, sample: str, depth_m: Any) -> dict[str, NDArray[Any]]:
    """The image under every condition, the clean one first."""
    rainy = {
        name: rain.render(clean, generator(plan.spec.seed, rain, sample), depth_m).image
        for name, rain in plan.rains.items()
    } | {"none": clean}
    found = {"none/identity": clean}
    for c in plan.conditions:
        shown = rainy[c.rain]
        if not c.derainer.is_identity:
            restored = _restorer(_ById(plan), c.derainer.name).restore(shown, sample)
            shown = np.rint(255 * restored).astype(np.uint8)
        found[f"{c.rain}/{c.derainer.name}"] = shown
    return found


def main() -> None:
    """Make the parts that are not there."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("population", choices=SPECS)
    words.add_argument("out", type=Path)
    words.add_argument("--data", type=Path, default=Path("../shared/data"))
    words.add_argument("--from", dest="start", type=int, default=0)
    words.add_argument("--to", type=int, required=True)
    a = words.parse_args()
    folder = a.out / a.population
    folder.mkdir(parents=True, exist_ok=True)
    make = of_scenes if a.population == FRESH else of_files
    for start in range(a.start, a.to, PART):
        file = folder / f"{start:06}.npz"
        if file.is_file():
            continue
        found = make(a.population, a.data, range(start, min(start + PART, a.to)))
        packed = _joined(found)
        unfinished = file.with_suffix(".part.npz")
        np.savez_compressed(unfinished, **packed)  # type: ignore[arg-type]
        unfinished.rename(file)
        print(f"{file.name}: {len(found)} images", flush=True)


def _joined(found: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Images behind each other: detections along their axis, all else stacked."""
    joined: dict[str, NDArray[Any]] = {}
    for key in found[0]:
        arrays = [np.asarray(one[key]) for one in found]
        if key.endswith(("_matched", "_counted")):
            joined[key] = np.packbits(np.concatenate(arrays, axis=1), axis=0)
        elif key.endswith("_score"):
            joined[key] = np.concatenate(arrays)
            image = np.repeat(np.arange(len(arrays)), [len(each) for each in arrays])
            joined[key.replace("_score", "_image")] = image
        else:
            joined[key] = np.stack(arrays)
    return joined


def load(folder: Path) -> Population:
    """What the parts of a population hold together."""
    parts = [dict(np.load(file)) for file in sorted(folder.glob("[0-9]*[0-9].npz"))]
    kinds: dict[str, dict[str, Any]] = {"psnr": {}, "boxes": {}, "masks": {}, "confusion": {}}
    for key in parts[0]:
        condition, _, what = key.partition(":")
        if what in ("psnr", "confusion"):
            kinds[what][condition] = np.concatenate([part[key] for part in parts])
        elif what.endswith("_score"):
            kind = what.removesuffix("_score")
            kinds[kind][condition] = _ranked(parts, f"{condition}:{kind}_")
    return Population(**kinds)


def _ranked(parts: Sequence[Mapping[str, NDArray[Any]]], at: str) -> Ranked:
    """The detections of all parts, whose images are numbered on."""
    before = np.cumsum([0, *(len(part[at + "objects"]) for part in parts)])
    image = [part[at + "image"] + b for part, b in zip(parts, before[:-1], strict=True)]
    matched, counted = (
        np.concatenate([np.unpackbits(p[at + name], axis=0, count=10) for p in parts], axis=1)
        for name in ("matched", "counted")
    )
    return Ranked(
        np.concatenate(image),
        np.concatenate([part[at + "score"] for part in parts]),
        matched.astype(np.bool_),
        counted.astype(np.bool_),
        np.concatenate([part[at + "objects"] for part in parts]),
    )


if __name__ == "__main__":
    main()
