"""Five numbers of a run again, with pycocotools, NumPy and Pillow alone.

    python benchmarks/recompute.py RUN COPY SCENES --rain real-like --derainer X
        [--detector yolo-streetsim] [--segmenter refinenet-streetsim] [--trained NETWORK]

prints each beside the run's own number in results.csv, and exits with 1 where they differ by more
than the column "at most" says. Nothing of this package is imported: what AP pooled, PSNR-Y and mIoU
are is written down again here, from docs/metrics.md. RUN, COPY and SCENES are made by

    python -m harness run --dataset streetsim --data-root SCENES --split val --limit 24
        --rain real-like --seed 1001 --derainer X --task detection,semantic
        --save predictions,images --out RUN
    python -m harness synth --dataset streetsim --data-root SCENES --split val --limit 24
        --rain real-like --seed 1001 --out COPY

(of networks of one's own with their --model words; with the --workspace of an earlier run the first
takes from it what is there). Of their files it reads

- RUN/predictions/RAIN/DERAINER/[NETWORK/]detection.json, COCO results, and semantic/NAME.png;
- RUN/images/RAIN/DERAINER/NAME.png, the derained images;
- COPY/…/annotations/instances_*.json and COPY/…/labels/…/NAME.png: the labels of these images;
- SCENES/…/images/SPLIT/NAME.png, the clean images.

With ``--trained``, a network's name in RUN that stands there beside the detector, the difference of
deraining to it follows: the first primary contrast of docs/study-plan.md for one training and seed.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000
AP, DB, SHARE_OF_WIDTH = 1e-6, 1e-5, 0.15
"""What may differ: values of AP and mIoU, decibels, and the ends of two bootstraps' intervals, as a
part of their width: these are plain percentiles, the run's reach somewhat further."""


@dataclass(frozen=True)
class Ranked:
    """All detections of all classes by falling confidence, at the ten thresholds of COCO."""

    image: NDArray[np.int64]
    """``(D,)`` place of the image of each."""
    is_true: NDArray[np.bool_]
    """``(10, D)``: found an object of its class that counts."""
    is_false: NDArray[np.bool_]
    """``(10, D)``: found nothing; what is in neither found something that does not count."""
    objects: NDArray[np.int64]
    """``(images,)`` objects that count."""


