"""The YOLO reader: what ultralytics reads of the same files, and what it says of wrong ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets import DATASETS, Dataset, DatasetError, Sample


@pytest.fixture
def root(tmp_path: Path, maker: Callable[[str], Any]) -> Path:
    made: Path = maker("yolo").make(tmp_path / "yolo")
    return made


def opened(root: Path, split: str | None = None, **options: Any) -> Dataset:
    dataset: Dataset = DATASETS["yolo"].open(root, split, **options)
    return dataset


def by_id(dataset: Dataset) -> dict[str, Sample]:
    return {sample.id: sample for sample in dataset.samples}


def test_boxes_are_those_that_ultralytics_reads(root: Path) -> None:
    from ultralytics.data.utils import verify_image_label
    from ultralytics.utils.ops import xywhn2xyxy

    for sample in opened(root).samples:
        found = sample.annotations
        assert found is not None
        file = root / "labels" / "val" / f"{sample.id}.txt"
        given = (str(sample.path), str(file), "", False, 3, 0, 0, False)
        _, rows, (height_px, width_px), *_ = verify_image_label(given)
        expected = xywhn2xyxy(rows[:, 1:].astype(np.float64), width_px, height_px)
        assert sample.image().shape == (height_px, width_px, 3)
        assert found.categories.tolist() == rows[:, 0].tolist()
        assert np.allclose(found.boxes_xyxy_px, expected, atol=1e-4)


def test_masks_are_the_outlines(root: Path, maker: Callable[[str], Any]) -> None:
    from datasets.masks import decode

    for stem in "ac":
        (root / "labels" / "val" / f"{stem}.txt").unlink()
    found = by_id(opened(root, masks=True))["b"].annotations
    assert found is not None
    rectangle = decode(found.masks[0])
    width_px, height_px = maker("yolo").WIDTH_PX, maker("yolo").HEIGHT_PX
    assert rectangle.shape == (height_px, width_px)
    left, top, right, bottom = found.boxes_xyxy_px[0]
    assert (left, top, right, bottom) == pytest.approx((16, 12, 96, 96))
    assert rectangle.sum() == found.areas_px2[0] == 80 * 84
    assert rectangle[12:96, 16:96].all()


def test_images_without_labels_hold_no_object_and_are_counted(root: Path) -> None:
    dataset = opened(root)
    found = by_id(dataset)["d"].annotations
    assert found is not None
    assert len(found.categories) == 0
    assert dataset.notes == ("1 of 4 images have no label file: no object there",)
    assert dataset.categories == {0: "person", 1: "car", 2: "dog"}
    assert dataset.split == "val"


def labels_of(dataset: Dataset) -> list[str]:
    return [s.annotations.sha256() for s in dataset.samples if s.annotations]


def test_every_layout_says_the_same(root: Path, tmp_path: Path) -> None:
    expected = labels_of(opened(root))
    listed = root / "val.txt"
    listed.write_text("".join(f"./images/val/{s}.jpg\n" for s in "abcd"))
    names = "names: [person, car, dog]\nnc: 3\n"
    heads = {
        "list": f"val: val.txt\n{names}",
        "another machine's": f"path: /home/me/mine\nval: images/val\n{names}",
        "Roboflow's": f"train: ../train/images\nval: ../images/val\n{names}",
        "lists": f"val: [images/val, images/val]\n{names}",
        "back-slashes": f"val: images\\val\n{names}",
    }
    for head in heads.values():
        (root / "data.yaml").write_text(head)
        assert labels_of(opened(root, "val")) == expected
    away = tmp_path / "away.yaml"
    shutil.move(root / "data.yaml", away)
    assert labels_of(opened(root, "val", annotations=away)) == expected
    (root / "classes.txt").write_text("person\ncar\ndog\n")
    assert labels_of(opened(root, "val")) == expected
    assert labels_of(opened(root)) == expected


def test_label_files_beside_the_images(root: Path, tmp_path: Path) -> None:
    expected = labels_of(opened(root))
    flat = tmp_path / "flat"
    shutil.copytree(root / "images" / "val", flat)
    for file in (root / "labels" / "val").iterdir():
        shutil.copy(file, flat)
    (flat / "classes.txt").write_text("person\ncar\ndog\n")
    assert labels_of(opened(flat)) == expected


def test_two_images_of_one_stem_are_told_apart(root: Path) -> None:
    shutil.copytree(root / "images" / "val", root / "images" / "train")
    (root / "data.yaml").write_text("val: [images/val, images/train]\nnames: [a, b, c]\n")
    assert {"images/train/a", "images/val/a"} <= by_id(opened(root)).keys()


def test_points_of_poses_are_left_out(root: Path) -> None:
    expected = labels_of(opened(root))[0]
    file = root / "labels" / "val" / "a.txt"
    points = " 0.5 0.5 2 0.6 0.6 1\n"
    file.write_text("".join(line + points for line in file.read_text().splitlines()))
    (root / "data.yaml").write_text("val: images/val\nkpt_shape: [2, 3]\nnames: [a, b, c]\n")
    assert labels_of(opened(root))[0] == expected


LINES = {
    "a word": ("0 0.5 x 0.1 0.1", "a.txt line 1: 'x' is no number"),
    "no number": ("0 0.5 nan 0.1 0.1", "'nan' is no number"),
    "pixels": ("0 50 50 10 10", "coordinates are shares of the image"),
    "no class": ("3 0.5 0.5 0.1 0.1", "class 3 is none of 0 to 2"),
    "half a class": ("0.5 0.5 0.5 0.1 0.1", "class 0.5 is none of"),
    "a prediction": ("0 0.5 0.5 0.1 0.1 0.9", "a prediction with its confidence"),
    "short": ("0 0.5 0.5 0.1", "expected a class with a box of 4"),
    "odd": ("0 0.5 0.5 0.1 0.1 0.2 0.2 0.3", "expected a class with a box of 4"),
}


@pytest.mark.parametrize("case", LINES)
def test_a_wrong_line_is_named(case: str, root: Path) -> None:
    line, words = LINES[case]
    (root / "labels" / "val" / "a.txt").write_text(line)
    with pytest.raises(DatasetError, match=words):
        labels_of(opened(root))
    problems: list[str] = []
    assert len(opened(root, problems=problems).samples) == 3
    assert len(problems) == 1


HEADS = {
    "no names": ("val: images/val\n", "the key 'names' is missing"),
    "no YAML": ("val: [", "no YAML"),
    "names of numbers": ("names: {a: b}\nval: images/val", "'names' must be a list"),
    "elsewhere": ("names: [a]\nval: images/other", "nothing there that is called images/other"),
    "outside": ("names: [a]\nval: ../../other", "nothing there that is called"),
    "empty": ("", "expected an object"),
}


@pytest.mark.parametrize("case", HEADS)
def test_a_wrong_head_is_refused(case: str, root: Path) -> None:
    text, words = HEADS[case]
    (root.parent / "other").mkdir()
    (root / "data.yaml").write_text(text)
    with pytest.raises(DatasetError, match=words):
        opened(root, "val")


def test_a_set_without_any_label_is_refused(root: Path) -> None:
    shutil.rmtree(root / "labels")
    with pytest.raises(DatasetError, match="no label file for any of the 4 images"):
        opened(root)
    (root / "data.yaml").unlink()
    with pytest.raises(DatasetError, match=r"no data.yaml and no classes.txt"):
        opened(root)


def test_a_copy_opens_as_the_set_does(root: Path, tmp_path: Path) -> None:
    dataset = opened(root)
    assert dataset.export_labels is not None
    places: Any = {s.id: s.path.relative_to(root) for s in dataset.samples}
    shutil.copytree(root / "images", tmp_path / "copy" / "images")
    dataset.export_labels(tmp_path / "copy", places)
    assert labels_of(opened(tmp_path / "copy")) == labels_of(dataset)
