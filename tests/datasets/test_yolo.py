"""The YOLO reader: what ultralytics reads of the same files, and what it says of wrong ones."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets import DATASETS, Dataset, DatasetError, Sample
from datasets.rain import RAINS
from harness.runs.rainy_copy import Recipe, synthesize


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

    samples = opened(root).samples
    assert len(samples) == 4
    for sample in samples:
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
    (root / "whole.txt").write_text("".join(f"{root}/images/val/{s}.jpg\n" for s in "abcd"))
    names = "names: [person, car, dog]\nnc: 3\n"
    heads = {
        "list": f"val: val.txt\n{names}",
        "a list of whole paths": f"val: whole.txt\n{names}",
        "a whole path": f"val: {root}/images/val\n{names}",
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


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("b.png", "b.TXT"),
        (unicodedata.normalize("NFD", "café.png"), unicodedata.normalize("NFC", "café.txt")),
    ],
)
def test_label_files_are_found_in_capitals_and_however_accents_are_coded(
    image: str, label: str, root: Path
) -> None:
    """Their objects were lost with no more than a note."""
    expected = opened(root)
    before = by_id(expected)["b"].annotations
    suffix = by_id(expected)["b"].path.suffix
    image = Path(image).stem + suffix
    (root / "images" / "val" / f"b{suffix}").rename(root / "images" / "val" / image)
    (root / "labels" / "val" / "b.txt").rename(root / "labels" / "val" / label)
    found = opened(root)
    after = by_id(found)[Path(image).stem].annotations
    assert before is not None
    assert after is not None
    assert after.sha256() == before.sha256()
    assert found.notes == expected.notes


def test_a_link_to_no_label_file_is_no_image_without_objects(root: Path) -> None:
    (root / "labels" / "val" / "b.txt").unlink()
    (root / "labels" / "val" / "b.txt").symlink_to(root / "nowhere.txt")
    with pytest.raises(FileNotFoundError, match=r"b\.txt"):
        opened(root)


def test_two_images_of_one_stem_are_told_apart(root: Path) -> None:
    shutil.copytree(root / "images" / "val", root / "images" / "train")
    (root / "data.yaml").write_text("val: [images/val, images/train]\nnames: [a, b, c]\n")
    assert {"images/train/a", "images/val/a"} <= by_id(opened(root)).keys()


def test_a_label_file_is_of_no_two_images(root: Path) -> None:
    for town in ("x", "y"):
        (root / "images" / "val" / town).mkdir()
        shutil.copy(next((root / "images" / "val").glob("a.*")), root / "images" / "val" / town)
    (root / "labels" / "val" / "a.txt").rename(root / "labels" / "a.txt")
    with pytest.raises(DatasetError, match=r"^labels/a\.txt would be of images/val/"):
        opened(root)
    problems: list[str] = []
    assert len(opened(root, problems=problems).samples) == 6
    assert len(problems) == 1


@pytest.mark.parametrize("folder", ["images/val", "."])
def test_two_images_of_one_stem_in_one_folder_keep_their_endings(folder: str, root: Path) -> None:
    if folder == ".":
        for file in (root / "images" / "val").iterdir():
            shutil.move(file, root)
        shutil.rmtree(root / "images")
        shutil.copytree(root / "labels" / "val", root, dirs_exist_ok=True)
        (root / "data.yaml").unlink()
        (root / "classes.txt").write_text("a\nb\nc\n")
    picture = root / folder / "a.jpg"
    with Image.open(picture) as image:
        image.save(picture.with_suffix(".png"))
    found = by_id(opened(root))
    above = "" if folder == "." else f"{folder}/"
    assert sorted(found) == sorted([f"{above}a.jpg", f"{above}a.png", "b", "c", "d"])
    assert len({sample.path for sample in found.values()}) == 5


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
    assert len(opened(root, problems=problems).samples) == 4
    assert len(problems) == 1


def test_lines_are_wrong_one_by_one_and_a_damaged_picture_once(root: Path) -> None:
    file = root / "labels" / "val" / "a.txt"
    file.write_text("7 0.5 0.5 0.1 0.1\n0 0.5 0.5 0.25 0.5\n0 0.5 0.5 9 9\n")
    problems: list[str] = []
    found = by_id(opened(root, problems=problems))["a"].annotations
    assert found is not None
    assert found.boxes_xyxy_px.tolist() == [[60, 30, 100, 90]]
    assert [text[:12] for text in problems] == ["a.txt line 1", "a.txt line 3"]
    (root / "images" / "val" / "b.jpg").write_bytes(b"no picture")
    problems.clear()
    opened(root, problems=problems)
    assert problems[2:] == ["b.jpg: not an image, or damaged"]


def test_numbers_of_names_may_be_quoted(root: Path) -> None:
    expected = opened(root).categories
    (root / "data.yaml").write_text("val: images/val\nnames: {\"0\": person, '1': car, 2: dog}\n")
    assert opened(root).categories == expected


BOMB = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}' if n else 'y'] * 9)}]\n" for n in range(10))
BOMB += "path: *x9\nnames: [a]\nval: images/val\n"
HEADS = {
    "no names": ("val: images/val\n", "the key 'names' is missing"),
    "no YAML": ("val: [", "no YAML"),
    "a bomb": (BOMB, "anchors and aliases are not read: write it out"),
    "a folder of folders": ("path: [[a]]\nnames: [a]\nval: b", "'path' must be a folder's name"),
    "two names of a number": ("names: {0: a, 0: b}\nval: images/val", "key 0 stands twice"),
    "a number quoted and bare": ("names: {0: a, '0': b}\nval: images/val", "key 0 stands twice"),
    "a number with zeros": ("names: {0: a, '00': b}\nval: images/val", "'names' must be a list"),
    "too deep": ("[" * 10**5, "nested more than 8 deep"),
    "too large": ("#" * (2**20 + 1), "more than 1 MB"),
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


ABSENT = {
    "Roboflow's": ("train: ../train/images\nval: ../valid/images\n", "valid/images"),
    "alone": ("val: ../valid/images\n", "valid/images"),
    "own words": ("train: ../fold1/pics\nval: ../fold2/pics\n", "fold2/pics"),
    "another machine's": ("train: /home/me/mine/train/pics\nval: /me/val/pics\n", "val/pics"),
    "a list": ("val: val.txt\n", "valid/images/a.jpg"),
}


@pytest.mark.parametrize("case", ABSENT)
def test_a_split_that_is_absent_is_not_the_whole_set(case: str, root: Path) -> None:
    text, words = ABSENT[case]
    shutil.move(root / "images" / "val", root / "flat")
    for name in ("images", "pics"):
        shutil.copytree(root / "flat", root / name, dirs_exist_ok=True)
    (root / "val.txt").write_text("../valid/images/a.jpg\n")
    (root / "data.yaml").write_text(f"{text}names: [a, b, c]\n")
    with pytest.raises(DatasetError, match=f"looked for {words} there") as caught:
        opened(root, "val")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("head", ["val.txt", "{away}"])
def test_images_outside_of_the_root_are_refused(head: str, root: Path, tmp_path: Path) -> None:
    away = tmp_path / "away" / "pics"
    shutil.copytree(root / "images" / "val", away)
    (root / "val.txt").write_text(f"{away}/a.jpg\n")
    (root / "data.yaml").write_text(f"val: {head.format(away=away)}\nnames: [a, b, c]\n")
    with pytest.raises(DatasetError, match=f"^{root}: nothing there that is called /"):
        opened(root, "val")


def test_a_split_s_own_folder_may_be_the_data_root(root: Path, tmp_path: Path) -> None:
    expected = labels_of(opened(root))
    shutil.copytree(root / "images" / "val", tmp_path / "valid" / "images")
    shutil.copytree(root / "labels" / "val", tmp_path / "valid" / "labels")
    file = tmp_path / "data.yaml"
    file.write_text("train: ../train/images\nval: ../valid/images\nnames: [a, b, c]\n")
    assert labels_of(opened(tmp_path / "valid", "val", annotations=file)) == expected
    assert labels_of(opened(tmp_path, "val")) == expected


@pytest.mark.parametrize("form", ["TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 3, 5, 6, 7, 8])
def test_shares_are_of_the_picture_as_it_is_decoded(
    form: str, orientation: int, root: Path
) -> None:
    (root / "images" / "val" / "a.jpg").unlink()
    exif = Image.Exif()
    exif[0x0112] = orientation
    suffix = {"TIFF": ".tif"}.get(form, f".{form.lower()}")
    stored = Image.new("RGB", (160, 120), (9, 99, 200))
    stored.save(root / "images" / "val" / f"a{suffix}", form, exif=exif)
    sample = by_id(opened(root))["a"]
    assert sample.annotations is not None
    height_px, width_px, _ = sample.image().shape
    assert (height_px, width_px) == ((120, 160) if orientation < 5 else (160, 120))
    left, top, right, bottom = sample.annotations.boxes_xyxy_px[0]
    assert (right - left, bottom - top) == pytest.approx((0.25 * width_px, 0.5 * height_px))


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


@pytest.mark.parametrize("line", ["./images/val/{}.jpg", "/home/me/mine/images/val/{}.jpg"])
def test_a_copy_s_list_names_its_images(line: str, root: Path, tmp_path: Path) -> None:
    (root / "data.yaml").write_text("val: lists/val.txt\nnames: [a, b, c]\n")
    (root / "lists").mkdir()
    (root / "lists" / "val.txt").write_text("".join(line.format(stem) + "\n" for stem in "abcd"))
    dataset = opened(root)
    copy = tmp_path / "copy"
    kept = [s for s in dataset.samples if s.id != "d"]
    recipe = Recipe("photoshop-heavy", RAINS["photoshop-heavy"])
    synthesize(replace(dataset, samples=kept), root, recipe, copy)
    found = opened(copy)
    assert [s.path.name for s in found.samples] == ["a.png", "b.png", "c.png"]
    assert labels_of(found) == labels_of(replace(dataset, samples=kept))
    assert (copy / "lists" / "val.txt").read_text().startswith(line.format("a")[:-4] + ".png\n")


def test_an_image_that_the_head_names_itself_is_not_copied(root: Path, tmp_path: Path) -> None:
    (root / "data.yaml").write_text("val: images/val/a.jpg\nnames: [a, b, c]\n")
    recipe = Recipe("photoshop-heavy", RAINS["photoshop-heavy"])
    with pytest.raises(DatasetError, match=r"data.yaml names the image a.jpg"):
        synthesize(opened(root), root, recipe, tmp_path / "copy")