def ranked(labels: Path, predictions: Path) -> Ranked:
    """Matches class by class as pycocotools has them, then one ranking over all classes.

    Args:
        labels: COCO JSON.
        predictions: COCO results of the same images.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    found = json.loads(predictions.read_text())
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(labels))
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
    place = {image: i for i, image in enumerate(evaluation.params.imgIds)}
    objects = np.zeros(len(place), np.int64)
    scores, image, matched, ignored = [], [], [], []
    by_image = [each for each in evaluation.evalImgs if each is not None]
    for each in sorted(by_image, key=lambda e: (place[e["image_id"]], e["category_id"])):
        objects[place[each["image_id"]]] += int((each["gtIgnore"] == 0).sum())
        scores.append(each["dtScores"])
        image.append(np.full(len(each["dtScores"]), place[each["image_id"]]))
        matched.append(each["dtMatches"] > 0)
        ignored.append(each["dtIgnore"].astype(bool))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hit, left_out = (np.concatenate(side, 1)[:, order] for side in (matched, ignored))
    every = np.concatenate(image)[order].astype(np.int64)
    return Ranked(every, hit & ~left_out, ~hit & ~left_out, objects)


def pooled_ap(ranking: Ranked, counts: NDArray[np.int64] | None = None) -> float:
    """Mean over the thresholds of the mean precision at 101 recalls.

    Args:
        ranking: Of all classes.
        counts: ``(images,)``: how often a resampled set holds each image; None = once.
    """
    counts = np.ones(len(ranking.objects), np.int64) if counts is None else counts
    weight, objects = counts[ranking.image], int(counts @ ranking.objects)
    recalls, precisions = np.linspace(0, 1, 101), []
    for is_true, is_false in zip(ranking.is_true, ranking.is_false, strict=True):
        true, false = np.cumsum(weight * is_true), np.cumsum(weight * is_false)
        precision = true / np.maximum(true + false, np.spacing(1))
        best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
        precisions.append(best[np.searchsorted(true / objects, recalls, side="left")].mean())
    return float(np.mean(precisions))


def difference(first: Ranked, second: Ranked) -> tuple[float, float, float]:
    """Second minus first, and its 95 % percentile interval over images drawn for both alike."""
    rng, n = np.random.default_rng(33), len(first.objects)
    drawn = []
    for _ in range(DRAWS):
        counts = np.bincount(rng.integers(0, n, n), minlength=n)
        drawn.append(pooled_ap(second, counts) - pooled_ap(first, counts))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return pooled_ap(second) - pooled_ap(first), float(low), float(high)


def luma(file: Path) -> NDArray[np.float64]:
    """Studio luma of BT.601, 16 to 235, rounded to bytes."""
    from PIL import Image

    rgb = np.asarray(Image.open(file).convert("RGB"), np.float64)
    weighted: NDArray[np.float64] = rgb @ np.array([65.481, 128.553, 24.966])
    return np.rint(16 + weighted / 255)


def mean_psnr_y_db(restored: Sequence[Path], clean: Sequence[Path]) -> float:
    """The mean over images of 10 log10(255² / MSE) of the luma; equal images are left out."""
    errors = np.array(
        [((luma(a) - luma(b)) ** 2).mean() for a, b in zip(restored, clean, strict=True)]
    )
    return float((10 * np.log10(255**2 / errors[errors > 0])).mean())


def mean_iou(found: Sequence[Path], truth: Sequence[Path]) -> float:
    """Over the classes that are in the truth, of the pixels of all images together.

    Pixels of truth 255 count for nothing.
    """
    from PIL import Image

    pairs = np.zeros((256, 256), np.int64)
    for a, b in zip(found, truth, strict=True):
        shown, true = (np.asarray(Image.open(file)).astype(np.int64) for file in (a, b))
        pairs += np.bincount((true * 256 + shown).ravel(), minlength=65536).reshape(256, 256)
    pairs = pairs[:255]
    both = np.diag(pairs[:, :255])
    there = pairs.sum(1)
    either = there + pairs[:, :255].sum(0) - both
    return float((both[there > 0] / either[there > 0]).mean())


@dataclass(frozen=True)
class Again:
    """A number of the run and the same made here."""

    name: str
    theirs: float
    ours: float
    at_most: float


class Folders:
    """Where a run's files and its labels are."""

    def __init__(self, run: Path, copy: Path, scenes: Path, rain: str) -> None:
        self.run, self.rain = run, rain
        (self.labels,) = copy.glob("*/annotations/instances_*.json")
        self.names = sorted(Path(i["file_name"]).stem for i in self._images())
        self.maps = self._files(copy, "labels")
        self.clean = self._files(scenes, "images")
        with (run / "results.csv").open(newline="") as opened:
            self.rows = list(csv.DictReader(opened))

    def _images(self) -> list[dict[str, Any]]:
        images: list[dict[str, Any]] = json.loads(self.labels.read_text())["images"]
        return images

    def _files(self, root: Path, kind: str) -> list[Path]:
        split = self.labels.stem.removeprefix("instances_")
        (folder,) = root.glob(f"*/{kind}/{split}")
        return [folder / f"{name}.png" for name in self.names]

    def predictions(self, derainer: str, network: str) -> Path:
        """Below which the files of a network lie, or of the only one."""
        place = self.run / "predictions" / _folder(self.rain) / _folder(derainer)
        network = _folder(network)
        return place / network if (place / network).is_dir() else place

    def ranked(self, derainer: str, network: str) -> Ranked:
        """The detections of a network."""
        return ranked(self.labels, self.predictions(derainer, network) / "detection.json")

    def told(self, derainer: str, network: str, metric: str) -> dict[str, str]:
        """The line of results.csv."""
        wanted = {"rain": self.rain, "derainer": derainer, "model": network, "metric": metric}
        (row,) = (r for r in self.rows if all(r[k] == v for k, v in wanted.items()))
        return row


