"""The VOC reader: its boxes, and difficult objects as the development kit has them."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

from datasets import DATASETS, Dataset, DatasetError, Sample
from datasets.rain import RAINS
from harness.runs.rainy_copy import Recipe, synthesize
from tasks.coco_ap import Detections
from tasks.matching import match

CAR, PERSON = 7, 15


@pytest.fixture
def root(tmp_path: Path, maker: Callable[[str], Any]) -> Path:
    made: Path = maker("voc").make(tmp_path / "VOC2007")
    return made


def opened(root: Path, split: str | None = None, **options: Any) -> Dataset:
    dataset: Dataset = DATASETS["voc"].open(root, split, **options)
    return dataset


def by_id(dataset: Dataset) -> dict[str, Sample]:
    return {sample.id: sample for sample in dataset.samples}


def boxes(dataset: Dataset, sample_id: str) -> Any:
    found = by_id(dataset)[sample_id].annotations
    assert found is not None
    return found.boxes_xyxy_px.tolist()


def test_pixels_are_counted_from_one_and_the_last_belongs(root: Path) -> None:
    dataset = opened(root, "test")
    assert sorted(by_id(dataset)) == ["000001", "000002"]
    found = by_id(dataset)["000001"].annotations
    assert found is not None
    assert found.boxes_xyxy_px.tolist() == [[0, 0, 50, 40], [59, 9, 70, 50]]
    assert found.areas_px2.tolist() == [50 * 40, 11 * 41]
    assert found.categories.tolist() == [CAR, PERSON]
    assert dataset.categories[PERSON] == "person"
    assert dataset.notes == ("boxes counted from 1, as VOC's are",)
    assert dataset.samples[0].size_px == (80, 100)
    assert len(opened(root).samples) == 3


def test_a_set_that_counts_from_zero_says_so(root: Path, maker: Callable[[str], Any]) -> None:
    text = maker("voc").xml("000003.jpg", [("car", (0, 5, 50, 40), 0)])
    (root / "Annotations" / "000003.xml").write_text(text)
    dataset = opened(root)
    assert dataset.notes == ("boxes counted from 0, as 000003.xml: object 0 begins there",)
    found = by_id(dataset)["000001"].annotations
    assert found is not None
    assert found.boxes_xyxy_px[0].tolist() == [1, 1, 50, 40]


def test_a_split_counts_as_its_set_does(root: Path, maker: Callable[[str], Any]) -> None:
    text = maker("voc").xml("000003.jpg", [("car", (0, 5, 50, 40), 0)])
    (root / "Annotations" / "000003.xml").write_text(text)
    dataset = opened(root, "test")  # 000003 is in no test
    assert sorted(by_id(dataset)) == ["000001", "000002"]
    assert dataset.notes == ("boxes counted from 0, as 000003.xml: object 0 begins there",)
    assert boxes(dataset, "000001") == [[1, 1, 50, 40], [60, 10, 70, 50]]


def test_a_part_of_a_person_says_nothing_of_the_set(
    root: Path, maker: Callable[[str], Any]
) -> None:
    text = maker("voc").xml("000003.jpg", [("person", (9, 5, 50, 40), 0)])
    part = "<part><name>head</name><bndbox><xmin>0.4</xmin><ymin>1</ymin></bndbox></part>"
    text = text.replace("</object>", f"{part}</object>")
    (root / "Annotations" / "000003.xml").write_text(text)
    assert opened(root, "test").notes == ("boxes counted from 1, as VOC's are",)


def test_a_copy_that_lacks_the_box_which_says_so_counts_as_its_set(
    root: Path, tmp_path: Path, maker: Callable[[str], Any]
) -> None:
    text = maker("voc").xml("000003.jpg", [("car", (0, 5, 50, 40), 0)])
    (root / "Annotations" / "000003.xml").write_text(text)
    recipe = Recipe("photoshop-heavy", RAINS["photoshop-heavy"])
    synthesize(opened(root, "test"), root, recipe, tmp_path / "copy")
    dataset = opened(tmp_path / "copy", "test")
    assert dataset.notes == ("boxes counted from 0, as the file counted-from-0 says",)
    assert boxes(dataset, "000001") == [[1, 1, 50, 40], [60, 10, 70, 50]]


def devkit(
    found: Detections, objects: list[tuple[str, tuple[float, ...], int]]
) -> list[tuple[bool, bool]]:
    """Whether each detection of cars, by falling confidence, is right, and whether it is ignored.

    As VOCevaldet.m decides with a least overlap of 0.5.
    """
    cars = [(box, difficult) for name, box, difficult in objects if name == "car"]
    taken, outcome = set(), []
    for i in np.argsort(-found.scores, kind="stable"):
        # Back to pixels counted from 1, the last of which belongs to the box.
        x1, y1, x2, y2 = found.boxes_xyxy_px[i] + [1, 1, 0, 0]
        best, place = -1.0, -1
        for j, (box, _) in enumerate(cars):
            w = min(x2, box[2]) - max(x1, box[0]) + 1
            h = min(y2, box[3]) - max(y1, box[1]) + 1
            if w > 0 and h > 0:
                both = (x2 - x1 + 1) * (y2 - y1 + 1) + (box[2] - box[0] + 1) * (box[3] - box[1] + 1)
                if w * h / (both - w * h) > best:
                    best, place = w * h / (both - w * h), j
        if best >= 0.5 and cars[place][1]:
            outcome.append((False, True))
        else:
            outcome.append((best >= 0.5 and place not in taken, False))
            taken |= {place} if best >= 0.5 else set()
    return outcome


def test_difficult_objects_are_ignored_as_the_development_kit_does(
    root: Path, maker: Callable[[str], Any]
) -> None:
    rng = np.random.default_rng(3)
    base = {
        "000001": [[0, 0, 50, 40]],
        # On the difficult car twice; inside of it, where half its own size is no overlap; a miss.
        "000002": [[10, 20, 40, 60], [11, 21, 41, 60], [12, 22, 22, 40], [49, 19, 100, 80]],
    }
    for stem, boxes in base.items():
        truth = by_id(opened(root, "test"))[stem].annotations
        assert truth is not None
        for _ in range(40):
            shifted = np.array(boxes, np.float32)
            shifted += rng.integers(-9, 10, (len(boxes), 4)).astype(np.float32)
            shifted[:, 2:] = np.maximum(shifted[:, 2:], shifted[:, :2] + 3)
            scores = rng.permutation(len(boxes)).astype(np.float32) / 10
            categories = np.full(len(boxes), CAR)
            found = Detections(shifted.astype(np.float32), scores.astype(np.float32), categories)
            evidence = match(found, truth)
            decided = [
                (bool(m and not i), bool(i))
                for m, i in zip(evidence["matched"][0, 0], evidence["ignored"][0, 0], strict=True)
            ]
            assert decided == devkit(found, maker("voc").OBJECTS[stem])
            ignored = evidence["truth_ignored"][0][evidence["truth_category"] == CAR].sum()
            assert ignored == (stem == "000002")


def test_other_folders_with_xml_files(root: Path, tmp_path: Path) -> None:
    expected = [s.annotations.sha256() for s in opened(root).samples if s.annotations]
    loose = tmp_path / "DAWN"
    shutil.copytree(root / "JPEGImages", loose / "Rain")
    shutil.copytree(root / "Annotations", loose / "Rain" / "Rain_PASCAL_VOC")
    for split in (None, "Rain"):
        found = opened(loose, split)
        assert [s.annotations.sha256() for s in found.samples if s.annotations] == expected
    assert len(opened(root.parent, "VOC2007/test").samples) == 2


def test_files_of_one_stem_in_several_folders(root: Path, tmp_path: Path) -> None:
    loose = tmp_path / "loose"
    for town in ("A", "B"):
        shutil.copytree(root / "JPEGImages", loose / town)
        shutil.copytree(root / "Annotations", loose / town, dirs_exist_ok=True)
    (loose / "B" / "000003.jpg").unlink()
    (loose / "B" / "000003.xml").unlink()
    dataset = opened(loose)
    assert sorted(by_id(dataset)) == [
        *("000003", "A/000001", "A/000002", "B/000001", "B/000002"),
    ]
    assert len({s.path for s in dataset.samples}) == 5
    recipe = Recipe("photoshop-heavy", RAINS["photoshop-heavy"])
    assert synthesize(dataset, loose, recipe, tmp_path / "copy").written == 5
    assert sorted(by_id(opened(tmp_path / "copy"))) == sorted(by_id(dataset))
    (loose / "B" / "000001.jpg").unlink()
    with pytest.raises(DatasetError, match=r"A/000001.xml and B/000001.xml are both of 000001.jpg"):
        opened(loose)


def test_own_classes_are_in_alphabetical_order(root: Path, maker: Callable[[str], Any]) -> None:
    text = maker("voc").xml("000003.jpg", [("tricycle", (1, 5, 50, 40), 0)])
    (root / "Annotations" / "000003.xml").write_text(text)
    assert opened(root).categories == {1: "car", 2: "person", 3: "tricycle"}


BAD = {
    "no XML": ("<annotation>", "no XML"),
    "other XML": ("<html></html>", "expected <annotation>, got <html>"),
    "entities": ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', "declares entities"),
    "defaults": ('<!DOCTYPE a [<!ATTLIST a b CDATA "c">]><annotation/>', "declares entities"),
    "unknown entity": (
        '<!DOCTYPE a SYSTEM "b"><annotation><folder>&c;</folder></annotation>',
        "&c; stands for nothing",
    ),
    "no name": ("<annotation><object/></annotation>", "object 0: has no <name>"),
    "no box": ("<annotation><object><name>a</name></object></annotation>", "<xmin> must be a num"),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_a_document_type_is_read_and_what_it_declares_is_refused(encoding: str, root: Path) -> None:
    """Whatever the encoding hides: the text was once searched for the word as bytes."""
    expected = [s.annotations.sha256() for s in opened(root).samples if s.annotations]
    for file in (root / "Annotations").glob("*.xml"):
        head = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE annotation SYSTEM "voc.dtd">'
        file.write_bytes((head + file.read_text()).encode(encoding))
    found = opened(root)
    assert [s.annotations.sha256() for s in found.samples if s.annotations] == expected
    declared = '<!DOCTYPE annotation [<!ENTITY a "b">]><annotation/>'
    (root / "Annotations" / "000003.xml").write_bytes(declared.encode(encoding))
    with pytest.raises(DatasetError, match="declares entities"):
        opened(root)


def test_files_are_found_in_folders_through_links_and_in_capitals(
    root: Path, tmp_path: Path
) -> None:
    expected = sorted(by_id(opened(root)))
    (root / "Annotations" / "day").mkdir()
    (root / "Annotations" / "000001.xml").rename(root / "Annotations" / "day" / "000001.XML")
    (tmp_path / "night").mkdir()
    (root / "Annotations" / "000002.xml").rename(tmp_path / "night" / "000002.xml")
    (root / "Annotations" / "night").symlink_to(tmp_path / "night")
    assert sorted(by_id(opened(root))) == expected


def test_files_of_a_list_are_found_in_capitals_and_however_accents_are_coded(
    root: Path, tmp_path: Path
) -> None:
    nfc, nfd = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    (root / "JPEGImages" / "000003.jpg").rename(root / "JPEGImages" / f"{nfd}.jpg")
    (root / "Annotations" / "000003.xml").rename(root / "Annotations" / f"{nfd}.XML")
    (root / "ImageSets" / "Main" / "val.txt").write_text(f"000001\n{nfc}\n")
    dataset = opened(root, "val")
    assert sorted(by_id(dataset)) == ["000001", nfd]
    assert dataset.export_labels is not None
    dataset.export_labels(tmp_path / "copy", {nfd: PurePosixPath(f"JPEGImages/{nfd}.jpg")})
    assert (tmp_path / "copy/ImageSets/Main/val.txt").read_text() == f"{nfc}\n"


def test_accents_are_the_same_however_they_are_coded(root: Path) -> None:
    for place, name in (
        ("JPEGImages", unicodedata.normalize("NFD", "café.jpg")),
        ("Annotations", unicodedata.normalize("NFC", "café.xml")),
    ):
        (root / place / f"000003{name[-4:]}").rename(root / place / name)
    assert len(opened(root).samples) == 3


def test_names_in_lists_may_hold_spaces(root: Path, tmp_path: Path) -> None:
    for place, suffix in (("JPEGImages", ".jpg"), ("Annotations", ".xml")):
        for old, new in (("000001", "a 1"), ("000002", "b c")):
            (root / place / f"{old}{suffix}").rename(root / place / f"{new}{suffix}")
    lists = root / "ImageSets" / "Main"
    for name, text in (("val", "a 1\nb c\n000003\n"), ("car_val", "a 1  1\nb c -1\n000003  1\n")):
        (lists / f"{name}.txt").write_text(text)
        assert sorted(by_id(opened(root, name))) == ["000003", "a 1", "b c"]
    dataset = opened(root, "val")
    assert dataset.export_labels is not None
    dataset.export_labels(tmp_path / "copy", {"a 1": PurePosixPath("JPEGImages/a 1.jpg")})
    copied = tmp_path / "copy" / "ImageSets" / "Main"
    assert (copied / "car_val.txt").read_text() == "a 1  1\n"


def test_an_image_has_one_file(root: Path) -> None:
    """Also where both name it and neither has its stem."""
    for name in ("one", "two"):
        shutil.copy(root / "Annotations" / "000003.xml", root / "Annotations" / f"{name}.xml")
    (root / "Annotations" / "000003.xml").unlink()
    with pytest.raises(DatasetError, match=r"one\.xml and .*two\.xml are both of 000003\.jpg"):
        opened(root)


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_file_is_named(case: str, root: Path) -> None:
    text, words = BAD[case]
    (root / "Annotations" / "000003.xml").write_text(text)
    with pytest.raises(DatasetError, match=words):
        opened(root)
    problems: list[str] = []
    assert len(opened(root, problems=problems).samples) in (2, 3)
    assert len(problems) == 1
    assert "000003.xml" in problems[0]


WRONG_BOXES = {
    "swapped": ((50, 5, 20, 40), 0, "negative size"),
    "far": ((1, 5, 2000, 40), 0, "far outside"),
    "no number": (("nan", 5, 20, 40), 0, "must be a finite number"),
    "difficult": ((1, 5, 20, 40), 7, "<difficult> must be 0 or 1"),
}


@pytest.mark.parametrize("case", WRONG_BOXES)
def test_a_wrong_object_is_named(case: str, root: Path, maker: Callable[[str], Any]) -> None:
    box, difficult, words = WRONG_BOXES[case]
    text = maker("voc").xml("000003.jpg", [("car", box, difficult)])
    (root / "Annotations" / "000003.xml").write_text(text)
    with pytest.raises(DatasetError, match=words):
        opened(root)


def test_what_is_missing_is_named(root: Path) -> None:
    with pytest.raises(DatasetError, match="--split is one of test"):
        opened(root, "val")
    (root / "JPEGImages" / "000002.jpg").unlink()
    with pytest.raises(DatasetError, match=r"000002.xml: no image 000002 below"):
        opened(root)
    (root / "Annotations" / "000002.xml").unlink()
    with pytest.raises(DatasetError, match=r"000002.xml not found"):
        opened(root, "test")


def test_a_copy_takes_the_files_of_its_images(root: Path, tmp_path: Path) -> None:
    dataset = opened(root)
    assert dataset.export_labels is not None
    kept = dataset.samples[:2]
    places: Any = {s.id: s.path.relative_to(root) for s in kept}
    (tmp_path / "copy" / "JPEGImages").mkdir(parents=True)
    for sample in kept:
        shutil.copy(sample.path, tmp_path / "copy" / "JPEGImages")
    dataset.export_labels(tmp_path / "copy", places)
    assert sorted(by_id(opened(tmp_path / "copy"))) == ["000001", "000002"]


@pytest.mark.parametrize("split", ["test", None])
def test_a_copy_takes_the_lists_of_its_images(
    split: str | None, root: Path, tmp_path: Path
) -> None:
    above = root.parent
    (root / "ImageSets" / "Main" / "val.txt").write_text("000003\n")
    for word, home in ((split, root), (f"VOC2007/{split}" if split else None, above)):
        dataset, copy = opened(home, word), tmp_path / f"copy-{home.name}"
        recipe = Recipe("photoshop-heavy", RAINS["photoshop-heavy"])
        synthesize(dataset, home, recipe, copy)
        found = opened(copy, word)
        assert sorted(by_id(found)) == sorted(by_id(dataset))
        assert {s.path.suffix for s in found.samples} == {".png"}
        main = copy / root.relative_to(home) / "ImageSets" / "Main"
        assert (main / "car_test.txt").read_text() == "000001  1\n000002 -1\n"
        assert (main / "val.txt").is_file() == (split is None)
