"""The COCO reader: what it keeps, and what it says of files that are wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets import DATASETS, Annotations, Dataset, DatasetError
from datasets.rain import RAINS
from harness.runs.rainy_copy import Recipe, synthesize

FILE = "annotations/instances_val2017.json"


def test_boxes_are_xyxy_and_crowds_stay(coco_root: Path) -> None:
    content = json.loads((coco_root / FILE).read_text())
    dataset = DATASETS["coco"].open(coco_root, "val2017")
    assert dataset.categories == {1: "person", 3: "car", 18: "dog"}
    assert [s.id for s in dataset.samples] == [str(i) for i in range(1, 9)]
    objects = [s.annotations for s in dataset.samples]
    x, y, w, h = content["annotations"][0]["bbox"]
    assert objects[0] is not None
    assert objects[0].boxes_xyxy_px[0].tolist() == [x, y, x + w, y + h]
    assert [int(a.is_crowd.sum()) for a in objects if a is not None] == [0, 0, 0, 0, 0, 1, 0, 0]
    assert objects[4] is not None
    assert objects[4].boxes_xyxy_px.shape == (0, 4)


def test_images_are_upright_and_in_colour(coco_root: Path) -> None:
    samples = DATASETS["coco"].open(coco_root, None).samples
    assert len(samples) == 8
    for sample in samples:
        shape = (131, 97, 3) if sample.id == "2" else (120, 160, 3)
        assert sample.image().shape == shape


def test_a_limit_is_nested_and_does_not_follow_the_file(coco_root: Path) -> None:
    dataset = DATASETS["coco"].open(coco_root, "val2017")
    ids = [s.id for s in dataset.limited(None).samples]
    assert [s.id for s in dataset.limited(3).samples] == ids[:3]
    assert ids != sorted(ids)


def read(dataset: Dataset) -> list[Annotations]:
    """The labels of all images, which are read when they are asked for."""
    return [s.annotations for s in dataset.samples if s.annotations is not None]


def edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def apply(root: Path) -> None:
        content = json.loads((root / FILE).read_text())
        change(content)
        (root / FILE).write_text(json.dumps(content))

    return apply


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "not JSON": (lambda r: (r / FILE).write_text("{"), "not a JSON file"),
    "NaN": (
        lambda r: (r / FILE).write_text('{"images": [NaN]}'),
        r"NaN is not a number\): check-data names the entries",
    ),
    "deep": (lambda r: (r / FILE).write_text("[" * 100_000), "nested too deep"),
    "a list": (lambda r: (r / FILE).write_text("[]"), "expected an object"),
    "absent": (lambda r: (r / FILE).unlink(), "no annotations/instances_"),
    "no images": (edit(lambda c: c.pop("images")), "'images' is missing"),
    "no id": (edit(lambda c: c["images"][2].pop("id")), r"images\[2\]: the key 'id' is missing"),
    "twice": (edit(lambda c: c["images"].append(c["images"][0])), "id 1 stands there twice"),
    "one file": (
        edit(lambda c: c["images"].append({**c["images"][0], "id": 77})),
        r"image 1 and image 77 are both 0+1\.jpg: give the file one entry",
    ),
    "escape": (
        edit(lambda c: c["images"][0].update(file_name="../../../a.jpg")),
        "leaves the image",
    ),
    "absolute": (edit(lambda c: c["images"][0].update(file_name="/a.jpg")), "leaves the image"),
    "no file": (edit(lambda c: c["images"][0].update(file_name="b.jpg")), "image 1 names b.jpg"),
    "no box": (
        edit(lambda c: [c["annotations"][1].pop(k) for k in ("bbox", "segmentation")]),
        r"annotations\[1\]: the key 'bbox'",
    ),
    "short box": (edit(lambda c: c["annotations"][0].update(bbox=[1, 2])), "'bbox' must be"),
    "negative": (edit(lambda c: c["annotations"][0].update(bbox=[1, 2, -3, 4])), "negative size"),
    "far": (edit(lambda c: c["annotations"][0].update(bbox=[1e9, 0, 1, 1])), "far outside image"),
    "text": (edit(lambda c: c["annotations"][0].update(area="big")), "'area' must be a finite"),
    "category": (edit(lambda c: c["annotations"][0].update(category_id=7)), "category_id 7"),
    "image": (edit(lambda c: c["annotations"][0].update(image_id=70)), "image_id 70 is not among"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_file_is_named_with_its_field(case: str, coco_root: Path, tmp_path: Path) -> None:
    root = tmp_path / "coco"
    shutil.copytree(coco_root, root)
    spoil, words = BAD[case]
    spoil(root)
    with pytest.raises(DatasetError, match=words) as caught:
        read(DATASETS["coco"].open(root, None))
    assert "\n" not in str(caught.value)


def test_digest_of_labels_changes_with_any_value(coco_root: Path) -> None:
    labels = DATASETS["coco"].open(coco_root, None).samples[0].annotations
    assert labels is not None
    before = labels.sha256()
    labels.areas_px2[0] += 1
    assert labels.sha256() != before
    labels.areas_px2[0] -= 1
    assert labels.sha256() == before
    assert np.isfinite(labels.areas_px2).all()


def test_folder_names_images_by_their_path(tmp_path: Path, coco_root: Path) -> None:
    shutil.copytree(coco_root / "images", tmp_path / "images")
    (tmp_path / "images" / "notes.txt").write_text("no image")
    samples = DATASETS["folder"].open(tmp_path / "images", None).samples
    assert samples[0].id == "val2017/000000000001.jpg"
    assert len(samples) == 8
    assert samples[0].annotations is None
    with pytest.raises(DatasetError, match="no image there"):
        DATASETS["folder"].open(tmp_path / "images", "none")


def test_names_may_start_from_the_root(coco_root: Path, tmp_path: Path) -> None:
    """As in a copy that was made of a set whose label file was named."""
    root, copy, file = tmp_path / "coco", tmp_path / "copy", coco_root / FILE
    recipe = Recipe("photoshop-heavy", RAINS["photoshop-heavy"])
    synthesize(DATASETS["coco"].open(coco_root, None, annotations=file), coco_root, recipe, copy)
    shutil.copytree(coco_root, root)
    edit(lambda c: [e.update(file_name=f"val2017/{e['file_name']}") for e in c["images"]])(root)
    (root / "images" / "val2017").rename(root / "val2017")
    expected = [a.sha256() for a in read(DATASETS["coco"].open(coco_root, None))]
    for place in (root, copy):
        assert [a.sha256() for a in read(DATASETS["coco"].open(place, None))] == expected


@pytest.mark.parametrize("moved", [2, 8])
def test_a_copy_of_images_beside_the_split_s_folder_opens(
    moved: int, coco_root: Path, tmp_path: Path
) -> None:
    root, copy = tmp_path / "coco", tmp_path / "copy"
    shutil.copytree(coco_root, root)
    (root / "images" / "other").mkdir()
    content = json.loads((root / FILE).read_text())
    for entry in content["images"][:moved]:
        name = entry["file_name"]
        shutil.move(root / "images" / "val2017" / name, root / "images" / "other" / name)
        entry["file_name"] = f"../other/{name}"
    (root / FILE).write_text(json.dumps(content))
    dataset = DATASETS["coco"].open(root, None)
    synthesize(dataset, root, Recipe("photoshop-heavy", RAINS["photoshop-heavy"]), copy)
    found = DATASETS["coco"].open(copy, None)
    inner = [s.path.relative_to(copy).with_suffix("") for s in found.samples]
    assert inner == [s.path.relative_to(root).with_suffix("") for s in dataset.samples]
    assert [s.annotations.sha256() for s in found.samples if s.annotations] == [
        s.annotations.sha256() for s in dataset.samples if s.annotations
    ]