def _folder(word: str) -> str:
    """A word as the name of a folder."""
    return re.sub(r"[^\w.@=+-]", "_", word)


def recomputed(
    folders: Folders, derainer: str, detector: str, segmenter: str, trained: str | None = None
) -> list[Again]:
    """The numbers again."""

    def value(*place: str) -> float:
        return float(folders.told(*place)["value"])

    nothing = folders.ranked("identity", detector)
    derained = folders.ranked(derainer, detector)
    told = folders.told(derainer, detector, "ap_pooled")
    change, low, high = difference(nothing, derained)
    shown = f"AP pooled, derained by {derainer} − nothing"
    made = [
        Again(
            "AP pooled, nothing", value("identity", detector, "ap_pooled"), pooled_ap(nothing), AP
        ),
        Again(f"AP pooled, derained by {derainer}", float(told["value"]), pooled_ap(derained), AP),
        Again(shown, float(told["change"]), change, 2 * AP),
    ]
    if told["change_low"]:  # there is none of few images
        ends = float(told["change_low"]), float(told["change_high"])
        near = SHARE_OF_WIDTH * (ends[1] - ends[0])
        made.append(Again("  lower end of its 95 % interval", ends[0], low, near))
        made.append(Again("  upper end", ends[1], high, near))
    place = folders.run / "images" / _folder(folders.rain) / _folder(derainer)
    restored = [place / f"{name}.png" for name in folders.names]
    ours = mean_psnr_y_db(restored, folders.clean)
    made.append(
        Again(f"PSNR-Y [dB], derained by {derainer}", value(derainer, "", "psnr_y_db"), ours, DB)
    )
    maps = folders.predictions("identity", segmenter) / "semantic"
    ours = mean_iou([maps / f"{name}.png" for name in folders.names], folders.maps)
    made.append(Again("mIoU, nothing", value("identity", segmenter, "miou"), ours, AP))
    if trained is not None:
        change, low, high = difference(folders.ranked("identity", trained), derained)
        theirs = float(told["value"]) - value("identity", trained, "ap_pooled")
        name = f"AP pooled, derained − {trained} [{low:+.4f}, {high:+.4f}]"
        made.append(Again(name, theirs, change, 2 * AP))
    return made


def main() -> None:
    """Print both, and what they differ by."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("run", "copy", "scenes"):
        parser.add_argument(name, type=Path, metavar=name.upper())
    parser.add_argument("--rain", required=True)
    parser.add_argument("--derainer", required=True)
    parser.add_argument("--detector", default="yolo-streetsim")
    parser.add_argument("--segmenter", default="refinenet-streetsim")
    parser.add_argument("--trained", metavar="NETWORK")
    a = parser.parse_args()
    folders = Folders(a.run, a.copy, a.scenes, a.rain)
    rows = recomputed(folders, a.derainer, a.detector, a.segmenter, a.trained)
    width = max(len(row.name) for row in rows)
    print(f"{len(folders.names)} images, rain {a.rain}")
    print(f"{'':{width}}  {'run':>12}  {'again':>12}  {'differ by':>10}  {'at most':>9}")
    for row in rows:
        differ = abs(row.ours - row.theirs)
        text = f"{row.name:{width}}  {row.theirs:12.8f}  {row.ours:12.8f}  {differ:10.1e}"
        print(f"{text}  {row.at_most:9.1e}{'' if differ <= row.at_most else '  DIFFERS'}")
    sys.exit(any(abs(row.ours - row.theirs) > row.at_most for row in rows))


if __name__ == "__main__":
    main()
