"""Classes that are numbered or named in another order than the data set's are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets.label_png import encode_labels
from harness import RunSpec, run
from harness.scores.class_order import FEWEST, ClassOrder
from harness.scores.predictions import score_predictions
from reports.results.results import Results

DETECTOR = """
def build():
    def find(image):
        boxes = [[30 * i, 10, 30 * i + 20, 40] for i in range(4)]
        return {"boxes": boxes, "scores": [0.9] * 4, "classes": [0, 0, 0, 1]}

    find.names = NAMES
    return find
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six images with three cars and a person each, whose classes are counted from 0."""
    root = tmp_path / "set"
    for folder in ("images/val", "annotations"):
        (root / folder).mkdir(parents=True)
    images, objects = [], []
    for i in range(6):
        rng = np.random.default_rng(i)
        pixels = rng.integers(0, 255, (60, 130, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / "images/val" / f"{i}.png")
        images.append({"id": i, "file_name": f"{i}.png", "width": 130, "height": 60})
        for k, category in enumerate((0, 0, 0, 1)):
            box = [30 * k, 10, 20, 30]
            objects.append({"image_id": i, "category_id": category, "bbox": box, "area": 600})
    classes = [{"id": i, "name": name} for i, name in enumerate(("car", "person", "bus"))]
    content = {"images": images, "annotations": objects, "categories": classes}
    (root / "annotations/instances_val.json").write_text(json.dumps(content))
    return root


def told(results: Results) -> list[str]:
    return [note for note in results.provenance.data_notes if "numbered or named" in note]


SAID = "24 of 24 finds on labelled objects are of another class than these: see that its classes "
KNOWN = "are numbered or named as the data set's, 0 car, 1 person"


def test_results_whose_classes_count_from_one_are_told(root: Path, tmp_path: Path) -> None:
    """As ultralytics' predictions.json does; they had an AP of 0 without a word."""
    content = json.loads((root / "annotations/instances_val.json").read_text())
    spec = RunSpec(dataset="coco", data_root=str(root), task=("detection",))

    def scored(first: int) -> list[str]:
        rows = [
            {key: entry[key] for key in ("image_id", "bbox")}
            | {"score": 0.5, "category_id": entry["category_id"] + first}
            for entry in content["annotations"]
        ]
        (tmp_path / "a.json").write_text(json.dumps(rows))
        return told(score_predictions(tmp_path / "a.json", spec))

    assert scored(1) == [f"a.json: {SAID}{KNOWN}"]
    assert scored(0) == []


def test_a_network_whose_names_are_in_another_order_is_told(root: Path, tmp_path: Path) -> None:

    def found(names: list[str]) -> list[str]:
        (tmp_path / "mine.py").write_text(DETECTOR.replace("NAMES", repr(names)))
        spec = RunSpec(
            dataset="coco",
            data_root=str(root),
            rain=("none",),
            derainer=("identity",),
            model={"detection": (f"{tmp_path / 'mine.py'}:build",)},
            quality=("none",),
            images=False,
            workspace=str(tmp_path / f"runs-{names[0]}"),
        )
        return told(run(spec))

    assert found(["person", "car"]) == [f"detection by mine:build: {SAID}{KNOWN}"]
    assert found(["car", "person"]) == []


def test_label_maps_whose_classes_are_one_off_are_told(
    maker: Callable[[str], Any], tmp_path: Path
) -> None:
    root = maker("camvid").make(tmp_path / "data")
    spec = RunSpec(dataset="camvid", data_root=str(root), split="test", task=("semantic",))
    from harness.plan.data import open_dataset

    samples = open_dataset(spec).samples

    def scored(first: int) -> list[str]:
        folder = tmp_path / f"maps{first}"
        folder.mkdir()
        for sample in samples:
            labels = sample.label_map()
            moved = np.where(labels == 255, labels, (labels + first) % 11)
            (folder / f"{sample.path.stem}.png").write_bytes(encode_labels(moved.astype(np.uint8)))
        return told(score_predictions(folder, spec))

    [note] = scored(1)
    assert note.startswith("maps1: 0% of the pixels are of the labels' classes, 100% would be in ")
    assert note.endswith("as the data set's, 0 sky, 1 building, 2 pole, 3 road, 4 pavement, …")
    assert scored(0) == []


def of_pixels(rows: list[list[int]]) -> ClassOrder:
    """Of a confusion matrix, whose last column is of no class."""
    return ClassOrder.of([{"confusion": np.array(rows)}])


def test_a_network_that_finds_little_has_no_order() -> None:
    names = {0: "a", 1: "b", 2: "c"}
    assert of_pixels([[0, 9, 0, 0], [9, 0, 0, 0], [0, 0, 1, 0]]).doubt("x", names)
    assert not of_pixels([[0, 4, 0, 0], [0, 3, 0, 0], [0, 3, 0, 0]]).doubt("x", names)
    assert not of_pixels([[5, 4, 0, 0], [4, 5, 0, 0], [0, 0, 1, 0]]).doubt("x", names)
    assert not of_pixels([[0, 1, 0, 9], [1, 0, 0, 9], [0, 0, 0, 9]]).doubt("x", names)
    assert not ClassOrder().doubt("x", names)
    few = ClassOrder(right=0, wrong=FEWEST - 1)
    assert not few.doubt("x", names)
    assert (few + ClassOrder(wrong=1)).doubt("x", names)
    assert not (few + ClassOrder(right=FEWEST)).doubt("x", names)
