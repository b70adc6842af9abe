"""No two samples of one id, whoever reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets import Dataset, DatasetError, DatasetRow, Sample
from datasets.check import check
from datasets.ids import ids_of, require_distinct, shared
from datasets.image import encode_png
from harness.plan.data import open_dataset, open_splits
from harness.spec import RunSpec, UsageError


def test_files_are_named_by_as_little_as_tells_them_apart() -> None:
    root = Path("root")
    names = ("a.jpg", "sub/b.jpg", "sub/c.png", "c.jpg", "sub/d.png", "sub/d.jpg", "e/d.jpg")
    ids = ids_of([root / name for name in names], root)
    assert list(ids.values()) == ["a", "b", "sub/c", "c", "sub/d.png", "sub/d.jpg", "e/d"]


@pytest.fixture
def twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunSpec:
    """A data set whose reader gives two images one id."""
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(encode_png(np.full((8, 8, 3), ord(name[0]), np.uint8)))

    def opened(root: Path, split: str | None, problems: Any = None) -> Dataset:
        files = sorted(root.glob("*.png"))
        samples = [Sample("c" if file.stem == "c" else "same", file, "g") for file in files]
        return Dataset("own", "all", samples)

    row = DatasetRow(opened)
    for table in ("harness.plan.data.DATASETS", "datasets.check.DATASETS"):
        monkeypatch.setattr(table, {"own": row, "folder": row})
    return RunSpec(dataset="own", data_root=str(tmp_path), task=("none",))


def test_a_reader_that_gives_two_images_one_id_is_refused(twice: RunSpec, tmp_path: Path) -> None:
    words = "1 of 2 ids stand for several images, same for a.png and b.png: rename one of each"
    with pytest.raises(DatasetError, match=f"own all: {words}"):
        open_dataset(twice)
    found = [f for f in check("own", tmp_path, None).findings if f.kind == "id"]
    assert [(f.is_error, f.text) for f in found] == [(True, f"own all: {words}")]


def test_ids_that_tell_all_apart_are_taken(tmp_path: Path) -> None:
    dataset = Dataset("own", "all", [Sample(name, tmp_path / name, "g") for name in "ab"])
    assert shared(dataset) is None
    assert require_distinct(dataset) is dataset


def test_a_part_that_is_named_twice_is_refused(coco_root: Path) -> None:
    spec = RunSpec(dataset="coco", data_root=str(coco_root), split="val2017+val2017")
    with pytest.raises(UsageError, match=r"--split val2017\+val2017: names a part twice"):
        open_splits(spec)


def test_parts_that_number_classes_differently_go_together_by_name(tmp_path: Path) -> None:
    """A training on both took the cars of one for the persons of the other."""
    (tmp_path / "annotations").mkdir()
    for split, names in (("train", {1: "car", 2: "person"}), ("val", {1: "person", 2: "car"})):
        (tmp_path / split).mkdir()
        (tmp_path / split / f"{split}.png").write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
        objects = [
            {"image_id": 1, "category_id": number, "bbox": [0, 0, 1 if name == "car" else 2, 4]}
            for number, name in names.items()
        ]
        content = {
            "images": [{"id": 1, "file_name": f"{split}.png", "width": 8, "height": 8}],
            "annotations": objects,
            "categories": [{"id": number, "name": name} for number, name in names.items()],
        }
        file = tmp_path / "annotations" / f"instances_{split}.json"
        file.write_text(json.dumps(content))
    spec = RunSpec(dataset="coco", data_root=str(tmp_path), split="train+val")
    joined = open_splits(spec)
    assert joined.categories == {1: "car", 2: "person"}
    for sample in joined.samples:
        found = sample.annotations
        assert found is not None
        widths = dict(zip(found.categories.tolist(), found.boxes_xyxy_px[:, 2], strict=True))
        assert widths == {1: 1, 2: 2}, sample.id
