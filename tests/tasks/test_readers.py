"""Labels of every form score as pycocotools scores the same labels in COCO's own form."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from datasets import DATASETS, Sample
from datasets.masks import encode
from tasks.coco_ap import Detections, Kind
from tasks.matching import match

Row = dict[str, Any]
"""One annotation of COCO."""
Labelled = tuple[str, Row]
"""Id of a sample, and one of its objects."""


def of_yolo(make: Any) -> Iterator[Labelled]:
    width, height = make.WIDTH_PX, make.HEIGHT_PX
    for stem, lines in make.LINES.items():
        for line in lines.splitlines():
            category, *shares = (float(word) for word in line.split())
            if len(shares) == 4:
                x, y, w, h = np.array(shares) * [width, height, width, height]
                yield stem, row(int(category), [x - w / 2, y - h / 2, w, h], w * h)
                continue
            points = np.array(shares).reshape(-1, 2) * [width, height]
            (left, top), (right, bottom) = points.min(0), points.max(0)
            runs = coco_mask.frPyObjects([points.ravel().tolist()], height, width)
            box = [left, top, right - left, bottom - top]
            yield stem, row(int(category), box, float(coco_mask.area(runs)[0]))


def of_voc(make: Any) -> Iterator[Labelled]:
    numbers = {"car": 7, "person": 15}
    for stem, objects in make.OBJECTS.items():
        for name, (x1, y1, x2, y2), _ in objects:
            w, h = x2 - x1 + 1, y2 - y1 + 1
            yield stem, row(numbers[name], [x1 - 1, y1 - 1, w, h], w * h)


def of_carla(make: Any) -> Iterator[Labelled]:
    for stem in make.STEMS:
        for left, top, right, bottom in make.BOXES.values():
            w, h = right - left, bottom - top
            yield stem, row(14, [left, top, w, h], w * h)


def of_cityscapes(make: Any) -> Iterator[Labelled]:
    for shift, key in enumerate(make.KEYS):
        _, numbers = make.drawn(shift)
        yield from ((f"{key}_leftImg8bit", r) for r in of_numbers(numbers))


def of_numbers(numbers: NDArray[np.int32]) -> Iterator[Row]:
    """Objects of a picture of Cityscapes' instances, one number at a time."""
    for number in np.unique(numbers).tolist():
        label = number // 1000 if number >= 1000 else number
        if label in (24, 25, 26, 27, 28, 31, 32, 33):
            yield of_pixels(numbers == number, label, number < 1000)


def of_pixels(pixels: NDArray[np.bool_], category: int, is_crowd: bool) -> Row:
    rows, columns = np.nonzero(pixels)
    left, top = int(columns.min()), int(rows.min())
    box = [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]
    runs = coco_mask.encode(np.asfortranarray(pixels, np.uint8))
    return row(category, box, int(pixels.sum()), int(is_crowd), runs)


def row(category: int, box: Sequence[float], area: float, crowd: int = 0, runs: Any = None) -> Row:
    found = {"category_id": category, "bbox": [*box], "area": area, "iscrowd": crowd}
    return found if runs is None else {**found, "segmentation": runs}


def truth(labels: list[Labelled], samples: list[Sample]) -> COCO:
    """The labels as pycocotools holds them."""
    coco, ids = COCO(), [s.id for s in samples]
    sizes = [s.image().shape[:2] for s in samples]
    rows = [{**r, "id": i, "image_id": ids.index(s) + 1} for i, (s, r) in enumerate(labels, 1)]
    coco.dataset = {
        "images": [{"id": i, "height": h, "width": w} for i, (h, w) in enumerate(sizes, 1)],
        "annotations": rows,
        "categories": [{"id": c} for c in sorted({r["category_id"] for r in rows})],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def guesses(
    rows: list[Row], shape: tuple[int, ...], rng: np.random.Generator, masks: bool
) -> Detections:
    """Detections near the objects, some twice, and some anywhere."""
    boxes, categories = [], []
    for r in [*rows, *rows[::2], *rows[:1]]:
        x, y, w, h = r["bbox"]
        moved = np.array([x, y, x + w, y + h]) + rng.normal(0, 0.12, 4) * [w, h, w, h]
        boxes.append(np.sort(moved.reshape(2, 2), 0).ravel())
        categories.append(r["category_id"])
    found = np.array(boxes, np.float32).reshape(-1, 4)
    pixels = np.zeros((len(found), *shape[:2]), np.bool_)
    for window, box in zip(pixels, found.round().astype(int).clip(0), strict=True):
        window[box[1] : box[3] + 1, box[0] : box[2] + 1] = True
    return Detections(
        found,
        np.asarray((rng.permutation(len(found)) + 1) / (len(found) + 1), np.float32),
        np.array(categories, np.int64),
        tuple(encode(p) for p in pixels) if masks else (),
    )


def require_equal(samples: list[Sample], labels: list[Labelled], masks: bool) -> None:
    """Compare what each image's matching decides, detection by detection."""
    rng = np.random.default_rng(5)
    coco = truth(labels, samples)
    found = [
        guesses([r for s, r in labels if s == sample.id], sample.image().shape, rng, masks)
        for sample in samples
    ]
    results = [
        {
            "image_id": i,
            "category_id": int(c),
            "bbox": [*b[:2].tolist(), *(b[2:] - b[:2]).tolist()],
            "score": float(s),
            **({"segmentation": runs_of(d.masks[n])} if masks else {}),
        }
        for i, d in enumerate(found, 1)
        for n, (b, c, s) in enumerate(
            zip(d.boxes_xyxy_px.astype(float), d.categories, d.scores, strict=True)
        )
    ]
    kinds: tuple[Kind, ...] = ("bbox", "segm") if masks else ("bbox",)
    for kind in kinds:
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = COCOeval(coco, coco.loadRes(results), kind)
            evaluation.evaluate()
        expected = {
            (e["image_id"], e["category_id"], tuple(e["aRng"])): e for e in evaluation.evalImgs if e
        }
        for i, (sample, detections) in enumerate(zip(samples, found, strict=True), 1):
            assert sample.annotations is not None
            evidence = match(detections, sample.annotations, kind)
            for category in np.unique(evidence["category"]).tolist():
                rows = evidence["category"] == category
                there = evidence["truth_category"] == category
                for a, area in enumerate(evaluation.params.areaRng):
                    cell = expected[i, category, tuple(area)]
                    assert np.array_equal(evidence["matched"][a][:, rows], cell["dtMatches"] > 0)
                    assert np.array_equal(evidence["ignored"][a][:, rows], cell["dtIgnore"] > 0)
                    ignored = evidence["truth_ignored"][a][there]
                    assert ignored.sum() == cell["gtIgnore"].sum()
                    assert len(ignored) == len(cell["gtIgnore"])


def runs_of(mask: Any) -> Row:
    return {"size": [mask.height_px, mask.width_px], "counts": mask.counts}


READERS: dict[str, tuple[Callable[[Any], Iterator[Labelled]], str | None, bool]] = {
    "yolo": (of_yolo, None, False),
    "voc": (of_voc, None, False),
    "carla": (of_carla, None, False),
    "cityscapes": (of_cityscapes, "val", True),
}


@pytest.mark.parametrize("name", READERS)
def test_evidence_of_each_image_is_pycocotools(
    name: str, maker: Callable[[str], Any], tmp_path: Path
) -> None:
    labels, split, masks = READERS[name]
    make = maker(name)
    root = make.make(tmp_path / name)
    options = {"masks": True} if masks else {}
    if name == "voc":
        for file in root.rglob("*.xml"):  # pycocotools knows crowds alone
            file.write_text(file.read_text().replace("<difficult>1", "<difficult>0"))
    samples = DATASETS[name].open(root, split, **options).samples
    require_equal(list(samples), list(labels(make)), masks)


@pytest.mark.data
def test_evidence_of_real_scenes_is_pycocotools(data: Path) -> None:
    root = data / "carlarain"
    samples = DATASETS["carla"].open(root, None, masks=True).limited(3).samples
    labels = []
    for sample in samples:
        with Image.open(root / "instance" / f"{sample.id}.png") as picture:
            colours = np.array(picture, np.int64)
        numbers = colours @ [65536, 256, 1]
        least_px2 = 60 * numbers.size / (640 * 480)  # below it CARLA's car is a speck, ignored
        for number in np.unique(numbers).tolist():
            if 12 <= number >> 16 <= 19:
                pixels = numbers == number
                is_speck = int(pixels.sum()) < least_px2
                labels.append((sample.id, of_pixels(pixels, number >> 16, is_speck)))
    require_equal(list(samples), labels, masks=True)
